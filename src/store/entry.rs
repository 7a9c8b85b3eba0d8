//! One task as it is known: its last good answer, its rendered series, and what of it was counted.

use super::{Change, Failure, Rules, TaskRow};
use crate::metrics::{Fleet, Group, Series, Sheet, identity};
use crate::model::{Outcome, Phase, Reason, Target, Task};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Entry {
    target: Arc<Target>,
    identity: Arc<str>,
    task: Option<Arc<Task>>,
    state: Option<Arc<Sheet>>,
    poll: Option<Arc<Sheet>>,
    first_asked: Option<Timestamp>,
    last_success: Option<Timestamp>,
    failure: Option<Box<Failure>>,
    left_out: bool,
    /// The current run has ended, and was counted if it was ours to count.
    ended: bool,
    /// The run was counted before its duration was known.
    owed: Option<Outcome>,
}

impl Entry {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self {
            identity: identity(&target),
            target,
            task: None,
            state: None,
            poll: None,
            first_asked: None,
            last_success: None,
            failure: None,
            left_out: false,
            ended: false,
            owed: None,
        }
    }

    pub(super) fn is_of(&self, target: &Arc<Target>) -> bool {
        Arc::ptr_eq(&self.target, target)
    }

    pub(super) const fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Goes on under what the config says of the task now: what is known and what was counted stays.
    pub(super) fn retarget(&mut self, target: Arc<Target>, rules: &Rules) {
        let is_relabelled = self.target.labels != target.labels;
        self.identity = identity(&target);
        self.target = target;
        if is_relabelled {
            self.render(rules);
        }
    }

    /// Renders its state anew, by other rules or labels.
    pub(super) fn render(&mut self, rules: &Rules) {
        if let (Some(state), Some(task)) = (&mut self.state, &self.task) {
            *state = Arc::new(Sheet::of_task(&self.target, task, rules.instance_histograms));
        }
    }

    pub(super) fn task(&self) -> Option<Arc<Task>> {
        self.task.clone()
    }

    /// What a page shows of it.
    pub(super) fn row(&self, rules: &Rules, now: Timestamp) -> TaskRow {
        TaskRow {
            target: Arc::clone(&self.target),
            task: self.task.clone(),
            last_success: self.last_success,
            failure: self.failure.as_deref().cloned(),
            is_stale: self.is_stale(rules, now),
        }
    }

    /// How many series it has in the export.
    pub(super) fn series(&self) -> usize {
        [&self.state, &self.poll].into_iter().flatten().map(|sheet| sheet.series()).sum()
    }

    /// How long until it is asked for again; none for never.
    pub(super) fn period(&self, rules: &Rules) -> Option<Duration> {
        let is_final = self.task.as_ref().is_some_and(|task| task.is_final);
        // A finished task that is gone since is as it should be; any other failure is looked at soon.
        let is_well = self.failure.as_ref().is_none_or(|failure| failure.reason == Reason::NotFound);
        match is_final && is_well {
            true if rules.final_recheck.is_zero() => None,
            true => Some(rules.final_recheck),
            false => Some(self.target.interval),
        }
    }

    /// Counts what happened since the last good answer. To be called before [`succeeded`](Self::succeeded).
    pub(super) fn count(&mut self, task: &Task, began: Timestamp, fleet: &mut Fleet) {
        let ours = self.task.is_some() || task.finished.or(task.created).is_some_and(|instant| instant >= began);
        self.count_failures(task, began, fleet);
        let Some(outcome) = task.phase.outcome() else {
            // A word nobody knows does not begin a new run.
            if task.phase != Phase::Unknown {
                (self.ended, self.owed) = (false, None);
            }
            return;
        };
        if !self.ended && ours {
            fleet.finished(Group::from(&*self.target), outcome);
            self.owed = Some(outcome);
        }
        self.ended = true;
        if let Some((outcome, seconds)) = self.owed.zip(task.run_seconds()) {
            fleet.lasted(Group::from(&*self.target), outcome, seconds);
            self.owed = None;
        }
    }

    fn count_failures(&self, task: &Task, began: Timestamp, fleet: &mut Fleet) {
        let seen = match &self.task {
            Some(before) => before.instances_failed,
            None if task.created.is_some_and(|created| created >= began) => 0,
            None => task.instances_failed,
        };
        let rise = task.instances_failed.saturating_sub(seen);
        if rise > 0 {
            fleet.instances_failed(Group::from(&*self.target), rise);
        }
    }

    /// Takes in a good answer; a task that is new to the export gets at most `room` series.
    pub(super) fn succeeded(&mut self, task: Task, rules: &Rules, room: usize, now: Timestamp) -> Change {
        let broke = self.failure.take().is_some();
        self.last_success = Some(now);
        self.first_asked.get_or_insert(now);
        let same = self.task.as_deref() == Some(&task);
        let state = match &self.state {
            Some(state) if same => Arc::clone(state),
            _ => Arc::new(Sheet::of_task(&self.target, &task, rules.instance_histograms)),
        };
        let poll = Arc::new(Sheet::of_poll(true, self.last_success));
        if !same {
            self.task = Some(Arc::new(task));
        }
        if let Some(change) = self.left_out(self.state.is_none(), state.series() + poll.series(), room) {
            return change;
        }
        (self.state, self.poll) = (Some(state), Some(poll));
        if broke { Change::Recovered } else { Change::None }
    }

    /// Takes in a failed poll: the last good answer stays as it is. A task that is new to the export gets at most `room`
    /// series.
    pub(super) fn failed(&mut self, failure: Failure, rules: &Rules, room: usize, now: Timestamp) -> Change {
        let first_asked = *self.first_asked.get_or_insert(now);
        let is_new = self.task.is_none() && now < later(first_asked, rules.not_found_grace);
        if failure.reason == Reason::NotFound && is_new {
            return Change::NotYetFound;
        }
        let reason = failure.reason;
        let before = self.failure.replace(Box::new(failure)).map(|failure| failure.reason);
        let broke = if before == Some(reason) { Change::None } else { Change::Broke };
        let poll = Sheet::of_poll(false, self.last_success);
        match self.left_out(self.poll.is_none(), poll.series(), room) {
            Some(Change::None) => broke,
            Some(left_out) => left_out,
            None => {
                self.poll = Some(Arc::new(poll));
                broke
            }
        }
    }

    /// What is to be told of a task that is left out of the export; none for one that is not. A new one needs room for all
    /// its series; one that is shown stays, and may have more of them than there is room for.
    fn left_out(&mut self, is_new: bool, wanted: usize, room: usize) -> Option<Change> {
        let is_left_out = is_new && wanted > room + self.series();
        let was_left_out = std::mem::replace(&mut self.left_out, is_left_out);
        is_left_out.then(|| {
            self.poll = None;
            if was_left_out { Change::None } else { Change::LeftOut(wanted) }
        })
    }

    /// The phase, unless it is unknown for want of a good answer or too old to show.
    pub(super) fn shown_phase(&self, rules: &Rules, now: Timestamp) -> Option<Phase> {
        self.task.as_ref().filter(|_| !self.is_stale(rules, now)).map(|task| task.phase)
    }

    /// What a scrape shows of it.
    pub(super) fn shown(&self, rules: &Rules, now: Timestamp) -> Series {
        Series {
            identity: Arc::clone(&self.identity),
            state: self.state.clone().filter(|_| !self.is_stale(rules, now)),
            poll: self.poll.clone(),
        }
    }

    /// Whether the last good answer is too old. A task that is asked for seldom is given its own time on top.
    pub(super) fn is_stale(&self, rules: &Rules, now: Timestamp) -> bool {
        let is_final = self.task.as_ref().is_some_and(|task| task.is_final);
        let period = if is_final { rules.final_recheck } else { self.target.interval };
        if is_final && period.is_zero() {
            return false;
        }
        let allowed = if period < rules.stale_after { rules.stale_after } else { period + rules.stale_after };
        self.last_success.is_some_and(|success| now > later(success, allowed))
    }
}

fn later(instant: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| instant.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}
