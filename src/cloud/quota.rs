//! How fast an account may ask: one pace per API, one brake for the account.
//!
//! Requests of one API are spread evenly at its rate, so that a quota counted per second is never met with a burst. An
//! answer that asks for fewer requests stops the whole account for a while and halves its pace; good answers bring the
//! pace back step by step.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The pace never falls below this share of the quota.
const SLOWEST: f64 = 1.0 / 16.0;
/// How much of the full pace one good answer gives back.
const RECOVERY: f64 = 0.02;
/// The first pause after a throttle without an instruction; doubled each time until a good answer.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// No wish of a cloud stops an account for longer.
const LONGEST_WISH: Duration = Duration::from_mins(10);

/// The quota of one account.
#[derive(Debug)]
pub(super) struct Quota {
    limit: Option<f64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: HashMap<&'static str, Instant>,
    share: f64,
    paused_until: Option<Instant>,
    throttles_in_a_row: u32,
}

impl Quota {
    /// `limit`: the user's requests per second for each API, in place of the vendor's documented rate.
    pub(super) fn new(limit: Option<f64>) -> Self {
        Self {
            limit,
            state: Mutex::new(State { next: HashMap::new(), share: 1.0, paused_until: None, throttles_in_a_row: 0 }),
        }
    }

    /// Requests per second for an API whose documented rate is `documented`.
    pub(super) fn rate(&self, documented: f64) -> f64 {
        self.limit.unwrap_or(documented)
    }

    /// Waits for the API's turn. Returns how long it waited; zero if its turn had come.
    pub(super) async fn acquire(&self, api: &'static str, documented: f64) -> Duration {
        let mut waited = Duration::ZERO;
        loop {
            let now = Instant::now();
            let turn = self.reserve(api, self.rate(documented), now);
            if turn > now {
                sleep_until(turn).await;
                waited += now.elapsed();
            }
            // A throttle that came while we waited makes our place in the queue void.
            if !self.is_paused(Instant::now()) {
                return waited;
            }
        }
    }

    /// Takes note of a throttle. Returns how long the account pauses.
    pub(super) fn throttled(&self, now: Instant, asked_for: Option<Duration>, jitter: f64) -> Duration {
        let mut state = self.state();
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            // Several requests were under way; the brake is already on.
            return until - now;
        }
        let doubled = FIRST_PAUSE.saturating_mul(1 << state.throttles_in_a_row.min(16));
        let wish = asked_for.map(|wish| wish.min(LONGEST_WISH));
        let pause = wish.unwrap_or_else(|| doubled.min(LONGEST_PAUSE).mul_f64(0.5 + jitter / 2.0));
        let until = now + pause;
        state.throttles_in_a_row = state.throttles_in_a_row.saturating_add(1);
        state.share = (state.share / 2.0).max(SLOWEST);
        state.paused_until = Some(until);
        state.next.values_mut().for_each(|next| *next = until);
        pause
    }

    /// Takes note of a good answer.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.throttles_in_a_row = 0;
        state.share = (state.share + RECOVERY).min(1.0);
    }

    /// The API's next free instant, which is then taken.
    fn reserve(&self, api: &'static str, rate: f64, now: Instant) -> Instant {
        let mut state = self.state();
        let earliest = state.paused_until.map_or(now, |until| until.max(now));
        let space = Duration::from_secs_f64(1.0 / (rate * state.share));
        let next = state.next.entry(api).or_insert(earliest);
        let turn = (*next).max(earliest);
        *next = turn + space;
        turn
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.state().paused_until.is_some_and(|until| until > now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_evenly() {
        let quota = Quota::new(None);
        let start = Instant::now();
        assert_eq!(quota.acquire("DescribeTask", 2.0).await, Duration::ZERO);
        for _ in 0..4 {
            assert_eq!(quota.acquire("DescribeTask", 2.0).await.as_millis(), 500);
        }
        assert_eq!(start.elapsed().as_millis(), 2_000);
    }

    #[tokio::test(start_paused = true)]
    async fn each_api_has_its_own_pace_and_the_users_limit_wins() {
        let quota = Quota::new(Some(10.0));
        let start = Instant::now();
        for api in ["DescribeTask", "DescribeJob"] {
            quota.acquire(api, 2.0).await;
            quota.acquire(api, 2.0).await;
        }
        assert_eq!(start.elapsed().as_millis(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_stops_every_api_and_halves_the_pace() {
        let quota = Quota::new(None);
        quota.acquire("DescribeTask", 2.0).await;
        let start = Instant::now();
        let pause = quota.throttled(start, Some(Duration::from_secs(3)), 0.0);
        assert_eq!(pause, Duration::from_secs(3));
        assert_eq!(Quota::new(None).throttled(start, Some(Duration::MAX), 0.0), LONGEST_WISH);
        // A second one from the same volley does not slow us twice.
        quota.throttled(start, Some(Duration::from_secs(9)), 0.0);
        quota.acquire("DescribeJob", 2.0).await;
        quota.acquire("DescribeJob", 2.0).await;
        assert_eq!(start.elapsed().as_millis(), 4_000);
    }

    #[tokio::test(start_paused = true)]
    async fn good_answers_bring_the_pace_back() {
        let quota = Quota::new(None);
        quota.throttled(Instant::now(), None, 1.0);
        for _ in 0..25 {
            quota.succeeded();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        quota.acquire("DescribeTask", 2.0).await;
        quota.acquire("DescribeTask", 2.0).await;
        assert_eq!(start.elapsed().as_millis(), 500);
    }
}
