//! What changed since the state file was last written: names while it waits, values when it is taken to be written.
//!
//! Without a state file nothing is gathered.

use super::entry::{Entry, Standing};
use super::name::{self, Name};
use super::tally::Tally;
use super::{Known, Store};
use crate::metrics::{Counts, Group};
use crate::model::{AccountKey, Memory, Task, TaskKey};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

/// A kind of thing in the state file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Meta,
    Group,
    Task,
    Standing,
    Forgotten,
    Note,
}

/// What is to be written, by name.
#[derive(Debug, Default)]
pub(super) struct Changes {
    began: bool,
    /// To be taken out, before anything is put in.
    dropped: HashSet<(Kind, Name)>,
    groups: HashSet<Group>,
    tasks: HashSet<TaskKey>,
    standings: HashSet<TaskKey>,
    forgotten: HashSet<Name>,
    notes: HashSet<Name>,
}

/// What is to be written, with the values of one instant.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) began: Option<Timestamp>,
    pub(super) dropped: HashSet<(Kind, Name)>,
    pub(super) groups: Vec<(Group, Counts)>,
    pub(super) tasks: Vec<(TaskKey, Arc<Task>)>,
    pub(super) standings: Vec<(TaskKey, Standing)>,
    pub(super) forgotten: Vec<(Name, Tally)>,
    pub(super) notes: Vec<(Name, Arc<str>)>,
}

impl Store {
    /// What changed since this was last called, as it is now; none for nothing.
    pub(super) fn take_changes(&self) -> Option<Batch> {
        let mut known = self.write();
        let changes = known.changes.as_mut().filter(|changes| !changes.is_empty()).map(std::mem::take)?;
        Some(known.values_of(changes))
    }

    /// What was taken could not be written: it is to be written with the next.
    pub(super) fn put_back(&self, batch: Batch) {
        if let Some(changes) = &mut self.write().changes {
            changes.began |= batch.began.is_some();
            changes.dropped.extend(batch.dropped);
            changes.groups.extend(batch.groups.into_iter().map(|(group, _)| group));
            changes.tasks.extend(batch.tasks.into_iter().map(|(key, _)| key));
            changes.standings.extend(batch.standings.into_iter().map(|(key, _)| key));
            changes.forgotten.extend(batch.forgotten.into_iter().map(|(name, _)| name));
            changes.notes.extend(batch.notes.into_iter().map(|(name, _)| name));
        }
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        let Self { began, dropped, groups, tasks, standings, forgotten, notes } = self;
        let sets = [dropped.len(), groups.len(), tasks.len(), standings.len(), forgotten.len(), notes.len()];
        !began && sets.into_iter().all(|len| len == 0)
    }

    /// A group counted something.
    pub(super) fn group(&mut self, group: Group) {
        self.groups.insert(group);
    }

    /// A task was asked for. `is_new`: whether its cloud said something new.
    pub(super) fn polled(&mut self, key: &TaskKey, is_new: bool) {
        if is_new {
            self.tasks.insert(key.clone());
        }
        self.standings.insert(key.clone());
    }

    /// Something is gone.
    pub(super) fn dropped(&mut self, kind: Kind, name: Name) {
        self.dropped.insert((kind, name));
    }
}

impl Known {
    /// Keeps the tally of a task that is no longer known, and nothing else of it.
    pub(super) fn forget(&mut self, name: Name, tally: Option<Tally>) {
        if let Some(changes) = &mut self.changes {
            changes.dropped(Kind::Task, Name::clone(&name));
            changes.dropped(Kind::Standing, Name::clone(&name));
            if tally.is_some() {
                changes.forgotten.insert(Name::clone(&name));
            }
        }
        if let Some(tally) = tally {
            self.forgotten.put(name, tally);
        }
    }

    /// Brings a task back that was forgotten, as far as counting goes.
    pub(super) fn remember(&mut self, key: &TaskKey, entry: &mut Entry) {
        let name = name::of_task(key);
        let Some(tally) = self.forgotten.take(&name) else { return };
        entry.standing_mut().tally = Some(tally);
        if let Some(changes) = &mut self.changes {
            changes.dropped(Kind::Forgotten, name);
            changes.polled(key, false);
        }
    }

    /// Lets go of tallies that are too old or too many. What ended before the last of them is not ours to count from then
    /// on: it may have been counted.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        while let Some((name, read)) = self.forgotten.let_go(now) {
            self.began = self.began.max(read);
            if let Some(changes) = &mut self.changes {
                changes.began = true;
                changes.dropped(Kind::Forgotten, name);
            }
        }
    }

    fn values_of(&self, changes: Changes) -> Batch {
        let Changes { began, dropped, groups, tasks, standings, forgotten, notes } = changes;
        let entry = |key: &TaskKey| self.tasks.get(key);
        // What is gone by now is among the dropped.
        Batch {
            began: began.then_some(self.began),
            dropped,
            groups: with_values(groups, |group| self.fleet.counts(group).cloned()),
            tasks: with_values(tasks, |key| entry(key)?.task()),
            standings: with_values(standings, |key| Some(entry(key)?.standing().clone())),
            forgotten: with_values(forgotten, |name| self.forgotten.get(name).cloned()),
            notes: with_values(notes, |name| self.notes.get(name).cloned()),
        }
    }
}

fn with_values<K, V>(keys: HashSet<K>, value: impl Fn(&K) -> Option<V>) -> Vec<(K, V)> {
    keys.into_iter().filter_map(|key| value(&key).map(|value| (key, value))).collect()
}

impl Memory for Store {
    fn recall(&self, account: &AccountKey, name: &str) -> Option<Arc<str>> {
        self.read().notes.get(&name::of_account(account, name)).cloned()
    }

    fn remember(&self, account: &AccountKey, name: &str, value: &str) {
        let name = name::of_account(account, name);
        let mut known = self.write();
        if let Some(changes) = &mut known.changes {
            changes.notes.insert(Name::clone(&name));
        }
        known.notes.insert(name, value.into());
    }
}
