//! Which tasks of an account are to be polled, and as what: those the config names, then those its finders have found.
//!
//! It decides; the loop and the store do.

use crate::cloud::Finder;
use crate::model::{Target, TaskKey};
use crate::schedule::{Discovery, Update};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The tasks of an account, as its config and its finders have them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    named: HashMap<Arc<str>, Arc<Target>>,
    /// The first of them that has found a task says what the task is polled as.
    finders: Vec<Found>,
    /// Tasks that nothing names any more. A finder that is new may find them again, so they stay until it has told its first
    /// list.
    orphans: HashSet<Arc<str>>,
    /// How many finders there ever were.
    count: usize,
}

/// A finder and the tasks it has found.
#[derive(Debug)]
struct Found {
    finder: Finder,
    /// Tells it from every other finder of the account, also from those that are gone.
    number: usize,
    discovery: Discovery,
    has_listed: bool,
}

/// What a whole list changed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) group: Arc<str>,
    pub(super) update: Update,
    /// Tasks that were kept until this list, and that it does not name either.
    pub(super) released: Vec<Arc<str>>,
}

impl Roster {
    /// Takes in what the config says now; how many finders are new, and how many are gone. A finder that looks for the same
    /// as one before it goes on with what that has found, and, where the cloud `is_kept`, with all it has learnt.
    pub(super) fn replace(
        &mut self,
        named: HashMap<Arc<str>, Arc<Target>>,
        finders: Vec<Finder>,
        is_kept: bool,
    ) -> (usize, usize) {
        self.named = named;
        let mut before = std::mem::take(&mut self.finders);
        let mut added = 0;
        for finder in finders {
            let same = before.iter().position(|found| found.finder.search == finder.search);
            let found = if let Some(found) = same.map(|index| before.remove(index)) {
                let find = if is_kept { Arc::clone(&found.finder.find) } else { Arc::clone(&finder.find) };
                Found { finder: Finder { find, ..finder }, ..found }
            } else {
                added += 1;
                self.count += 1;
                Found::new(finder, self.count)
            };
            self.finders.push(found);
        }
        (added, before.len())
    }

    /// Says which tasks there are, so that those nothing names are kept as long as a new finder may.
    pub(super) fn keep_orphans<'a>(&mut self, tasks: impl Iterator<Item = &'a Arc<str>>) {
        self.orphans.clear();
        if self.awaits_a_list() {
            let unnamed: Vec<Arc<str>> = tasks.filter(|id| self.source(id).is_none()).cloned().collect();
            self.orphans.extend(unnamed);
        }
    }

    /// What a task is to be polled as, if it is to be polled; `before` is what it was.
    pub(super) fn wanted(&self, id: &str, before: Option<&Arc<Target>>) -> Option<Arc<Target>> {
        self.source(id).or_else(|| before.filter(|_| self.orphans.contains(id)).cloned())
    }

    fn source(&self, id: &str) -> Option<Arc<Target>> {
        let found = || self.finders.iter().find(|found| found.discovery.names(id)).map(|found| found.target(id));
        self.named.get(id).cloned().or_else(found)
    }

    /// Takes in a whole list of a finder; none for a finder that is gone.
    pub(super) fn list(&mut self, number: usize, list: Vec<Box<str>>, now: Timestamp) -> Option<Listed> {
        let found = self.finders.iter_mut().find(|found| found.number == number)?;
        found.has_listed = true;
        let update = found.discovery.update(list, now);
        let group = Arc::clone(&found.finder.template.group);
        let released = if self.awaits_a_list() { Vec::new() } else { self.orphans.drain().collect() };
        Some(Listed { group, update, released })
    }

    fn awaits_a_list(&self) -> bool {
        self.finders.iter().any(|found| !found.has_listed)
    }

    /// Forgets a task that was found; whether it was, and is not one the config names.
    pub(super) fn forget(&mut self, id: &str) -> bool {
        if self.named.contains_key(id) {
            return false;
        }
        self.finders.iter_mut().for_each(|found| found.discovery.forget(id));
        self.orphans.remove(id);
        true
    }

    /// The groups of the finders, in the config's order.
    pub(super) fn groups(&self) -> Vec<Arc<str>> {
        self.finders.iter().map(|found| Arc::clone(&found.finder.template.group)).collect()
    }

    /// Takes in a task that the finder of that place had found before a restart.
    pub(super) fn restore(&mut self, place: usize, id: &str, listed: Timestamp) {
        if let Some(found) = self.finders.get_mut(place) {
            found.discovery.restore(id.into(), listed);
        }
    }

    /// The tasks that are polled because a finder has found them: its place, and when its list last named each.
    pub(super) fn found(&self) -> Vec<(usize, TaskKey, Timestamp)> {
        let of_finder = |(place, Found { finder, discovery, .. }): (usize, &Found)| {
            let own = discovery.listed().filter(|(id, _)| self.is_found(place, id));
            let key = |id: &str| TaskKey { task_id: id.into(), ..finder.template.key.clone() };
            own.map(|(id, listed)| (place, key(id), listed)).collect::<Vec<_>>()
        };
        self.finders.iter().enumerate().flat_map(of_finder).collect()
    }

    /// Whether a task is polled because the finder of that place has found it.
    fn is_found(&self, place: usize, id: &str) -> bool {
        !self.named.contains_key(id) && self.finders.iter().position(|found| found.discovery.names(id)) == Some(place)
    }

    /// The place of a finder, and the tasks that its list of that instant named and that are polled because of it.
    pub(super) fn listed_at(&self, number: usize, now: Timestamp) -> Option<(usize, Vec<TaskKey>)> {
        let place = self.finders.iter().position(|found| found.number == number)?;
        let Found { finder, discovery, .. } = self.finders.get(place)?;
        let own = discovery.listed_at(now).filter(|id| self.is_found(place, id));
        let keys = own.map(|id| TaskKey { task_id: id.into(), ..finder.template.key.clone() }).collect();
        Some((place, keys))
    }

    /// The tasks the config names.
    pub(super) fn named(&self) -> impl Iterator<Item = Arc<str>> {
        self.named.keys().cloned()
    }

    /// The numbers of the finders, and how often each is asked.
    pub(super) fn finders(&self) -> Vec<(usize, Duration)> {
        self.finders.iter().map(|found| (found.number, found.finder.template.interval)).collect()
    }

    /// A finder, if it is not gone.
    pub(super) fn finder(&self, number: usize) -> Option<&Finder> {
        self.finders.iter().find(|found| found.number == number).map(|found| &found.finder)
    }
}

impl Found {
    fn new(finder: Finder, number: usize) -> Self {
        Self { discovery: Discovery::new(finder.keep, finder.limit), finder, number, has_listed: false }
    }

    fn target(&self, id: &str) -> Arc<Target> {
        let template = &self.finder.template;
        let key = TaskKey { task_id: id.into(), ..template.key.clone() };
        Arc::new(Target { key, ..template.clone() })
    }
}
