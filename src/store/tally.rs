//! What of a task was counted already, and the rule by which a new answer is counted.
//!
//! A tally outlives the task's entry: a task that is forgotten and found again goes on where it was.

use crate::metrics::{Fleet, Group};
use crate::model::{Outcome, Phase, Task};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What of a task was counted, up to its last good answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tally {
    /// When the task was last read.
    pub(super) read: Timestamp,
    /// The current run has ended, and was counted if it was ours to count.
    ended: bool,
    /// The run was counted before its duration was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    owed: Option<Outcome>,
    /// When the run ended, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    /// Instances that had failed.
    instances_failed: u64,
}

/// Where finishes are counted.
#[derive(Debug)]
pub(super) struct Counter<'a> {
    pub(super) fleet: &'a mut Fleet,
    pub(super) group: Group,
    /// Of a task that was never read before, what ended earlier than this is not ours to count.
    pub(super) began: Timestamp,
    /// Whether anything was counted.
    pub(super) counted: bool,
}

impl Tally {
    /// Counts what happened since the last good answer; `before`: what was counted then, unless this is the first.
    pub(super) fn advance(before: Option<&Self>, task: &Task, now: Timestamp, counter: &mut Counter<'_>) -> Self {
        let ours = before.is_some() || task.finished.or(task.created).is_some_and(|instant| instant >= counter.began);
        counter.count_failures(before, task);
        let mut tally = before.cloned().unwrap_or_else(|| Self::unread(now));
        (tally.read, tally.instances_failed) = (now, task.instances_failed);
        if task.phase == Phase::Unknown {
            // A word nobody knows does not begin a new run.
            return tally;
        }
        if tally.is_of_an_earlier_run_than(task) {
            (tally.ended, tally.owed, tally.finished) = (false, None, None);
        }
        if let Some(outcome) = task.phase.outcome() {
            tally.end(outcome, task, ours, counter);
        }
        tally
    }

    const fn unread(now: Timestamp) -> Self {
        Self { read: now, ended: false, owed: None, finished: None, instances_failed: 0 }
    }

    /// A task that is live is in a new run, and so is one that ended and began after the run we know of had ended.
    fn is_of_an_earlier_run_than(&self, task: &Task) -> bool {
        let began_since = task.started.zip(self.finished).is_some_and(|(started, finished)| started > finished);
        task.phase.outcome().is_none() || began_since
    }

    fn end(&mut self, outcome: Outcome, task: &Task, ours: bool, counter: &mut Counter<'_>) {
        if !self.ended && ours {
            counter.finished(outcome);
            self.owed = Some(outcome);
        }
        self.ended = true;
        self.finished = task.finished.or(self.finished);
        if let Some((outcome, seconds)) = self.owed.zip(task.run_seconds()) {
            counter.lasted(outcome, seconds);
            self.owed = None;
        }
    }
}

impl Counter<'_> {
    fn count_failures(&mut self, before: Option<&Tally>, task: &Task) {
        let seen = match before {
            Some(before) => before.instances_failed,
            None if task.created.is_some_and(|created| created >= self.began) => 0,
            None => task.instances_failed,
        };
        let rise = task.instances_failed.saturating_sub(seen);
        if rise > 0 {
            self.fleet.instances_failed(self.group.clone(), rise);
            self.counted = true;
        }
    }

    fn finished(&mut self, outcome: Outcome) {
        self.fleet.finished(self.group.clone(), outcome);
        self.counted = true;
    }

    fn lasted(&mut self, outcome: Outcome, seconds: f64) {
        self.fleet.lasted(self.group.clone(), outcome, seconds);
        self.counted = true;
    }
}
