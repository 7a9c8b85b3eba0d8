//! One request for what many polls wait for: they share its outcome, good or bad.
//!
//! It knows neither what is asked for nor where it is kept.

use crate::cloud::Error;
use crate::model::Reason;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A failure counts so long for everybody who asks: a wrong project or a dead IAM is not asked by every poll anew.
const FAILURE_COUNTS: Duration = Duration::from_secs(30);

/// The turnstile before one thing to be fetched.
#[derive(Debug, Default)]
pub(in crate::cloud) struct Flight {
    turn: Mutex<Option<Failure>>,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    reason: Reason,
    why: String,
}

impl Flight {
    /// What `held` gives once nobody else is fetching it, else what `fetch` brings.
    ///
    /// # Errors
    /// Why `fetch` failed, just now or a moment ago for somebody else.
    pub(in crate::cloud) async fn share<T>(
        &self,
        held: impl FnOnce() -> Option<T>,
        fetch: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut last = self.turn.lock().await;
        // Whoever was before us may have brought it, or failed.
        if let Some(value) = held() {
            return Ok(value);
        }
        if let Some(failure) = last.as_ref().filter(|failure| failure.at.elapsed() < FAILURE_COUNTS) {
            return Err(failure.error());
        }
        let result = fetch.await;
        *last = result.as_ref().err().map(Failure::of);
        result
    }

    /// The right to fetch for as long as the result is held, unless somebody else is at it.
    pub(in crate::cloud) fn try_turn(&self) -> Option<impl Sized + '_> {
        self.turn.try_lock().ok()
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self { at: Instant::now(), reason: error.reason(), why: crate::cloud::chain(error) }
    }

    fn error(&self) -> Error {
        let message = format!("not asked: it failed {} s ago for another task", self.at.elapsed().as_secs());
        Error::new(self.reason, message).with_source(self.why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn slowly<T>(count: &AtomicUsize, result: Result<T, Error>) -> Result<T, Error> {
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        result
    }

    #[tokio::test(start_paused = true)]
    async fn many_waiters_share_one_success() {
        let (flight, kept, count) = (Flight::default(), OnceLock::new(), AtomicUsize::new(0));
        let asks = (0..50).map(|_| {
            flight.share(|| kept.get().copied(), async {
                let value = slowly(&count, Ok(7)).await?;
                Ok(*kept.get_or_init(|| value))
            })
        });
        assert!(join_all(asks).await.into_iter().all(|result| result.unwrap() == 7));
        assert_eq!(count.into_inner(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_waiters_share_one_failure_which_wears_off() {
        let (flight, count) = (Flight::default(), AtomicUsize::new(0));
        let ask = || flight.share(|| None::<u8>, slowly(&count, Err(Error::new(Reason::Transport, "no answer"))));
        for error in join_all((0..50).map(|_| ask())).await.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.reason(), Reason::Transport);
            assert!(crate::cloud::chain(&error).ends_with("no answer"), "{error}");
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
        tokio::time::sleep(FAILURE_COUNTS).await;
        ask().await.unwrap_err();
        assert_eq!(count.into_inner(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_gives_up_leaves_the_turn_to_the_next() {
        let (flight, count) = (Flight::default(), AtomicUsize::new(0));
        let hurried = tokio::time::timeout(Duration::from_millis(1), flight.share(|| None, slowly(&count, Ok(1))));
        assert!(hurried.await.is_err());
        assert_eq!(flight.share(|| None, slowly(&count, Ok(2))).await.unwrap(), 2);
    }
}
