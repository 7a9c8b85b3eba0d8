//! When to ask: what is due next, spread over time, which tasks there are to ask for, and how much that is to ask.
//!
//! It knows the words of the model only: it sends nothing, and `now` is an argument.

mod demand;
mod discovery;
mod lag;
mod queue;

pub use demand::Demand;
pub use discovery::{Discovery, Update};
pub use lag::Lag;
pub use queue::Queue;

use std::time::Duration;
use tokio::time::Instant;

/// First polls are spread over so long at the most: a fleet does not start with a volley, and nobody waits an hour for a
/// first answer.
const FIRST_SPREAD: Duration = Duration::from_secs(30);
/// What begins so late is in time, and keeps its pace.
const PUNCTUAL: Duration = Duration::from_secs(1);

/// When something new is asked for first; `jitter` is in `[0, 1)`.
pub fn first_due(now: Instant, interval: Duration, jitter: f64) -> Instant {
    now + interval.min(FIRST_SPREAD).mul_f64(jitter)
}

/// When something is asked for first that was asked for before a restart and is due so long from now.
pub fn resumed_due(now: Instant, wait: Duration, interval: Duration, jitter: f64) -> Instant {
    if wait.is_zero() { first_due(now, interval, jitter) } else { now + wait }
}

/// What the next turn of something counts from that was due at `due` and begins now: that, or now where it is long past.
/// After a stop of the process nothing is asked for twice in a row.
pub fn counts_from(due: Instant, now: Instant) -> Instant {
    if now.saturating_duration_since(due) > PUNCTUAL { now } else { due }
}

/// When something is asked for next whose turn counts from `due`: at its own pace, without catching up on what was missed.
pub fn next_due(due: Instant, period: Duration, now: Instant) -> Instant {
    (due + period).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_polls_are_spread_over_the_interval_but_not_for_long() {
        let now = Instant::now();
        let spread = |seconds| first_due(now, Duration::from_secs(seconds), 0.5) - now;
        assert_eq!(spread(10), Duration::from_secs(5));
        assert_eq!(spread(3600), Duration::from_secs(15));
    }

    #[test]
    fn after_a_restart_what_is_due_later_keeps_its_time_and_what_is_late_is_spread() {
        let now = Instant::now();
        let wait = |minutes| resumed_due(now, Duration::from_mins(minutes), Duration::from_secs(10), 0.5) - now;
        assert_eq!(wait(50), Duration::from_mins(50));
        assert_eq!(wait(0), Duration::from_secs(5));
    }

    #[test]
    fn what_begins_late_has_its_next_turn_later() {
        let due = Instant::now();
        for (late, expected) in [(0, 0), (1000, 0), (1001, 1001), (60_000, 60_000)] {
            let now = due + Duration::from_millis(late);
            assert_eq!(counts_from(due, now), due + Duration::from_millis(expected), "{late} ms late");
        }
    }

    #[test]
    fn a_late_poll_does_not_bring_two_in_a_row() {
        let due = Instant::now();
        let period = Duration::from_secs(30);
        assert_eq!(next_due(due, period, due + Duration::from_secs(1)), due + period);
        assert_eq!(next_due(due, period, due + Duration::from_secs(95)), due + Duration::from_secs(95));
    }
}
