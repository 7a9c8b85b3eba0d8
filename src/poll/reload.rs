//! What a new config changes in a running loop: which tasks there are, as what they are polled, and when next.
//!
//! A task that stays keeps all that is known of it, and its place in time; so does a poll that is under way.

use super::{Due, Loop};
use crate::clock;
use crate::cloud::{Account, Cloud};
use crate::model::{Target, TaskKey};
use crate::schedule::{Lag, resumed_due};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;

/// So many tasks are changed before others have a turn at the processor.
const TURN: usize = 64;

/// The way to a running loop.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    lag: Arc<Lag>,
}

/// What an account is to be from now on, and who waits for that.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) account: Account,
    pub(super) done: oneshot::Sender<Changes>,
}

/// How much a new config changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tasks that are polled from now on.
    pub tasks_added: usize,
    /// Tasks that are no longer polled.
    pub tasks_removed: usize,
    /// Tasks of which the config says something else now: their group, labels or interval.
    pub tasks_changed: usize,
    /// Ways to find tasks that are new.
    pub finders_added: usize,
    /// Ways to find tasks that are gone.
    pub finders_removed: usize,
}

impl Handle {
    pub(super) fn new(lag: Arc<Lag>) -> (Self, mpsc::Receiver<Request>) {
        let (requests, taken) = mpsc::channel(1);
        (Self { requests, lag }, taken)
    }

    /// Has the loop go on with what the config says of its account now; waits until it does. Nothing changes in a loop that
    /// has ended.
    pub async fn reconfigure(&self, account: Account) -> Changes {
        let (done, changes) = oneshot::channel();
        match self.requests.send(Request { account, done }).await {
            Ok(()) => changes.await.unwrap_or_default(),
            Err(_) => Changes::default(),
        }
    }

    /// Waits until the loop has ended.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// How late the account's polls are.
    pub fn lag(&self) -> Arc<Lag> {
        Arc::clone(&self.lag)
    }
}

impl Changes {
    /// Counts these too.
    pub const fn add(&mut self, other: Self) {
        self.tasks_added += other.tasks_added;
        self.tasks_removed += other.tasks_removed;
        self.tasks_changed += other.tasks_changed;
        self.finders_added += other.finders_added;
        self.finders_removed += other.finders_removed;
    }
}

impl Loop {
    /// Goes on with this account in place of the one before.
    pub(super) async fn reconfigure(&mut self, account: Account) -> Changes {
        self.store.add_account(&account.key, &account.cloud_region());
        let is_kept = Arc::ptr_eq(&self.cloud, &account.cloud);
        if !is_kept {
            self.change_cloud(Arc::clone(&account.cloud));
        }
        self.concurrency = account.concurrency;
        account.finders.iter().for_each(|finder| self.store.add_group(&finder.template));
        let named = account.targets.into_iter().map(|target| self.held_or_new(target)).collect();
        let (finders_added, finders_removed) = self.roster.replace(named, account.finders, is_kept);
        self.expect_of_no_gone_finder();
        let mut changes = Changes { finders_added, finders_removed, ..Changes::default() };
        let held = self.store.targets(&self.account);
        self.roster.keep_orphans(held.iter().map(|target| &target.key.task_id));
        let resumed = self.resume_found();
        let ids: BTreeSet<Arc<str>> = held.iter().map(|target| Arc::clone(&target.key.task_id)).collect();
        let ids: BTreeSet<Arc<str>> = ids.into_iter().chain(self.roster.named()).chain(resumed).collect();
        for (count, id) in ids.into_iter().enumerate() {
            self.settle(&id, &mut changes);
            if count % TURN == TURN - 1 {
                yield_now().await;
            }
        }
        // A restart looks for them by the place and the group that their finder has now.
        for (place, key, listed) in self.roster.found() {
            self.store.listed(place, [&key], listed);
        }
        self.reschedule();
        self.tell_demand();
        changes
    }

    /// Takes up the tasks that were found before a restart. A finder of the same place and group has its own again; where
    /// the list of finders changed, the first of the same group has them.
    fn resume_found(&mut self) -> BTreeSet<Arc<str>> {
        let now = clock::now();
        let mut ids = BTreeSet::new();
        for is_in_place in [true, false] {
            for (place, group) in self.roster.groups().into_iter().enumerate() {
                let found = self.store.found_before(&self.account, &group, is_in_place.then_some(place));
                for (id, listed) in found {
                    let id: Arc<str> = id.into();
                    // A clock that was set back does not keep a task for ever.
                    let listed = listed.min(now);
                    if ids.insert(Arc::clone(&id)) {
                        self.roster.restore(place, &id, listed);
                    }
                }
            }
        }
        ids
    }

    /// What was asked of the cloud before is asked of this one anew.
    fn change_cloud(&mut self, cloud: Arc<dyn Cloud>) {
        self.cloud = cloud;
        self.running.clear();
        for (due, what) in self.under_way.drain(..) {
            self.queue.push(due, what);
        }
    }

    /// The very target a task is polled as, where nothing of it has changed.
    fn held_or_new(&self, target: Target) -> (Arc<str>, Arc<Target>) {
        let held = self.store.target(&target.key).filter(|held| **held == target);
        (Arc::clone(&target.key.task_id), held.unwrap_or_else(|| Arc::new(target)))
    }

    /// Makes a task what it is wanted to be. One that is new still has to be put in the queue.
    pub(super) fn settle(&mut self, id: &str, changes: &mut Changes) -> Option<Arc<Target>> {
        let key = TaskKey { account: self.account.clone(), task_id: id.into() };
        let before = self.store.target(&key);
        let wanted = self.roster.wanted(id, before.as_ref());
        match (before, wanted) {
            (None, None) => {}
            (None, Some(target)) => {
                tracing::debug!(task = %key, group = %target.group, "a task is polled from now on");
                changes.tasks_added += 1;
                self.store.add(&target);
                let what = Due::Task(Arc::clone(&target));
                self.expect(&what, self.store.period(&target));
                return Some(target);
            }
            (Some(_), None) => {
                tracing::debug!(task = %key, "a task is no longer polled");
                changes.tasks_removed += 1;
                self.store.remove(&key);
                self.expect_no_more(&key.task_id);
            }
            (Some(before), Some(target)) if before == target => {}
            (Some(before), Some(target)) => {
                tracing::debug!(task = %key, group = %target.group, "a task is polled as the config says now");
                changes.tasks_changed += 1;
                if before.cloud_region == target.cloud_region {
                    self.store.retarget(&target);
                } else {
                    // The same id in another region is another task.
                    self.store.remove(&key);
                    self.expect_no_more(&key.task_id);
                    self.store.add(&target);
                }
            }
        }
        None
    }

    /// Puts everything in the queue anew that is not under way: what was there when it was due, or sooner where it is asked
    /// for more often now; what is new, soon.
    pub(super) fn reschedule(&mut self) {
        let now = Instant::now();
        let mut tasks: HashMap<Arc<str>, Instant> = HashMap::new();
        let mut lists: HashMap<usize, Instant> = HashMap::new();
        for (due, what) in self.queue.drain() {
            let before = match &what {
                Due::Task(target) => tasks.entry(Arc::clone(&target.key.task_id)).or_insert(due),
                Due::List(number) => lists.entry(*number).or_insert(due),
            };
            *before = due.min(*before);
        }
        for target in self.store.targets(&self.account) {
            let (period, due) = (self.store.period(&target), tasks.get(&target.key.task_id));
            let what = Due::Task(Arc::clone(&target));
            self.expect(&what, period);
            match (period, due) {
                (Some(period), Some(due)) => self.enqueue((now + period).min(*due), what),
                (Some(_), None) => self.enqueue_first(target),
                (None, _) => {}
            }
        }
        for (number, interval) in self.roster.finders() {
            let due = lists.get(&number).map_or(now, |due| (now + interval).min(*due));
            self.expect(&Due::List(number), Some(interval));
            self.enqueue(due, Due::List(number));
        }
    }

    /// Puts a task in the queue that is not there: for when it would have been its turn, or soon.
    pub(super) fn enqueue_first(&mut self, target: Arc<Target>) {
        let Some(wait) = self.store.wait(&target, clock::now()) else { return };
        let due = resumed_due(Instant::now(), wait, target.interval, clock::jitter());
        self.enqueue(due, Due::Task(target));
    }

    /// Puts something in the queue, unless it is under way: then it is planned when it is back.
    pub(super) fn enqueue(&mut self, due: Instant, what: Due) {
        if !self.under_way.iter().any(|(_, other)| other.is(&what)) {
            self.queue.push(due, what);
        }
    }
}
