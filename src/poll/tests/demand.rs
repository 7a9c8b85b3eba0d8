//! The demand that is told is that of the tasks and finders there are, whatever they went through.

use super::reload::{Polled, Step, listing, seconds, start_observed, steps};
use super::*;
use crate::metrics::Format;
use proptest::prelude::*;

/// A loop, and what it tells.
struct Watched {
    polled: Polled,
    own: Arc<Own>,
}

impl Watched {
    async fn start(account: Account) -> Self {
        let own = Arc::new(Own::new().unwrap());
        let polled = start_observed(store(), Arc::clone(&own) as Arc<dyn Observe>, account).await;
        Self { polled, own }
    }

    /// The requests per second that are asked of an API, if it is known.
    fn demand(&self, api: &str) -> Option<f64> {
        let (text, api) = (String::from_utf8(self.own.render(Format::Text)).unwrap(), format!("api=\"{api}\""));
        let is_meant = |line: &&str| line.starts_with("cloud_task_exporter_api_demand_") && line.contains(&*api);
        text.lines().find(is_meant)?.rsplit_once(' ')?.1.parse().ok()
    }
}

/// How many rows the answer about a task has pages of.
fn pages(id: &str) -> u32 {
    u32::from(id.as_bytes()[0] % 3)
}

/// Asks for a task, page by page.
fn ask(id: &str) {
    cloud::note_request("Show");
    (0..pages(id)).for_each(|_| cloud::note_request("Rows"));
}

#[tokio::test(start_paused = true)]
async fn tasks_count_before_they_were_asked_for_and_as_often_as_they_are() {
    let cloud = Told::new(|id| {
        ask(id);
        at_once(if id == "done" { Phase::Succeeded } else { Phase::Running })
    });
    let targets = vec![target("a", 10), target("b", 20), target("done", 20)];
    let watched = Watched::start(account(&cloud, targets, vec![listing("x", &["c"])])).await;
    assert_eq!((watched.demand("Show"), watched.demand("Rows"), watched.demand("List")), (Some(0.2), None, None));
    seconds(25).await;
    // The one that is done is looked at every hundred seconds.
    assert_eq!(watched.demand("Show"), Some(0.01 + 0.05 + 0.2));
    let rows: f64 = [("done", 0.01), ("b", 0.05), ("a", 0.1), ("c", 0.1)]
        .iter()
        .map(|(id, rate)| rate * f64::from(pages(id)))
        .sum();
    assert!((watched.demand("Rows").unwrap() - rows).abs() < 1e-9);
    assert_eq!(watched.demand("List"), Some(0.1));
    // Never again, and no list any more: nothing of it waits for a poll.
    watched.polled.store.set_rules(Rules { final_recheck: Duration::ZERO, ..rules() });
    watched.polled.handle.reconfigure(account(&cloud, vec![target("b", 5), target("done", 20)], vec![])).await;
    assert_eq!((watched.demand("Show"), watched.demand("List")), (Some(0.2), Some(0.0)));
}

type Later = fn() -> (Duration, Result<Phase, Reason>);

#[tokio::test(start_paused = true)]
async fn polls_that_fail_or_wait_ask_no_less() {
    let denied = || (Duration::ZERO, Err(Reason::Denied));
    let silent = || (Duration::MAX, Ok(Phase::Running));
    for later in [denied as Later, silent, || panic!("a bug, on purpose")] {
        let began = Instant::now();
        let cloud = Told::new(move |id| {
            if began.elapsed() > Duration::from_secs(20) {
                return later();
            }
            ask(id);
            at_once(Phase::Running)
        });
        let targets = (0..20).map(|number| target(&format!("b{number}"), 5)).collect();
        let watched = Watched::start(account(&cloud, targets, vec![])).await;
        seconds(15).await;
        for _ in 0..4 {
            seconds(10).await;
            let rows = 4.0 * f64::from(pages("b"));
            assert_eq!((watched.demand("Show"), watched.demand("Rows")), (Some(4.0), Some(rows)));
        }
    }
}

async fn the_demand_is_that_of_what_there_is(steps: Vec<Step>) {
    let began = Instant::now();
    let cloud = Told::new(move |id| {
        ask(id);
        let turn = began.elapsed().as_secs() / 15 + u64::from(id.as_bytes()[0]);
        let phase = if turn.is_multiple_of(2) { Phase::Running } else { Phase::Succeeded };
        (Duration::from_millis(700), if turn % 5 == 4 { Err(Reason::Transport) } else { Ok(phase) })
    });
    let watched = Watched::start(account(&cloud, vec![], vec![])).await;
    let store = &watched.polled.store;
    let of_all = |takes: fn(&str) -> u32| -> f64 {
        let targets = store.targets(&target("", 1).key.account);
        let period = |target: &Arc<Target>| Some((Arc::clone(&target.key.task_id), store.period(target)?));
        targets.iter().filter_map(period).map(|(id, period)| f64::from(takes(&id)) / period.as_secs_f64()).sum()
    };
    let is = |api: &str, wanted: f64| {
        let told = watched.demand(api).unwrap_or_default();
        assert!((told - wanted).abs() < 1e-9, "{api}: {told}, not {wanted}");
    };
    for (step, recheck) in steps.iter().zip([10, 0, 40].into_iter().cycle()) {
        store.set_rules(Rules { final_recheck: Duration::from_secs(recheck), ..rules() });
        watched.polled.handle.reconfigure(account(&cloud, step.targets(), step.finders())).await;
        is("Show", of_all(|_| 1));
        seconds(step.seconds).await;
        is("Show", of_all(|_| 1));
    }
    // By then all that is asked again was asked, but for what failed each time.
    seconds(45).await;
    is("Show", of_all(|_| 1));
    let lists = steps.last().map_or(0.0, |step| step.finders().iter().map(|_| 0.1).sum());
    is("List", lists);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happened_before(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(the_demand_is_that_of_what_there_is(steps));
    }
}
