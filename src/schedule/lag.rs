//! How late an account's polls are: written by its loop, read by a scrape, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const NOTHING_DUE: u64 = u64::MAX;

/// The instant that poll of an account was due which is due longest and has not ended.
#[derive(Debug)]
pub struct Lag {
    base: Instant,
    /// Milliseconds after `base`.
    due: AtomicU64,
}

impl Lag {
    /// Nothing is due yet.
    pub const fn new(now: Instant) -> Self {
        Self { base: now, due: AtomicU64::new(NOTHING_DUE) }
    }

    /// Notes what has been, or will be, due longest, if anything.
    pub fn set_due(&self, due: Option<Instant>) {
        let since = due.map(|due| due.saturating_duration_since(self.base));
        let millis = since.map_or(NOTHING_DUE, |since| u64::try_from(since.as_millis()).unwrap_or(NOTHING_DUE));
        self.due.store(millis, Ordering::Relaxed);
    }

    /// How late that is now.
    pub fn at(&self, now: Instant) -> Duration {
        match self.due.load(Ordering::Relaxed) {
            NOTHING_DUE => Duration::ZERO,
            millis => now.saturating_duration_since(self.base).saturating_sub(Duration::from_millis(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_something_due_waits() {
        let now = Instant::now();
        let lag = Lag::new(now);
        let seconds = Duration::from_secs;
        assert_eq!(lag.at(now + seconds(9)), seconds(0));
        lag.set_due(Some(now + seconds(5)));
        assert_eq!(lag.at(now + seconds(4)), seconds(0));
        assert_eq!(lag.at(now + seconds(9)), seconds(4));
        lag.set_due(None);
        assert_eq!(lag.at(now + seconds(9)), seconds(0));
    }
}
