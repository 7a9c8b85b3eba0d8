//! What makes a simulated cloud as strict as a real one: quotas counted per second, nonces that may be used once.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Counts requests per API and second, as the vendors' gateways do.
#[derive(Debug, Default)]
pub struct Throttle {
    seconds: Mutex<HashMap<String, (i64, u32)>>,
}

impl Throttle {
    /// Whether one more request of the API fits into this second.
    pub fn admits(&self, api: &str, per_second: u32, now: Timestamp) -> bool {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let (second, count) = seconds.entry(api.to_owned()).or_default();
        if *second != now.as_second() {
            (*second, *count) = (now.as_second(), 0);
        }
        *count += 1;
        *count <= per_second
    }
}

/// Remembers nonces for as long as a request that carries one could be taken.
#[derive(Debug, Default)]
pub struct Nonces {
    seen: Mutex<HashMap<String, Timestamp>>,
}

impl Nonces {
    /// Whether the nonce is new; it is not from then on.
    pub fn is_new(&self, nonce: &str, window: SignedDuration, now: Timestamp) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > 10_000 {
            seen.retain(|_, at| now.duration_since(*at) <= window);
        }
        let before = seen.insert(nonce.to_owned(), now);
        before.is_none_or(|at| now.duration_since(at) > window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_its_quota_only() {
        let throttle = Throttle::default();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let admitted = (0..5).filter(|_| throttle.admits("DescribeTask", 2, now)).count();
        assert_eq!(admitted, 2);
        let next = now + SignedDuration::from_secs(1);
        assert!(throttle.admits("DescribeTask", 2, next));
    }

    #[test]
    fn a_nonce_is_new_once() {
        let nonces = Nonces::default();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let window = SignedDuration::from_secs(900);
        assert!(nonces.is_new("a", window, now));
        assert!(!nonces.is_new("a", window, now));
        assert!(nonces.is_new("a", window, now + SignedDuration::from_secs(901)));
    }
}
