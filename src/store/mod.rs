//! What is known now: the last good answer of every task, how polling it goes, and which finishes were counted.
//!
//! One writer per task (its poll), any number of readers; the lock is held for moments and never while anything waits. It
//! asks no cloud and reads no clock. What must outlive the process goes to the state file (`state/`), never under the lock.

mod changes;
mod entry;
mod forgotten;
mod name;
mod overview;
mod reload;
mod saved;
mod state;
mod tally;
#[cfg(test)]
mod tests;

use crate::metrics::{Fleet, Group, Own, Series, Snapshot};
use crate::model::{AccountKey, Reading, Reason, Target, Task, TaskKey};
use changes::Changes;
use entry::{Entry, Found};
use forgotten::Forgotten;
use jiff::Timestamp;
use name::Name;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

pub use overview::{AccountRow, TaskRow};
pub use saved::Saved;
pub use state::{Keeper, StateError, StateFile};

/// The rules the store keeps to; from the config.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A task without a good answer for so long loses its state series.
    pub stale_after: Duration,
    /// A new id that reads as "not found" is no failure for so long.
    pub not_found_grace: Duration,
    /// How often a finished task is looked at again; zero for never.
    pub final_recheck: Duration,
    /// Whether to export the histograms of instances.
    pub instance_histograms: bool,
    /// When there would be more series of single tasks than this, a new task is left out: first come, first kept. A task is
    /// new until its first good answer is shown, and then stays, so that the limit is passed by no more than what the
    /// tasks that are shown grow by, some fifty series each at the most. One that was left out comes in at its
    /// next poll that finds room. Counts over groups of tasks leave out none.
    pub series_limit: usize,
}

/// How a poll failed, as far as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// The whole chain of causes, on one line.
    pub message: Box<str>,
}

/// What a poll changed, for the one who logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing to speak of.
    None,
    /// Polls of this task failed until now, and this one did not.
    Recovered,
    /// Polls of this task did not fail, or failed for another reason, until now.
    Broke,
    /// The id is new, and new ids may read as "not found".
    NotYetFound,
    /// The task and its so many series are left out of the export: there are too many.
    LeftOut(usize),
}

impl Change {
    /// Whether a poll that failed is not to be counted as a failure.
    pub const fn is_excused(self) -> bool {
        matches!(self, Self::NotYetFound)
    }
}

/// Everything that is known of the tasks.
#[derive(Debug)]
pub struct Store {
    own: Arc<Own>,
    known: RwLock<Known>,
}

#[derive(Debug)]
struct Known {
    rules: Rules,
    tasks: BTreeMap<TaskKey, Entry>,
    fleet: Fleet,
    /// The groups the config names.
    groups: BTreeSet<Group>,
    accounts: BTreeMap<AccountKey, Account>,
    /// Those of single tasks that are kept: what is too old to show keeps its place.
    series: usize,
    /// Every account there was had been polled at some time: accounts that came later are not waited for.
    was_ready: bool,
    /// Of a task that was never read before, what ended earlier than this is not ours to count.
    began: Timestamp,
    forgotten: Forgotten,
    notes: BTreeMap<Name, Arc<str>>,
    /// What a state file held and nobody has named yet.
    saved: Saved,
    /// None without a state file.
    changes: Option<Changes>,
}

#[derive(Debug)]
struct Account {
    cloud_region: Arc<str>,
    polled: bool,
    problem: Option<(Timestamp, Failure)>,
}

impl Store {
    /// An empty store of an exporter that begins now and keeps no state file.
    pub fn new(rules: Rules, own: Arc<Own>, now: Timestamp) -> Self {
        Self { own, known: RwLock::new(Known::new(rules, now)) }
    }

    /// Makes an account known, or says in which region it is now.
    pub fn add_account(&self, account: &AccountKey, cloud_region: &Arc<str>) {
        self.own.add_account(account);
        let new = || Account { cloud_region: Arc::clone(cloud_region), polled: false, problem: None };
        self.write().accounts.entry(account.clone()).or_insert_with(new).cloud_region = Arc::clone(cloud_region);
    }

    /// Makes the group of a target known, so that its counters are there from zero.
    pub fn add_group(&self, target: &Target) {
        self.write().add_group(Group::from(target));
    }

    /// Makes a task known. Whether it was new; one that is known already stays as it is.
    pub fn add(&self, target: &Arc<Target>) -> bool {
        let mut known = self.write();
        known.add_group(Group::from(&**target));
        if known.tasks.contains_key(&target.key) {
            return false;
        }
        let entry = known.entry(target);
        known.series += entry.series();
        known.tasks.insert(target.key.clone(), entry);
        true
    }

    /// A list of the finder at that place of its account's named these tasks, all of them its own.
    pub fn listed<'a>(&self, place: usize, keys: impl IntoIterator<Item = &'a TaskKey>, at: Timestamp) {
        let mut guard = self.write();
        let known = &mut *guard;
        for key in keys {
            let Some(entry) = known.tasks.get_mut(key) else { continue };
            let found = Some(Found { finder: place, group: (&*entry.target().group).into(), listed: at });
            if entry.standing().found == found {
                continue;
            }
            entry.standing_mut().found = found;
            if let Some(changes) = &mut known.changes {
                changes.polled(key, false);
            }
        }
    }

    /// Forgets a task and its series. The counters keep what it did, and what of it was counted is remembered.
    pub fn remove(&self, key: &TaskKey) {
        let mut known = self.write();
        if let Some(entry) = known.tasks.remove(key) {
            known.series -= entry.series();
            known.forget(name::of_task(key), entry.standing().tally.clone());
        }
    }

    /// The target of a task as it is polled now.
    pub fn target(&self, key: &TaskKey) -> Option<Arc<Target>> {
        self.read().tasks.get(key).map(|entry| Arc::clone(entry.target()))
    }

    /// The last good answer of a task, if it has one. None for a target that is not to be polled: it was removed, or
    /// replaced.
    pub fn last_good(&self, target: &Arc<Target>) -> Option<Option<Arc<Task>>> {
        let known = self.read();
        known.tasks.get(&target.key).filter(|entry| entry.is_of(target)).map(Entry::task)
    }

    /// How long until the task is asked for again; none for never.
    pub fn period(&self, target: &Target) -> Option<Duration> {
        let known = self.read();
        known.tasks.get(&target.key).and_then(|entry| entry.period(&known.rules))
    }

    /// Takes in how a poll of a task went.
    pub fn record(&self, key: &TaskKey, result: Result<Reading, Failure>, now: Timestamp) -> Change {
        let mut guard = self.write();
        let known = &mut *guard;
        let Some(entry) = known.tasks.get_mut(key) else { return Change::None };
        let problem = match &result {
            Ok(_) => Some(None),
            // A task that is not there says nothing about the account.
            Err(failure) if failure.reason == Reason::NotFound => None,
            Err(failure) => Some(Some((now, failure.clone()))),
        };
        if let Some(account) = known.accounts.get_mut(&key.account) {
            account.polled = true;
            account.problem = problem.unwrap_or_else(|| account.problem.take());
        }
        let (before, task_before) = (entry.series(), entry.task());
        let room = known.rules.series_limit.saturating_sub(known.series);
        let change = match result {
            Ok(reading) => {
                let counted = entry.count(&reading.task, &mut known.fleet, known.began, now);
                if let Some(changes) = known.changes.as_mut().filter(|_| counted) {
                    changes.group(Group::from(&**entry.target()));
                }
                entry.succeeded(reading.task, &known.rules, room, now)
            }
            Err(failure) => entry.failed(failure, &known.rules, room, now),
        };
        if let Some(changes) = &mut known.changes {
            let same = entry.task().as_ref().map(Arc::as_ptr) == task_before.as_ref().map(Arc::as_ptr);
            changes.polled(key, !same);
        }
        known.series = known.series + entry.series() - before;
        known.let_go(now);
        if let Change::LeftOut(series) = change {
            self.own.series_dropped(series);
        }
        known.note_readiness();
        change
    }

    /// An account's list of tasks was read, or could not be.
    pub fn record_list(&self, account: &AccountKey, failure: Option<Failure>, now: Timestamp) {
        let mut known = self.write();
        if let Some(account) = known.accounts.get_mut(account) {
            account.polled = true;
            account.problem = failure.map(|failure| (now, failure));
        }
        known.note_readiness();
    }

    /// Everything a scrape shows, but for the exporter's own families.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let known = self.read();
        let mut census = known.fleet.census();
        let mut tasks: Vec<Series> = Vec::with_capacity(known.tasks.len());
        let mut series = 0;
        for entry in known.tasks.values() {
            if let Some(phase) = entry.shown_phase(&known.rules, now) {
                census.count(Group::from(&**entry.target()), phase);
            }
            let shown = entry.shown(&known.rules, now);
            series += shown.count();
            tasks.push(shown);
        }
        self.own.set_series(series, known.rules.series_limit);
        Snapshot { tasks, fleet: known.fleet.clone(), census, own: Vec::new() }
    }

    /// The accounts that have not been polled yet; none any more once all had been.
    pub fn pending_accounts(&self) -> Vec<AccountKey> {
        let known = self.read();
        if known.was_ready {
            return Vec::new();
        }
        known.accounts.iter().filter(|(_, account)| !account.polled).map(|(key, _)| key.clone()).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Nothing is known by an exporter that begins at that time.
    fn new(rules: Rules, began: Timestamp) -> Self {
        Self {
            rules,
            tasks: BTreeMap::new(),
            fleet: Fleet::default(),
            groups: BTreeSet::new(),
            accounts: BTreeMap::new(),
            series: 0,
            was_ready: false,
            began,
            forgotten: Forgotten::default(),
            notes: BTreeMap::new(),
            saved: Saved::default(),
            changes: None,
        }
    }

    fn note_readiness(&mut self) {
        let all_polled = !self.accounts.is_empty() && self.accounts.values().all(|account| account.polled);
        self.was_ready |= all_polled;
    }
}
