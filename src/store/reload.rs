//! What a config that is loaded anew changes in what is known: the rules, and which tasks, accounts and groups there are.
//!
//! What costs time for each task, such as rendering it anew, holds the lock for that task alone, so no scrape waits for
//! all of them.

use super::changes::Kind;
use super::{Entry, Known, Rules, Store, name};
use crate::metrics::Group;
use crate::model::{AccountKey, Target, TaskKey};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Store {
    /// Goes by other rules from now on. A lower limit of series leaves out no task that is shown already.
    pub fn set_rules(&self, rules: Rules) {
        let after = rules.instance_histograms;
        let before = std::mem::replace(&mut self.write().rules, rules).instance_histograms;
        if before != after {
            self.render_all();
        }
    }

    fn render_all(&self) {
        let keys: Vec<TaskKey> = self.read().tasks.keys().cloned().collect();
        for key in keys {
            self.change(&key, Entry::render);
        }
    }

    /// The targets of an account as they are polled now.
    pub fn targets(&self, account: &AccountKey) -> Vec<Arc<Target>> {
        self.read().of_account(account).map(|(_, entry)| Arc::clone(entry.target())).collect()
    }

    /// Gives a known task another target of the same key. It keeps its last good answer, its failures, what of it was
    /// counted and its series, under their new labels.
    pub fn retarget(&self, target: &Arc<Target>) {
        self.add_group(target);
        self.change(&target.key, |entry, rules| entry.retarget(Arc::clone(target), rules));
    }

    fn change(&self, key: &TaskKey, change: impl FnOnce(&mut Entry, &Rules)) {
        let mut guard = self.write();
        let known = &mut *guard;
        let Some(entry) = known.tasks.get_mut(key) else { return };
        let before = entry.series();
        change(entry, &known.rules);
        known.series = known.series + entry.series() - before;
    }

    /// Forgets an account, its tasks and all their series but the counters of its groups.
    pub fn remove_account(&self, account: &AccountKey) {
        for target in self.targets(account) {
            self.remove(&target.key);
        }
        let mut known = self.write();
        known.accounts.remove(account);
        known.note_readiness();
        self.own.remove_account(account);
    }

    /// Says which groups the config names. Others are forgotten with their counters, unless a task is still in them.
    pub fn set_groups(&self, groups: BTreeSet<Group>) {
        self.write().groups = groups;
        self.forget_groups();
    }

    /// Forgets the groups that the config does not name and no task is in, with their counters.
    pub fn forget_groups(&self) {
        let mut guard = self.write();
        let Known { tasks, fleet, groups, changes, .. } = &mut *guard;
        let taken: BTreeSet<Group> = tasks.values().map(|entry| Group::from(&**entry.target())).collect();
        let gone = fleet.retain(|group| groups.contains(group) || taken.contains(group));
        if let Some(changes) = changes {
            for group in &gone {
                changes.dropped(Kind::Group, name::of_group(group));
            }
        }
    }
}

impl Known {
    /// The tasks of an account.
    pub(super) fn of_account<'a>(&'a self, account: &'a AccountKey) -> impl Iterator<Item = (&'a TaskKey, &'a Entry)> {
        let first = TaskKey { account: account.clone(), task_id: "".into() };
        self.tasks.range(first..).take_while(|(key, _)| key.account == *account)
    }
}
