//! What an account's loop logs: each change once, never each poll.
//!
//! A reason that concerns the whole account (no network, refused key, throttled) is one line for the account and not one
//! for each of its tasks; while it lasts, a line now and then says so. How many lines there may be at all is
//! `telemetry`'s to say.

use crate::clock;
use crate::model::{AccountKey, Reason, TaskKey};
use crate::store::{Change, Failure};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// At most so many different unknown words are logged.
const MAX_WORDS: usize = 100;

/// Trouble of an account is over when nothing failed for so long: one line, not two for each flicker.
const CALM: Duration = Duration::from_mins(1);

/// Trouble that lasts is told again so often.
const REMIND: Duration = Duration::from_mins(10);

/// What is wrong with an account.
#[derive(Debug)]
struct Trouble {
    since: Timestamp,
    /// When it last showed, and when it was last told.
    last: Instant,
    told: Instant,
    /// Every reason it had so far: one that comes and goes is told once.
    reasons: BTreeSet<Reason>,
    failed_polls: u64,
}

/// The log of one account.
#[derive(Debug)]
pub(super) struct Journal {
    account: AccountKey,
    trouble: Option<Trouble>,
    words: HashSet<Box<str>>,
}

impl Journal {
    pub(super) fn new(account: AccountKey) -> Self {
        Self { account, trouble: None, words: HashSet::new() }
    }

    /// A poll of a task ended.
    pub(super) fn polled(&mut self, key: &TaskKey, failure: Option<&Failure>, change: Change) {
        match failure {
            None => self.over(),
            Some(failure) if concerns_account(failure.reason) => return self.trouble(failure),
            Some(_) => {}
        }
        let AccountKey { provider, account } = &self.account;
        let task_id = &*key.task_id;
        match (change, failure) {
            (Change::Broke, Some(Failure { reason, message })) => {
                warn!(%provider, account = %account, task_id, reason = reason.as_str(), error = %message, "polling a task fails");
            }
            (Change::Recovered, _) => info!(%provider, account = %account, task_id, "polling a task works again"),
            (Change::LeftOut(series), _) => {
                warn!(%provider, account = %account, task_id, series, "a task is left out of the export: metrics.series_limit is reached");
            }
            _ => {}
        }
    }

    /// A list of tasks was read, or could not be.
    pub(super) fn listed(&mut self, failure: Option<&Failure>) {
        match failure {
            None => self.over(),
            Some(failure) => self.trouble(failure),
        }
    }

    /// A list brought new tasks, or no longer names old ones.
    pub(super) fn discovered(&self, group: &str, added: usize, removed: usize) {
        if added + removed > 0 {
            let AccountKey { provider, account } = &self.account;
            info!(%provider, account = %account, group, added, removed, "the list of tasks changed");
        }
    }

    /// An answer used a word for a state that no table knows.
    pub(super) fn unknown_state(&mut self, key: &TaskKey, state: &str) {
        if self.words.len() < MAX_WORDS && self.words.insert(state.into()) {
            let AccountKey { provider, account } = &self.account;
            warn!(%provider, account = %account, task_id = %key.task_id, state, "an answer has a state this version does not know");
        }
    }

    fn trouble(&mut self, failure: &Failure) {
        let AccountKey { provider, account } = &self.account;
        let Failure { reason, message } = failure;
        let now = Instant::now();
        let trouble = self.trouble.get_or_insert_with(|| Trouble::new(now));
        (trouble.last, trouble.failed_polls) = (now, trouble.failed_polls + 1);
        if trouble.reasons.insert(*reason) {
            trouble.told = now;
            warn!(%provider, account = %account, reason = reason.as_str(), error = %message, "polling an account fails");
        } else if now >= trouble.told + REMIND {
            trouble.told = now;
            let Trouble { since, failed_polls, .. } = trouble;
            warn!(
                %provider, account = %account, reason = reason.as_str(), error = %message, %since, failed_polls,
                "polling an account still fails"
            );
        }
    }

    fn over(&mut self) {
        if let Some(Trouble { since, failed_polls, .. }) =
            self.trouble.take_if(|trouble| trouble.last.elapsed() >= CALM)
        {
            let AccountKey { provider, account } = &self.account;
            info!(%provider, account = %account, %since, failed_polls, "polling an account works again");
        }
    }
}

impl Trouble {
    fn new(now: Instant) -> Self {
        Self { since: clock::now(), last: now, told: now, reasons: BTreeSet::new(), failed_polls: 0 }
    }
}

/// Whether other tasks of the account meet the same.
const fn concerns_account(reason: Reason) -> bool {
    matches!(reason, Reason::Timeout | Reason::Transport | Reason::Throttled | Reason::Denied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Provider;
    use std::sync::{Arc, Mutex};
    use tokio::time::advance;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    /// The messages of events, and the fields of numbers.
    #[derive(Clone, Debug, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl tracing::field::Visit for Line {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            if ["message", "reason", "failed_polls"].contains(&field.name()) {
                self.0 = format!("{} {value:?}", self.0);
            }
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut line = Line(String::new());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }

    impl Lines {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    fn journal() -> (Journal, TaskKey) {
        let account = AccountKey { provider: Provider::new("huawei"), account: "cce".into() };
        (Journal::new(account.clone()), TaskKey { account, task_id: "a".into() })
    }

    fn failure(reason: Reason) -> Failure {
        Failure { reason, message: "x".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_is_down_is_told_at_once_and_then_now_and_again() {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
        let (mut journal, key) = journal();
        for second in 0..3600 {
            let reason = if second % 2 == 0 { Reason::Timeout } else { Reason::Throttled };
            journal.polled(&key, Some(&failure(reason)), Change::Broke);
            advance(Duration::from_secs(1)).await;
        }
        let told = lines.take();
        assert_eq!(told[..2], [" polling an account fails \"timeout\"", " polling an account fails \"throttled\""]);
        assert_eq!(told.len(), 2 + 5, "one every ten minutes: {told:#?}");
        assert!(told[2].starts_with(" polling an account still fails") && told[2].ends_with(" 602"), "{told:#?}");
        journal.polled(&key, None, Change::None);
        assert!(lines.take().is_empty(), "one good poll is no end of it");
        advance(CALM).await;
        journal.polled(&key, None, Change::None);
        assert_eq!(lines.take(), [" polling an account works again 3600"]);
    }
}
