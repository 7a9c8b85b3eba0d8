//! What is known, row by row, for a page: copied out under the lock, judged by the same rules as the export.

use super::{Failure, Store};
use crate::model::{AccountKey, Phase, Target, Task};
use jiff::Timestamp;
use std::sync::Arc;

/// A task as it is known.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Which task, and what the config says of it.
    pub target: Arc<Target>,
    /// The last good answer.
    pub task: Option<Arc<Task>>,
    /// When that was.
    pub last_success: Option<Timestamp>,
    /// Why the last poll failed, if it did.
    pub failure: Option<Failure>,
    /// Whether the last good answer is too old to show.
    pub is_stale: bool,
}

/// An account as it is known.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Which account.
    pub key: AccountKey,
    /// The cloud's region.
    pub cloud_region: Arc<str>,
    /// How many tasks it has.
    pub tasks: usize,
    /// Whether it has been polled at all.
    pub polled: bool,
    /// Its last failed poll, unless a good one came after it.
    pub problem: Option<(Timestamp, Failure)>,
}

impl TaskRow {
    /// The phase that is exported.
    pub fn shown_phase(&self) -> Option<Phase> {
        self.task.as_ref().filter(|_| !self.is_stale).map(|task| task.phase)
    }
}

impl Store {
    /// Every task, in the order of the export.
    pub fn tasks(&self, now: Timestamp) -> Vec<TaskRow> {
        let known = self.read();
        known.tasks.values().map(|entry| entry.row(&known.rules, now)).collect()
    }

    /// Every account.
    pub fn accounts(&self) -> Vec<AccountRow> {
        let known = self.read();
        let rows = known.accounts.iter().map(|(key, account)| AccountRow {
            key: key.clone(),
            cloud_region: Arc::clone(&account.cloud_region),
            tasks: known.of_account(key).count(),
            polled: account.polled,
            problem: account.problem.clone(),
        });
        rows.collect()
    }
}
