//! The tallies of tasks that are no longer known, so that one that comes back is not counted again.
//!
//! Bounded in number and age. What is let go of is told, so that whoever decides what is ours to count knows from when on
//! the memory is whole.

use super::name::Name;
use super::tally::Tally;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A tally is kept for so long after its task was last read.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// At most so many are kept: some tens of megabytes.
const MOST: usize = 100_000;

/// Tallies by the names of their tasks.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    tallies: BTreeMap<Name, Tally>,
    by_age: BTreeSet<(Timestamp, Name)>,
}

impl Forgotten {
    pub(super) fn put(&mut self, name: Name, tally: Tally) {
        self.by_age.insert((tally.read, Name::clone(&name)));
        if let Some(before) = self.tallies.insert(Name::clone(&name), tally).map(|before| before.read)
            && self.tallies.get(&name).is_some_and(|tally| tally.read != before)
        {
            self.by_age.remove(&(before, name));
        }
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Tally> {
        self.tallies.get(name)
    }

    pub(super) fn take(&mut self, name: &Name) -> Option<Tally> {
        let tally = self.tallies.remove(name)?;
        self.by_age.remove(&(tally.read, Name::clone(name)));
        Some(tally)
    }

    /// Lets go of one that is too old or one too many: its name and when its task was last read. To be called until there
    /// is none.
    pub(super) fn let_go(&mut self, now: Timestamp) -> Option<(Name, Timestamp)> {
        let (read, name) = self.by_age.first()?;
        if self.tallies.len() <= MOST && now.duration_since(*read) < KEPT {
            return None;
        }
        let (read, name) = (*read, Name::clone(name));
        self.take(&name);
        Some((name, read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Fleet, Group};
    use crate::model::{AccountKey, Labels, Provider, Target, TaskKey};
    use crate::store::tally::Counter;
    use crate::store::tests::task;
    use std::sync::Arc;
    use std::time::Duration;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn tally(hours: i64) -> Tally {
        let key =
            TaskKey { account: AccountKey { provider: Provider::new("x"), account: "a".into() }, task_id: "t".into() };
        let target = Target {
            key,
            cloud_region: "r".into(),
            group: "g".into(),
            labels: Arc::new(Labels::new()),
            interval: Duration::from_secs(1),
        };
        let mut fleet = Fleet::default();
        let mut counter = Counter { fleet: &mut fleet, group: Group::from(&target), began: at(0), counted: false };
        Tally::advance(None, &task(crate::model::Phase::Running, 0, None), at(hours), &mut counter)
    }

    #[test]
    fn what_is_too_old_goes_oldest_first() {
        let mut forgotten = Forgotten::default();
        for (name, hours) in [("a", 5), ("b", 1), ("c", 900), ("b", 2)] {
            forgotten.put(name.into(), tally(hours));
        }
        assert_eq!(forgotten.let_go(at(700)), None);
        assert_eq!(forgotten.let_go(at(730)), Some(("b".into(), at(2))));
        assert_eq!(forgotten.let_go(at(730)), Some(("a".into(), at(5))));
        assert_eq!(forgotten.let_go(at(730)), None);
        assert!(forgotten.take(&"c".into()).is_some() && forgotten.take(&"c".into()).is_none());
        assert_eq!(forgotten.let_go(at(100_000)), None);
    }

    #[test]
    fn one_too_many_goes() {
        let mut forgotten = Forgotten::default();
        for number in 0..=MOST {
            forgotten.put(number.to_string().into(), tally(1));
        }
        assert!(forgotten.let_go(at(1)).is_some() && forgotten.let_go(at(1)).is_none());
    }
}
