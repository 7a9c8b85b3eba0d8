//! How many requests are answered per time: a bucket that one token drips into per interval, and that holds a burst.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A bound on requests, whoever asks.
#[derive(Debug)]
pub struct RateLimit {
    interval: Duration,
    burst: u32,
    /// When the bucket is full again.
    full_at: Mutex<Instant>,
}

impl RateLimit {
    /// One request per interval, and `burst` of them at once after a pause.
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, full_at: Mutex::new(Instant::now()) }
    }

    /// Takes a token, if there is one.
    pub(super) fn admits_one(&self) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let after = (*full_at).max(now) + self.interval;
        let admits = after.duration_since(now) <= self.interval.saturating_mul(self.burst);
        if admits {
            *full_at = after;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_at_once_and_then_one_per_interval() {
        let limit = RateLimit::new(Duration::from_secs(2), 3);
        let taken = || (0..5).filter(|_| limit.admits_one()).count();
        assert_eq!(taken(), 3);
        tokio::time::advance(Duration::from_millis(1999)).await;
        assert_eq!(taken(), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(taken(), 1);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(taken(), 3);
    }
}
