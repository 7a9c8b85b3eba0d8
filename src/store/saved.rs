//! What a state file held when it was opened, and how it comes back: each thing when somebody names it, the rest not at
//! all.

use super::changes::{Changes, Kind};
use super::entry::{Entry, Standing};
use super::forgotten::Forgotten;
use super::name::{self, Name};
use super::tally::Tally;
use super::{Known, Rules, Store};
use crate::metrics::{Counts, Group, Own};
use crate::model::{AccountKey, Target, Task};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// The content of a state file.
#[derive(Debug, Default, PartialEq)]
pub struct Saved {
    /// What ended before is not ours to count.
    pub(super) began: Timestamp,
    pub(super) groups: HashMap<Name, Counts>,
    pub(super) tasks: HashMap<Name, Arc<Task>>,
    pub(super) standings: HashMap<Name, Standing>,
    pub(super) forgotten: Vec<(Name, Tally)>,
    pub(super) notes: BTreeMap<Name, Arc<str>>,
}

impl Store {
    /// The store of an exporter that goes on where a state file says it was. Each task and group comes back when it is
    /// added; see [`settle`](Self::settle) for what is not.
    pub fn restored(rules: Rules, own: Arc<Own>, mut saved: Saved) -> Self {
        let mut forgotten = Forgotten::default();
        saved.forgotten.drain(..).for_each(|(name, tally)| forgotten.put(name, tally));
        let mut known = Known::new(rules, saved.began);
        known.forgotten = forgotten;
        known.notes = std::mem::take(&mut saved.notes);
        known.changes = Some(Changes::default());
        known.saved = saved;
        Self { own, known: RwLock::new(known) }
    }

    /// The tasks that a finder of that group had found, and when a list last named each: those of the finder at a place of
    /// the account's list, or of any. Those that are known by now are left out.
    pub fn found_before(&self, account: &AccountKey, group: &str, place: Option<usize>) -> Vec<(Box<str>, Timestamp)> {
        let known = self.read();
        let found = known.saved.standings.iter().filter_map(|(name, standing)| {
            let found = standing.found.as_ref().filter(|found| &*found.group == group)?;
            place.is_none_or(|place| place == found.finder).then_some((name, found.listed))
        });
        let mut found: Vec<_> =
            found.filter_map(|(name, listed)| Some((name::task_id(name, account)?, listed))).collect();
        found.sort();
        found
    }

    /// All that the config names has been added: what else the state file held is forgotten, but for what of it was
    /// counted.
    pub fn settle(&self) {
        let mut known = self.write();
        let Saved { groups, tasks, standings, .. } = std::mem::take(&mut known.saved);
        if let Some(changes) = &mut known.changes {
            let groups = groups.into_keys().map(|name| (Kind::Group, name));
            for (kind, name) in groups.chain(tasks.into_keys().map(|name| (Kind::Task, name))) {
                changes.dropped(kind, name);
            }
        }
        for (name, standing) in standings {
            known.forget(name, standing.tally);
        }
        known.note_readiness();
    }

    /// How long it is from now until a task is asked for, by what is remembered of it; none for never.
    pub fn wait(&self, target: &Target, now: Timestamp) -> Option<Duration> {
        let known = self.read();
        known.tasks.get(&target.key).and_then(|entry| entry.wait(&known.rules, now))
    }
}

impl Known {
    /// Makes a group known, with what it had counted.
    pub(super) fn add_group(&mut self, group: Group) {
        if self.fleet.has_group(&group) {
            return;
        }
        match self.saved.groups.remove(&name::of_group(&group)) {
            Some(counts) => self.fleet.restore_group(group, counts),
            None => self.fleet.add_group(group),
        }
    }

    /// The entry of a task that is named for the first time since the start: as it stood, if it did.
    pub(super) fn entry(&mut self, target: &Arc<Target>) -> Entry {
        let name = name::of_task(&target.key);
        let Some(standing) = self.saved.standings.remove(&name) else {
            let mut entry = Entry::new(Arc::clone(target));
            self.remember(&target.key, &mut entry);
            return entry;
        };
        if let Some(account) = self.accounts.get_mut(&target.key.account) {
            account.polled |= standing.last_asked.is_some();
        }
        let task = self.saved.tasks.remove(&name);
        let room = self.rules.series_limit.saturating_sub(self.series);
        Entry::restored(Arc::clone(target), (standing, task), &self.rules, room)
    }
}
