//! The loop of one account: takes what is due, asks the cloud, hands the answer to the store, and plans the next time.
//!
//! Each account has a loop of its own, so a slow cloud delays nobody else; within an account no task is asked for twice at
//! once, because it is either in the queue or under way.

mod demand;
mod journal;
mod reload;
mod roster;
#[cfg(test)]
mod tests;

pub use reload::{Changes, Handle};

use crate::clock;
use crate::cloud::{self, Account, Cloud, Error};
use crate::model::{AccountKey, Observe, Reading, Reason, Requests, Target};
use crate::schedule::{Demand, Lag, Queue, counts_from, next_due};
use crate::store::{Failure, Store};
use demand::Asker;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use journal::Journal;
use reload::Request;
use roster::{Listed, Roster};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The loop of one account. Its polls run within it, several at a time: at the rates a quota allows, handing each to a
/// task of its own would cost more than the poll.
#[derive(Debug)]
pub struct Loop {
    account: AccountKey,
    cloud: Arc<dyn Cloud>,
    concurrency: usize,
    roster: Roster,
    store: Arc<Store>,
    observe: Arc<dyn Observe>,
    lag: Arc<Lag>,
    demand: Demand<Asker>,
    queue: Queue<Due>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    /// What runs, and when it was due; no more than run at once.
    under_way: Vec<(Instant, Due)>,
    requests: mpsc::Receiver<Request>,
    journal: Journal,
}

/// Something to ask for.
#[derive(Clone, Debug)]
enum Due {
    Task(Arc<Target>),
    /// The finder of that number.
    List(usize),
}

/// Something that was asked for, what its next turn counts from, what came of it, and the requests it took.
#[derive(Debug)]
struct Done {
    counts_from: Instant,
    what: Due,
    outcome: Outcome,
    took: Requests,
}

#[derive(Debug)]
enum Outcome {
    Task(Box<Result<Reading, Error>>),
    List(Result<Vec<Box<str>>, Error>),
    /// A bug: the code that asked panicked.
    Panicked,
}

impl Loop {
    /// A loop that begins with the account's named targets and its finders, and the way to it while it runs.
    pub async fn new(account: Account, store: Arc<Store>, observe: Arc<dyn Observe>) -> (Self, Handle) {
        let lag = Arc::new(Lag::new(Instant::now()));
        let (handle, requests) = Handle::new(Arc::clone(&lag));
        let mut new = Self {
            account: account.key.clone(),
            cloud: Arc::clone(&account.cloud),
            concurrency: account.concurrency,
            roster: Roster::default(),
            store,
            observe,
            lag,
            demand: Demand::default(),
            queue: Queue::default(),
            running: FuturesUnordered::new(),
            under_way: Vec::new(),
            requests,
            journal: Journal::new(account.key.clone()),
        };
        new.reconfigure(account).await;
        (new, handle)
    }

    /// Polls until `stop`; what is under way then is dropped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = self.queue.next_due();
            // A poll that has begun may wait for its quota for long, and may have been late when it began.
            self.lag.set_due(self.under_way.iter().map(|(due, _)| *due).chain(next).min());
            let has_room = self.running.len() < self.concurrency;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(Request { account, done }) = self.requests.recv() => {
                    let changes = self.reconfigure(account).await;
                    // Whoever asked may have gone meanwhile.
                    done.send(changes).ok();
                }
                Some(done) = self.running.next() => self.finish(done),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if has_room && next.is_some() => self.start(),
            }
        }
    }

    /// Begins what is due first.
    fn start(&mut self) {
        let now = Instant::now();
        let Some((due, what)) = self.queue.pop_due(now) else { return };
        let Some(asking) = self.ask(&what) else { return };
        self.under_way.push((due, what.clone()));
        let asking = AssertUnwindSafe(cloud::counted(asking)).catch_unwind();
        let done = async move {
            let (outcome, took) = asking.await.unwrap_or((Outcome::Panicked, Requests::default()));
            Done { counts_from: counts_from(due, now), what, outcome, took }
        };
        self.running.push(done.boxed());
    }

    /// How to ask; none for what was forgotten while it waited.
    fn ask(&self, what: &Due) -> Option<BoxFuture<'static, Outcome>> {
        match what {
            Due::Task(target) => {
                let last_good = self.store.last_good(target)?;
                let (cloud, target) = (Arc::clone(&self.cloud), Arc::clone(target));
                let ask =
                    async move { Outcome::Task(Box::new(cloud.read(&target.key.task_id, last_good.as_deref()).await)) };
                Some(ask.boxed())
            }
            Due::List(number) => {
                let find = Arc::clone(&self.roster.finder(*number)?.find);
                Some(async move { Outcome::List(find.find().await) }.boxed())
            }
        }
    }

    fn finish(&mut self, Done { counts_from, what, outcome, took }: Done) {
        if matches!(outcome, Outcome::Panicked) {
            self.observe.panicked(&self.account);
        }
        // A new config may have changed meanwhile what it is polled as, or that it is.
        let what = match what {
            Due::Task(asked) => Due::Task(self.store.target(&asked.key).unwrap_or(asked)),
            Due::List(number) => Due::List(number),
        };
        self.note_requests(&what, took, &outcome);
        match (&what, outcome) {
            (Due::Task(target), Outcome::Task(result)) => self.take_in(target, *result),
            (Due::List(number), Outcome::List(result)) => self.take_in_list(*number, result),
            (Due::Task(target), _) => self.take_in(target, Err(bug())),
            (Due::List(number), _) => self.take_in_list(*number, Err(bug())),
        }
        // Only now, so that nothing put it in the queue meanwhile.
        self.under_way.retain(|(_, other)| !other.is(&what));
        self.plan(counts_from, what);
        self.tell_demand();
    }

    /// Puts back what was asked, for its next time.
    fn plan(&mut self, counts_from: Instant, what: Due) {
        let period = match &what {
            Due::Task(target) => self.store.period(target),
            Due::List(number) => self.roster.finder(*number).map(|finder| finder.template.interval),
        };
        self.expect(&what, period);
        if let Some(period) = period {
            self.queue.push(next_due(counts_from, period, Instant::now()), what);
        }
    }

    fn take_in(&mut self, target: &Arc<Target>, result: Result<Reading, Error>) {
        let result = result.map_err(|error| failure_of(&error));
        if let Ok(reading) = &result
            && reading.unknown_states > 0
        {
            self.observe.unknown_states(&self.account, reading.unknown_states);
            self.journal.unknown_state(&target.key, &reading.task.provider_state);
        }
        let failure = result.as_ref().err().cloned();
        if failure.as_ref().is_some_and(|failure| failure.reason == Reason::NotFound) && self.forget_finished(target) {
            self.observe.polled(&self.account, None);
            return;
        }
        let change = self.store.record(&target.key, result, clock::now());
        let counted = failure.as_ref().filter(|_| !change.is_excused());
        self.observe.polled(&self.account, counted.map(|failure| failure.reason));
        self.journal.polled(&target.key, counted, change);
    }

    /// Forgets a task that was found, had finished, and is deleted since: all is as it should be. One that the config names
    /// is not forgotten.
    fn forget_finished(&mut self, target: &Arc<Target>) -> bool {
        let is_final = self.store.last_good(target).flatten().is_some_and(|task| task.is_final);
        if !is_final || !self.roster.forget(&target.key.task_id) {
            return false;
        }
        self.settle(&target.key.task_id, &mut Changes::default());
        true
    }

    fn take_in_list(&mut self, number: usize, result: Result<Vec<Box<str>>, Error>) {
        let now = clock::now();
        let failure = result.as_ref().err().map(failure_of);
        self.observe.listed(&self.account, failure.as_ref().map(|failure| failure.reason));
        self.journal.listed(failure.as_ref());
        self.store.record_list(&self.account, failure, now);
        let Some(listed) = result.ok().and_then(|list| self.roster.list(number, list, now)) else { return };
        let Listed { group, update, released } = listed;
        self.journal.discovered(&group, update.added.len(), update.removed.len());
        let mut changes = Changes::default();
        for id in update.added.iter().chain(&update.removed).map(|id| &**id).chain(released.iter().map(|id| &**id)) {
            if let Some(target) = self.settle(id, &mut changes) {
                self.enqueue_first(target);
            }
        }
        if changes.tasks_changed > 0 {
            self.reschedule();
        }
        if !released.is_empty() {
            self.store.forget_groups();
        }
        if let Some((place, named)) = self.roster.listed_at(number, now) {
            self.store.listed(place, &named, now);
        }
    }
}

impl Due {
    /// Whether both ask for the same.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Task(target), Self::Task(other)) => target.key.task_id == other.key.task_id,
            (Self::List(number), Self::List(other)) => number == other,
            _ => false,
        }
    }
}

/// What a poll that panicked is to those who know of answers only; what panicked, and where, the panic's own line says.
fn bug() -> Error {
    Error::new(Reason::Decode, "a bug of the exporter ended the poll; the log says where")
}

fn failure_of(error: &Error) -> Failure {
    Failure { reason: error.reason(), message: cloud::chain(error).into() }
}
