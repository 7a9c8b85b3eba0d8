//! The loop of one account: takes what is due, asks the cloud, hands the answer to the store, and plans the next time.
//!
//! Each account has a loop of its own, so a slow cloud delays nobody else; within an account no task is asked for twice at
//! once, because it is either in the queue or under way.

mod journal;
#[cfg(test)]
mod tests;

use crate::clock;
use crate::cloud::{self, Account, Error, Finder};
use crate::model::{Observe, Reading, Reason, Target, TaskKey};
use crate::schedule::{Discovery, Lag, Queue, next_due, resumed_due};
use crate::store::{Failure, Store};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use journal::Journal;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The loop of one account. Its polls run within it, several at a time: at the rates a quota allows, handing each to a
/// task of its own would cost more than the poll.
#[derive(Debug)]
pub struct Loop {
    account: Account,
    finders: Vec<Found>,
    store: Arc<Store>,
    observe: Arc<dyn Observe>,
    lag: Arc<Lag>,
    queue: Queue<Due>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    journal: Journal,
}

/// A finder and the tasks it has found.
#[derive(Debug)]
struct Found {
    finder: Finder,
    discovery: Discovery,
    /// Those that are polled because of it: not the ones the config, or another finder, names too.
    targets: HashMap<Box<str>, Arc<Target>>,
}

/// Something to ask for.
#[derive(Clone, Debug)]
enum Due {
    Task(Arc<Target>),
    /// The finder at this place of the account's list.
    List(usize),
}

/// Something that was asked for, when it was due, and what came of it.
#[derive(Debug)]
struct Done {
    due: Instant,
    what: Due,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Task(Box<Result<Reading, Error>>),
    List(Result<Vec<Box<str>>, Error>),
    /// A bug: the code that asked panicked.
    Panicked,
}

impl Loop {
    /// A loop that begins with the account's named targets, its finders, and what those had found before a restart.
    pub fn new(account: Account, store: Arc<Store>, observe: Arc<dyn Observe>) -> Self {
        let now = Instant::now();
        store.add_account(&account.key, &account.cloud_region());
        let mut polling = Self {
            journal: Journal::new(account.key.clone()),
            finders: account.finders.iter().cloned().map(Found::new).collect(),
            store,
            observe,
            lag: Arc::new(Lag::new(now)),
            queue: Queue::default(),
            running: FuturesUnordered::new(),
            account,
        };
        for target in polling.account.targets.clone() {
            polling.begin(&Arc::new(target));
        }
        for (index, finder) in polling.account.finders.iter().enumerate() {
            polling.store.add_group(&finder.template);
            polling.queue.push(now, Due::List(index));
        }
        polling.resume_found();
        polling
    }

    /// Makes a task known and plans its first poll; whether it was not known yet.
    fn begin(&mut self, target: &Arc<Target>) -> bool {
        let is_new = self.store.add(target);
        if let Some(wait) = self.store.wait(target, clock::now()).filter(|_| is_new) {
            let due = resumed_due(Instant::now(), wait, target.interval, clock::jitter());
            self.queue.push(due, Due::Task(Arc::clone(target)));
        }
        is_new
    }

    /// Takes up the tasks that were found before a restart. A finder of the same place and group has its own again; where
    /// the list of finders changed, the first of the same group has them.
    fn resume_found(&mut self) {
        for is_in_place in [true, false] {
            for index in 0..self.finders.len() {
                let Some(group) = self.finders.get(index).map(|found| Arc::clone(&found.finder.template.group)) else {
                    continue;
                };
                let place = is_in_place.then_some(index);
                for (id, listed) in self.store.found_before(&self.account.key, &group, place) {
                    self.resume(index, &id, listed);
                }
            }
        }
    }

    fn resume(&mut self, index: usize, id: &str, listed: Timestamp) {
        // A clock that was set back does not keep a task for ever.
        let listed = listed.min(clock::now());
        if let Some(found) = self.finders.get_mut(index) {
            found.discovery.restore(id.into(), listed);
        }
        self.add(index, id.into());
        let key = self.finders.get(index).and_then(|found| found.targets.get(id)).map(|target| &target.key);
        self.store.listed(index, key, listed);
    }

    /// How late this account's polls are.
    pub fn lag(&self) -> Arc<Lag> {
        Arc::clone(&self.lag)
    }

    /// Polls until `stop`; what is under way then is dropped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = self.queue.next_due();
            self.lag.set_next_due(next);
            let has_room = self.running.len() < self.account.concurrency;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = self.running.next() => self.finish(done),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if has_room && next.is_some() => self.start(),
            }
        }
    }

    /// Begins what is due first.
    fn start(&mut self) {
        let Some((due, what)) = self.queue.pop_due(Instant::now()) else { return };
        let Some(asking) = self.ask(&what) else { return };
        let asking = AssertUnwindSafe(asking).catch_unwind();
        let done = async move { Done { due, what, outcome: asking.await.unwrap_or(Outcome::Panicked) } };
        self.running.push(done.boxed());
    }

    /// How to ask; none for what was forgotten while it waited.
    fn ask(&self, what: &Due) -> Option<BoxFuture<'static, Outcome>> {
        match what {
            Due::Task(target) => {
                let last_good = self.store.last_good(target)?;
                let (cloud, target) = (Arc::clone(&self.account.cloud), Arc::clone(target));
                let ask =
                    async move { Outcome::Task(Box::new(cloud.read(&target.key.task_id, last_good.as_deref()).await)) };
                Some(ask.boxed())
            }
            Due::List(index) => {
                let find = Arc::clone(&self.finders.get(*index)?.finder.find);
                Some(async move { Outcome::List(find.find().await) }.boxed())
            }
        }
    }

    fn finish(&mut self, Done { due, what, outcome }: Done) {
        match (&what, outcome) {
            (Due::Task(target), Outcome::Task(result)) => self.take_in(target, *result),
            (Due::List(index), Outcome::List(result)) => self.take_in_list(*index, result),
            _ => tracing::error!(account = %self.account.key.account, ?what, "a poll ended by a bug; going on"),
        }
        self.plan(due, what);
    }

    /// Puts back what was asked, for its next time.
    fn plan(&mut self, due: Instant, what: Due) {
        let period = match &what {
            Due::Task(target) => self.store.period(target),
            Due::List(index) => self.finders.get(*index).map(|found| found.finder.template.interval),
        };
        if let Some(period) = period {
            self.queue.push(next_due(due, period, Instant::now()), what);
        }
    }

    fn take_in(&mut self, target: &Arc<Target>, result: Result<Reading, Error>) {
        let result = result.map_err(|error| failure_of(&error));
        if let Ok(reading) = &result
            && reading.unknown_states > 0
        {
            self.observe.unknown_states(&self.account.key, reading.unknown_states);
            self.journal.unknown_state(&target.key, &reading.task.provider_state);
        }
        let failure = result.as_ref().err().cloned();
        if failure.as_ref().is_some_and(|failure| failure.reason == Reason::NotFound) && self.forget_finished(target) {
            self.observe.polled(&self.account.key, None);
            return;
        }
        let change = self.store.record(&target.key, result, clock::now());
        let counted = failure.as_ref().filter(|_| !change.is_excused());
        self.observe.polled(&self.account.key, counted.map(|failure| failure.reason));
        self.journal.polled(&target.key, counted, change);
    }

    /// Forgets a task that was found, had finished, and is deleted since: all is as it should be. One that the config names
    /// is not forgotten.
    fn forget_finished(&mut self, target: &Arc<Target>) -> bool {
        let is_final = self.store.last_good(target).flatten().is_some_and(|task| task.is_final);
        let is_found =
            |found: &Found| found.targets.get(&*target.key.task_id).is_some_and(|own| Arc::ptr_eq(own, target));
        let Some(index) = self.finders.iter().position(is_found).filter(|_| is_final) else { return false };
        self.remove(index, &target.key.task_id);
        true
    }

    fn take_in_list(&mut self, index: usize, result: Result<Vec<Box<str>>, Error>) {
        let now = clock::now();
        let failure = result.as_ref().err().map(failure_of);
        self.journal.listed(failure.as_ref());
        self.store.record_list(&self.account.key, failure, now);
        let (Ok(list), Some(found)) = (result, self.finders.get_mut(index)) else { return };
        let update = found.discovery.update(list, now);
        self.journal.discovered(&found.finder.template.group, update.added.len(), update.removed.len());
        for id in update.added {
            self.add(index, id);
        }
        for id in update.removed {
            self.remove(index, &id);
        }
        if let Some(Found { discovery, targets, .. }) = self.finders.get(index) {
            let named = discovery.listed_at(now).filter_map(|id| targets.get(id));
            self.store.listed(index, named.map(|target| &target.key), now);
        }
    }

    fn add(&mut self, index: usize, id: Box<str>) {
        let Some(found) = self.finders.get(index) else { return };
        let template = &found.finder.template;
        let key = TaskKey { task_id: (&*id).into(), ..template.key.clone() };
        let target = Arc::new(Target { key, ..template.clone() });
        if self.begin(&target)
            && let Some(found) = self.finders.get_mut(index)
        {
            found.targets.insert(id, target);
        }
    }

    fn remove(&mut self, index: usize, id: &str) {
        let Some(target) = self.finders.get_mut(index).and_then(|found| found.targets.remove(id)) else { return };
        self.store.remove(&target.key);
        // Another finder that names it too may have it from its next list on.
        self.finders.iter_mut().for_each(|found| found.discovery.forget(id));
    }
}

impl Found {
    fn new(finder: Finder) -> Self {
        Self { discovery: Discovery::new(finder.keep, finder.limit), finder, targets: HashMap::new() }
    }
}

fn failure_of(error: &Error) -> Failure {
    Failure { reason: error.reason(), message: cloud::chain(error).into() }
}
