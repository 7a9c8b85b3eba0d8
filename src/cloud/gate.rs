//! Whether an account's credentials may be used at all: a refused key is not tried again and again.
//!
//! Until a cloud has answered once, and after a refusal, requests go one at a time; a refusal closes the gate for a
//! pause. Huawei locks a key for five minutes after five bad signatures, for every tool that uses it. Where no answer
//! comes at all, those who waited for it take that as theirs: a dead cloud does not hold up an account task by task.

use super::Error;
use crate::model::Reason;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turnstile, OwnedMutexGuard};
use tokio::time::Instant;

/// The gate of one account.
#[derive(Debug)]
pub(super) struct Gate {
    pause: Duration,
    state: Mutex<State>,
    /// Who was refused last, where several ask.
    refused: Mutex<Option<Asker>>,
    turnstile: Arc<Turnstile<()>>,
}

#[derive(Clone, Debug)]
enum State {
    /// No answer yet, or the pause is over: one request at a time. The last one may have got none.
    Untested { unanswered: Option<Unanswered> },
    /// The credentials are good.
    Open,
    /// The credentials were refused, for this reason.
    Closed { until: Instant, why: Arc<str> },
}

/// Who asks for what: an API, and what its secrets differ by.
pub(super) type Asker = (&'static str, String);

/// A request that got no answer.
#[derive(Clone, Debug)]
struct Unanswered {
    at: Instant,
    reason: Reason,
    why: Arc<str>,
}

/// Leave to send one request; hand it back with [`Gate::settle`].
#[derive(Debug)]
pub(super) struct Pass {
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Gate {
    /// A gate that stays closed for `pause` after a refusal.
    pub(super) fn new(pause: Duration) -> Self {
        Self {
            pause,
            state: Mutex::new(State::Untested { unanswered: None }),
            refused: Mutex::default(),
            turnstile: Arc::default(),
        }
    }

    /// Waits for leave to send a request.
    ///
    /// # Errors
    /// [`Reason::Denied`] while the credentials count as refused, or why the request that went first got no answer;
    /// nothing was sent then.
    pub(super) async fn pass(&self) -> Result<Pass, Error> {
        let asked = Instant::now();
        if self.is_open(asked, asked)? {
            return Ok(Pass { _turn: None });
        }
        let turn = Arc::clone(&self.turnstile).lock_owned().await;
        // Whoever was before us may have learnt something.
        let open = self.is_open(asked, Instant::now())?;
        Ok(Pass { _turn: (!open).then_some(turn) })
    }

    /// Takes note of how the request went. Only an answer to who we are opens the gate or closes it: a page of a proxy is
    /// none, and a gateway may ask for fewer requests before it looks at a key.
    pub(super) fn settle(&self, pass: Pass, failure: Option<&Error>) {
        let mut state = self.state();
        match failure {
            // Other keys may do better; if there are none, whoever holds the keys closes the gate.
            Some(error) if error.is_stale_token() => {}
            Some(error) if error.stops_account() => *state = self.closed(error),
            Some(error) if matches!(error.reason(), Reason::Timeout | Reason::Transport) => {
                if let State::Untested { unanswered } = &mut *state {
                    let (reason, why) = (error.reason(), error.to_string().into());
                    *unanswered = Some(Unanswered { at: Instant::now(), reason, why });
                }
            }
            Some(error) if matches!(error.reason(), Reason::Throttled | Reason::Decode) => {}
            _ => *state = State::Open,
        }
        drop(state);
        drop(pass);
    }

    /// Closes the gate: the credentials were refused, and there are no others.
    pub(super) fn close(&self, refusal: &Error) {
        *self.state() = self.closed(refusal);
    }

    /// Opens the gate for one request: there are other credentials now.
    pub(super) fn renew(&self) {
        *self.state() = State::Untested { unanswered: None };
    }

    /// Opens the gate for one request, if others were refused at the same API than who asks now.
    pub(super) fn renew_for(&self, asker: &Asker) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.take_if(|(api, mark)| *api == asker.0 && *mark != asker.1).is_some() {
            self.renew();
        }
    }

    /// Notes who was refused.
    pub(super) fn note_refused(&self, asker: Asker) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(asker);
    }

    fn closed(&self, refusal: &Error) -> State {
        State::Closed { until: Instant::now() + self.pause, why: refusal.to_string().into() }
    }

    /// `asked`: since when the request waits.
    fn is_open(&self, asked: Instant, now: Instant) -> Result<bool, Error> {
        let mut state = self.state();
        match &*state {
            State::Open => Ok(true),
            State::Untested { unanswered: Some(Unanswered { at, reason, why }) } if *at > asked => {
                Err(Error::new(*reason, format!("not asked: the request before it failed ({why})")))
            }
            State::Untested { .. } => Ok(false),
            State::Closed { until, why } if *until > now => Err(self.refusal(*until - now, why)),
            State::Closed { .. } => {
                *state = State::Untested { unanswered: None };
                Ok(false)
            }
        }
    }

    fn refusal(&self, left: Duration, why: &str) -> Error {
        let message = format!(
            "not asked: the cloud refused this account's credentials ({why}); tried once every {:?}, next in {} s",
            self.pause,
            left.as_secs()
        );
        Error::new(Reason::Denied, message)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_mins(5);

    fn refused() -> Error {
        Error::new(Reason::Denied, "bad key").stopping_account()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_goes_alone() {
        let gate = Arc::new(Gate::new(PAUSE));
        let first = gate.pass().await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(1), gate.pass());
        assert!(second.await.is_err(), "a second request went out untested");
        gate.settle(first, None);
        let (_a, _b) = (gate.pass().await.unwrap(), gate.pass().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_lets_one_request_through_per_pause() {
        let gate = Gate::new(PAUSE);
        let mut sent = 0;
        let start = Instant::now();
        while start.elapsed() < PAUSE * 3 {
            if let Ok(pass) = gate.pass().await {
                sent += 1;
                gate.settle(pass, Some(&refused()));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(sent, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_held_against_others() {
        let gate = Gate::new(PAUSE);
        let asker = |api: &'static str, mark: &str| (api, mark.to_owned());
        gate.close(&refused());
        gate.note_refused(asker("AssumeRole", "old"));
        for same in [asker("AssumeRole", "old"), asker("CreateToken", "other")] {
            gate.renew_for(&same);
            assert!(gate.pass().await.is_err(), "{same:?}");
        }
        gate.renew_for(&asker("AssumeRole", "new"));
        let pass = gate.pass().await.unwrap();
        gate.settle(pass, Some(&refused()));
        gate.note_refused(asker("AssumeRole", "new"));
        gate.renew_for(&asker("AssumeRole", "new"));
        assert!(gate.pass().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_waited_for_an_answer_that_did_not_come_are_told_so() {
        let gate = Arc::new(Gate::new(PAUSE));
        let first = gate.pass().await.unwrap();
        let waiting = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            gate.settle(first, Some(&Error::new(Reason::Timeout, "silence")));
        };
        let ((), second) = tokio::join!(waiting, gate.pass());
        assert_eq!(second.unwrap_err().reason(), Reason::Timeout);
        gate.pass().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_and_no_answer_to_the_key_prove_nothing() {
        let gate = Gate::new(PAUSE);
        for reason in [Reason::Timeout, Reason::Transport, Reason::Throttled, Reason::Decode] {
            let pass = gate.pass().await.unwrap();
            gate.settle(pass, Some(&Error::new(reason, "no word about the key")));
        }
        let _alone = gate.pass().await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(1), gate.pass());
        assert!(second.await.is_err());
    }
}
