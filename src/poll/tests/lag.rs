//! How late polls are told to be: those that wait for their turn, and those that have begun and wait for the cloud or a quota.

use super::reload::{Polled, seconds, start};
use super::*;

impl Polled {
    /// Something was due so long ago; or less by a second, within which first polls are spread here.
    fn assert_late_by(&self, seconds: u64) {
        let lag = self.handle.lag().at(Instant::now());
        let longest = Duration::from_secs(seconds);
        assert!((longest.saturating_sub(Duration::from_secs(1))..=longest).contains(&lag), "{lag:?}, not {longest:?}");
    }
}

fn slow(delay: Duration) -> Arc<Told> {
    Told::new(move |_| (delay, Ok(Phase::Running)))
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_does_not_end_gets_ever_later_whatever_is_loaded_meanwhile() {
    let hanging = slow(Duration::MAX);
    let polled = start(account(&hanging, vec![target("a", 1)], vec![])).await;
    seconds(100).await;
    polled.assert_late_by(100);
    // Of the same cloud, and then of another, where it begins anew.
    for (cloud, late) in [(hanging, 200), (slow(Duration::MAX), 300)] {
        polled.handle.reconfigure(account(&cloud, vec![target("a", 2), target("b", 1000)], vec![])).await;
        seconds(100).await;
        polled.assert_late_by(late);
    }
    polled.handle.reconfigure(account(&slow(Duration::ZERO), vec![target("a", 1)], vec![])).await;
    seconds(100).await;
    polled.assert_late_by(0);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_began_late_is_no_less_late_for_that() {
    let cloud = slow(Duration::from_secs(100));
    let one_at_a_time = |ids: &[&str]| {
        let targets = ids.iter().map(|id| target(id, 1)).collect();
        Account { concurrency: 1, ..account(&cloud, targets, vec![]) }
    };
    let polled = start(one_at_a_time(&["a", "b"])).await;
    seconds(95).await;
    polled.assert_late_by(95);
    // The second has begun, a hundred seconds late.
    seconds(100).await;
    polled.assert_late_by(195);
    // The first is due again since it ended.
    seconds(100).await;
    polled.assert_late_by(195);
    polled.handle.reconfigure(one_at_a_time(&[])).await;
    seconds(100).await;
    polled.assert_late_by(0);
}
