//! Whether and when one request is sent again within its poll: a pure rule.
//!
//! Everything that does not get better within seconds waits for the task's next poll.

use super::{Error, Retry};
use std::time::Duration;

/// How often a request is sent at the most.
const ATTEMPTS: u32 = 4;
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// The pause before attempt number `attempt + 2`, or none to give up. `throttle`: how long the account pauses; `left`: the
/// time to the deadline; `jitter` is in `[0, 1)`.
pub(super) fn pause(
    attempt: u32,
    error: &Error,
    throttle: Option<Duration>,
    left: Duration,
    jitter: f64,
) -> Option<Duration> {
    let pause = match error.retry() {
        Retry::Never => return None,
        Retry::Resigned if attempt > 0 => return None,
        Retry::Resigned => Duration::ZERO,
        Retry::Later if attempt + 1 >= ATTEMPTS => return None,
        Retry::Later => {
            let backoff = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
            let own = backoff.mul_f64(0.5 + jitter / 2.0);
            own.max(throttle.or(error.retry_after()).unwrap_or_default())
        }
    };
    (pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    const LEFT: Duration = Duration::from_secs(30);

    #[test]
    fn transport_is_tried_again_with_growing_pauses() {
        let error = Error::new(Reason::Transport, "reset");
        let pauses: Vec<_> = (0..4).map(|attempt| pause(attempt, &error, None, LEFT, 1.0)).collect();
        let millis: Vec<_> = pauses.iter().map(|pause| pause.map(|pause| pause.as_millis())).collect();
        assert_eq!(millis, [Some(250), Some(500), Some(1000), None]);
    }

    #[test]
    fn a_refusal_is_final_and_a_new_signature_is_tried_once() {
        let denied = Error::new(Reason::Denied, "no");
        assert_eq!(pause(0, &denied, None, LEFT, 0.5), None);
        let clock = denied.with_retry(Retry::Resigned);
        assert_eq!(pause(0, &clock, None, LEFT, 0.5), Some(Duration::ZERO));
        assert_eq!(pause(1, &clock, None, LEFT, 0.5), None);
    }

    #[test]
    fn a_throttle_is_waited_out_only_within_the_deadline() {
        let throttled = Error::new(Reason::Throttled, "slow down");
        let seconds = Duration::from_secs;
        assert_eq!(pause(0, &throttled, Some(seconds(9)), LEFT, 0.0), Some(seconds(9)));
        assert_eq!(pause(0, &throttled, Some(seconds(60)), LEFT, 0.0), None);
    }

    #[test]
    fn a_servers_own_wish_is_honoured() {
        let error = Error::new(Reason::Transport, "503").with_retry_after(Some(Duration::from_secs(2)));
        assert_eq!(pause(0, &error, None, LEFT, 0.0), Some(Duration::from_secs(2)));
    }
}
