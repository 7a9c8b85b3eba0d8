//! What an account's loop logs: each change once, never each poll.
//!
//! A reason that concerns the whole account (no network, refused key, throttled) is one line for the account and not one
//! for each of its tasks.

use crate::model::{AccountKey, Reason, TaskKey};
use crate::store::{Change, Failure};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// At most so many different unknown words are logged.
const MAX_WORDS: usize = 100;

/// Trouble of an account is over when nothing failed for so long: one line, not two for each flicker.
const CALM: Duration = Duration::from_mins(1);

/// The log of one account.
#[derive(Debug)]
pub(super) struct Journal {
    account: AccountKey,
    /// What is wrong with the account, and when it last showed.
    trouble: Option<(Reason, Instant)>,
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
        let before = self.trouble.replace((failure.reason, Instant::now()));
        if before.map(|(reason, _)| reason) != Some(failure.reason) {
            let AccountKey { provider, account } = &self.account;
            let reason = failure.reason.as_str();
            warn!(%provider, account = %account, reason, error = %failure.message, "polling an account fails");
        }
    }

    fn over(&mut self) {
        if self.trouble.is_some_and(|(_, last)| last.elapsed() >= CALM) {
            self.trouble = None;
            let AccountKey { provider, account } = &self.account;
            info!(%provider, account = %account, "polling an account works again");
        }
    }
}

/// Whether other tasks of the account meet the same.
const fn concerns_account(reason: Reason) -> bool {
    matches!(reason, Reason::Timeout | Reason::Transport | Reason::Throttled | Reason::Denied)
}
