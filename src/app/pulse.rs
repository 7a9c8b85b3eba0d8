//! Whether every part of the exporter still turns: each is given a heartbeat that stops when the part hangs.
//!
//! A part beats when the executor has run it and it has come back. One that blocks its thread (a lock that is never given
//! back, a loop without an end), or that the executor gets round to no more, falls silent; one that waits does not.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// A part that has nothing to do is run so often to see that it can be.
const BEAT: Duration = Duration::from_secs(1);
/// The longest turn of a part that is well: reading the largest answer takes a small part of it.
const SILENCE: Duration = Duration::from_secs(15);

/// The heartbeats of all parts that have not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulses(Arc<Mutex<Vec<Weak<Pulse>>>>);

#[derive(Debug)]
struct Pulse {
    part: Box<str>,
    last: Mutex<Instant>,
}

impl Pulses {
    /// The same work with a heartbeat under that name.
    pub(super) fn watch<Work: Future>(&self, part: &str, work: Work) -> impl Future<Output = Work::Output> + use<Work> {
        let pulse = Arc::new(Pulse { part: part.into(), last: Mutex::new(Instant::now()) });
        self.parts().push(Arc::downgrade(&pulse));
        async move {
            let mut work = pin!(work);
            let mut beats = interval(BEAT);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            poll_fn(|context| {
                while beats.poll_tick(context).is_ready() {}
                let turn = work.as_mut().poll(context);
                *pulse.last() = Instant::now();
                turn
            })
            .await
        }
    }

    /// The parts that hang.
    pub(super) fn silent(&self, now: Instant) -> Vec<Box<str>> {
        let mut silent = Vec::new();
        self.parts().retain(|pulse| {
            let Some(pulse) = pulse.upgrade() else { return false };
            if now.saturating_duration_since(*pulse.last()) >= SILENCE {
                silent.push(pulse.part.clone());
            }
            true
        });
        silent
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Weak<Pulse>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    fn last(&self) -> MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::pending;
    use std::sync::mpsc;
    use tokio::task::JoinSet;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_waits_beats_and_one_that_is_not_run_does_not() {
        let (pulses, mut parts) = (Pulses::default(), JoinSet::new());
        parts.spawn(pulses.watch("waits", pending::<()>()));
        let never_run = pulses.watch("hangs", pending::<()>());
        tokio::time::sleep(SILENCE * 10).await;
        assert_eq!(pulses.silent(Instant::now()), ["hangs".into()]);
        drop(never_run);
        assert!(pulses.silent(Instant::now()).is_empty(), "a part that has ended is no longer asked for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_blocks_its_thread_is_silent_until_it_goes_on() {
        let pulses = Pulses::default();
        let (give, lock) = mpsc::channel::<()>();
        let (turns, blocks) = mpsc::channel::<()>();
        let work = pulses.watch("blocks", async move {
            turns.send(()).unwrap();
            lock.recv().unwrap();
            pending::<()>().await;
        });
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            // The first turn, and no more.
            runtime.block_on(async { pin!(work).now_or_never() })
        });
        blocks.recv().unwrap();
        let later = Instant::now() + SILENCE * 2;
        assert_eq!(pulses.silent(later), ["blocks".into()]);
        give.send(()).unwrap();
        assert!(thread.join().unwrap().is_none());
        assert!(pulses.silent(later).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_result_is_that_of_the_work() {
        let work = Pulses::default().watch("sleeps", async {
            tokio::time::sleep(SILENCE * 3).await;
            7
        });
        assert_eq!(work.await, 7);
    }
}
