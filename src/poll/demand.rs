//! What the tasks and finders of an account ask of each API by their intervals: kept up with what the loop does, and told.
//!
//! The sums are `schedule`'s; what an asking took, `cloud` says.

use super::{Due, Loop, Outcome};
use crate::model::Requests;
use std::sync::Arc;
use std::time::Duration;

/// Who asks: a task by its id, or the finder of that number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    Task(Arc<str>),
    List(usize),
}

impl Asker {
    fn of(what: &Due) -> Self {
        match what {
            Due::Task(target) => Self::Task(Arc::clone(&target.key.task_id)),
            Due::List(number) => Self::List(*number),
        }
    }
}

impl Loop {
    /// It is asked for so often from now on; none: no more. Until a task was asked for it counts as the one request that
    /// every poll of it makes, so that the sum is right before a quota that is too low has let all of them through. What a
    /// list takes nobody knows before the first, which is soon.
    pub(super) fn expect(&mut self, what: &Due, period: Option<Duration>) {
        let guess = || match what {
            Due::Task(target) => Requests::one(self.cloud.api_of(&target.key.task_id)),
            Due::List(_) => Requests::default(),
        };
        self.demand.plan(Asker::of(what), period, guess);
    }

    /// It was asked for.
    pub(super) fn note_requests(&mut self, what: &Due, took: Requests, outcome: &Outcome) {
        let has_failed = match outcome {
            Outcome::Task(result) => result.is_err(),
            Outcome::List(result) => result.is_err(),
            Outcome::Panicked => true,
        };
        self.demand.asked(&Asker::of(what), took, has_failed);
    }

    /// A task is not asked for any more.
    pub(super) fn expect_no_more(&mut self, task_id: &Arc<str>) {
        self.demand.forget(&Asker::Task(Arc::clone(task_id)));
    }

    /// Nor are finders that are gone.
    pub(super) fn expect_of_no_gone_finder(&mut self) {
        let Self { demand, roster, .. } = self;
        demand.retain(|asker| match asker {
            Asker::Task(_) => true,
            Asker::List(number) => roster.finder(*number).is_some(),
        });
    }

    /// Tells of what has changed.
    pub(super) fn tell_demand(&mut self) {
        for (api, requests_per_second) in self.demand.changes() {
            self.observe.demand(&self.account, api, requests_per_second);
        }
    }
}
