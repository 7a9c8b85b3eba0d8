//! Which tasks a finder stands for: what its lists named lately, and what they no longer do.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

/// The tasks one finder has found.
#[derive(Debug)]
pub struct Discovery {
    keep: Duration,
    limit: usize,
    /// When each was last named by a list, and its place in that list.
    listed: HashMap<Box<str>, (Timestamp, usize)>,
}

/// What a new list changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Tasks to poll from now on.
    pub added: Vec<Box<str>>,
    /// Tasks to forget.
    pub removed: Vec<Box<str>>,
}

impl Discovery {
    /// Nothing found yet. A task is forgotten when no list has named it for `keep`; of more than `limit` tasks the ones
    /// named longest ago, and last in their list, are.
    pub fn new(keep: Duration, limit: usize) -> Self {
        Self { keep, limit, listed: HashMap::new() }
    }

    /// Takes in a whole list.
    pub fn update(&mut self, list: Vec<Box<str>>, now: Timestamp) -> Update {
        let mut update = Update::default();
        for (place, id) in list.into_iter().enumerate() {
            if self.listed.insert(id.clone(), (now, place)).is_none() {
                update.added.push(id);
            }
        }
        let removed = self.outdated(now);
        for id in removed {
            self.listed.remove(&id);
            match update.added.iter().position(|added| *added == id) {
                Some(position) => drop(update.added.remove(position)),
                None => update.removed.push(id),
            }
        }
        update.removed.sort();
        update
    }

    /// Whether the task is one of those.
    pub fn names(&self, id: &str) -> bool {
        self.listed.contains_key(id)
    }

    /// Takes in a task that a list had named before a restart.
    pub fn restore(&mut self, id: Box<str>, listed: Timestamp) {
        self.listed.insert(id, (listed, 0));
    }

    /// Each task, and when a list last named it.
    pub fn listed(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.listed.iter().map(|(id, (at, _))| (&**id, *at))
    }

    /// The tasks that were named by the list of that instant.
    pub fn listed_at(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.listed().filter(move |(_, at)| *at == now).map(|(id, _)| id)
    }

    /// Forgets a task, so that it counts as new when it is listed again.
    pub fn forget(&mut self, id: &str) {
        self.listed.remove(id);
    }

    fn outdated(&self, now: Timestamp) -> Vec<Box<str>> {
        let keep = SignedDuration::try_from(self.keep).unwrap_or(SignedDuration::MAX);
        let mut by_age: Vec<(&Box<str>, &(Timestamp, usize))> = self.listed.iter().collect();
        by_age.sort_by_key(|(id, (at, place))| (std::cmp::Reverse(*at), *place, *id));
        let fresh = |at: &Timestamp| now.duration_since(*at) < keep;
        by_age
            .into_iter()
            .enumerate()
            .filter(|(rank, (_, (at, _)))| *rank >= self.limit || !fresh(at))
            .map(|(_, (id, _))| id.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn ids(text: &str) -> Vec<Box<str>> {
        text.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn a_task_stays_a_while_after_its_last_listing() {
        let mut discovery = Discovery::new(Duration::from_secs(100), 10);
        assert_eq!(discovery.update(ids("a b"), at(0)), Update { added: ids("a b"), removed: vec![] });
        assert_eq!(discovery.update(ids("b"), at(50)), Update::default());
        assert_eq!(discovery.update(ids("b c"), at(100)), Update { added: ids("c"), removed: ids("a") });
        assert_eq!(discovery.update(ids("a"), at(110)), Update { added: ids("a"), removed: vec![] });
    }

    #[test]
    fn a_task_of_before_a_restart_stays_as_long_as_it_would_have() {
        let mut discovery = Discovery::new(Duration::from_secs(100), 10);
        discovery.restore("a".into(), at(0));
        discovery.restore("b".into(), at(50));
        assert_eq!(discovery.update(ids("c"), at(100)), Update { added: ids("c"), removed: ids("a") });
        assert_eq!(discovery.listed_at(at(100)).collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn past_the_limit_the_oldest_go_and_of_one_list_its_first_stay() {
        let mut discovery = Discovery::new(Duration::from_secs(1000), 2);
        assert_eq!(discovery.update(ids("a b c"), at(0)).added, ids("a b"));
        assert_eq!(discovery.update(ids("d"), at(10)), Update { added: ids("d"), removed: ids("b") });
    }
}
