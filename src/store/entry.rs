//! One task as it is known: its last good answer, its rendered series, and what of it was counted.

use super::tally::{Counter, Tally};
use super::{Change, Failure, Rules, TaskRow};
use crate::metrics::{Fleet, Group, Identity, Poll, Series, Sheet, State, identity};
use crate::model::{Phase, Reason, Target, Task};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Entry {
    target: Arc<Target>,
    identity: Identity,
    task: Option<Arc<Task>>,
    state: Option<Arc<Sheet<State>>>,
    poll: Option<Arc<Sheet<Poll>>>,
    standing: Standing,
}

/// How it stands with a task, but for what its cloud said of it: what a restart must not forget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    first_asked: Option<Timestamp>,
    pub(super) last_asked: Option<Timestamp>,
    last_success: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Box<Failure>>,
    /// There were too many series to export it.
    left_out: bool,
    /// None while there is no good answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tally: Option<Tally>,
    /// None for a task that the config names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<Found>,
}

/// How a task was found that the config does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    /// The place of the finder in its account's list.
    pub(super) finder: usize,
    /// The group that finder gave.
    pub(super) group: Box<str>,
    /// When a list last named it.
    pub(super) listed: Timestamp,
}

impl Entry {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self { identity: identity(&target), target, task: None, state: None, poll: None, standing: Standing::default() }
    }

    /// A task as it stood before a restart, under what the config says of it now. It gets at most `room` series.
    pub(super) fn restored(
        target: Arc<Target>,
        (standing, task): (Standing, Option<Arc<Task>>),
        rules: &Rules,
        room: usize,
    ) -> Self {
        // Whether it is found or named now is for those to say who find or name it.
        let standing = Standing { found: None, ..standing };
        let mut entry = Self { task, standing, ..Self::new(target) };
        if entry.standing.left_out {
            return entry;
        }
        entry.state =
            entry.task.as_ref().map(|task| Arc::new(Sheet::of_task(&entry.target, task, rules.instance_histograms)));
        entry.poll = entry.standing.poll_sheet();
        if entry.series() > room {
            (entry.state, entry.poll, entry.standing.left_out) = (None, None, true);
        }
        entry
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

    pub(super) const fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) const fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    pub(super) fn task(&self) -> Option<Arc<Task>> {
        self.task.clone()
    }

    /// What a page shows of it.
    pub(super) fn row(&self, rules: &Rules, now: Timestamp) -> TaskRow {
        TaskRow {
            target: Arc::clone(&self.target),
            task: self.task.clone(),
            last_success: self.standing.last_success,
            failure: self.standing.failure.as_deref().cloned(),
            is_stale: self.is_stale(rules, now),
        }
    }

    /// How many series it has in the export.
    pub(super) fn series(&self) -> usize {
        let state = self.state.as_ref().map_or(0, |sheet| sheet.series());
        state + self.poll.as_ref().map_or(0, |sheet| sheet.series())
    }

    /// How long until it is asked for again; none for never.
    pub(super) fn period(&self, rules: &Rules) -> Option<Duration> {
        let is_final = self.task.as_ref().is_some_and(|task| task.is_final);
        // A finished task that is gone since is as it should be; any other failure is looked at soon.
        let is_well = self.standing.failure.as_ref().is_none_or(|failure| failure.reason == Reason::NotFound);
        match is_final && is_well {
            true if rules.final_recheck.is_zero() => None,
            true => Some(rules.final_recheck),
            false => Some(self.target.interval),
        }
    }

    /// How long it is from now until it is asked for; none for never.
    pub(super) fn wait(&self, rules: &Rules, now: Timestamp) -> Option<Duration> {
        let period = self.period(rules)?;
        let Some(last_asked) = self.standing.last_asked else { return Some(Duration::ZERO) };
        // A clock that was set back does not make a task wait for longer than its period.
        Some(period.saturating_sub(Duration::try_from(now.duration_since(last_asked)).unwrap_or_default()))
    }

    /// Counts what happened since the last good answer; whether there was anything to count.
    pub(super) fn count(&mut self, task: &Task, fleet: &mut Fleet, began: Timestamp, now: Timestamp) -> bool {
        let mut counter = Counter { fleet, group: Group::from(&*self.target), began, counted: false };
        self.standing.tally = Some(Tally::advance(self.standing.tally.as_ref(), task, now, &mut counter));
        counter.counted
    }

    /// Takes in a good answer; a task that is new to the export gets at most `room` series.
    pub(super) fn succeeded(&mut self, task: Task, rules: &Rules, room: usize, now: Timestamp) -> Change {
        let broke = self.standing.failure.take().is_some();
        self.standing.asked(now);
        self.standing.last_success = Some(now);
        let same = self.task.take_if(|known| **known == task);
        let state = self.state.clone().filter(|_| same.is_some());
        let task = self.task.insert(same.unwrap_or_else(|| Arc::new(task)));
        let state = state.unwrap_or_else(|| Arc::new(Sheet::of_task(&self.target, task, rules.instance_histograms)));
        let poll = Arc::new(Sheet::of_poll(true, Some(now)));
        let wanted = state.series() + poll.series();
        if let Some(change) = self.left_out(self.state.is_none(), wanted, room) {
            return change;
        }
        (self.state, self.poll) = (Some(state), Some(poll));
        if broke { Change::Recovered } else { Change::None }
    }

    /// Takes in a failed poll: the last good answer stays as it is. A task that is new to the export gets at most `room`
    /// series.
    pub(super) fn failed(&mut self, failure: Failure, rules: &Rules, room: usize, now: Timestamp) -> Change {
        let first_asked = self.standing.asked(now);
        let is_new = self.task.is_none() && now < later(first_asked, rules.not_found_grace);
        if failure.reason == Reason::NotFound && is_new {
            return Change::NotYetFound;
        }
        let reason = failure.reason;
        let before = self.standing.failure.replace(Box::new(failure)).map(|failure| failure.reason);
        let broke = if before == Some(reason) { Change::None } else { Change::Broke };
        let poll = Sheet::of_poll(false, self.standing.last_success);
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
        let was_left_out = std::mem::replace(&mut self.standing.left_out, is_left_out);
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
            identity: self.identity.clone(),
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
        self.standing.last_success.is_some_and(|success| now > later(success, allowed))
    }
}

impl Standing {
    /// Notes that the task was asked for; when it was for the first time.
    fn asked(&mut self, now: Timestamp) -> Timestamp {
        self.last_asked = Some(now);
        *self.first_asked.get_or_insert(now)
    }

    /// How polling goes; none while nothing is known but that the id is new.
    fn poll_sheet(&self) -> Option<Arc<Sheet<Poll>>> {
        let is_known = self.failure.is_some() || self.last_success.is_some();
        is_known.then(|| Arc::new(Sheet::of_poll(self.failure.is_none(), self.last_success)))
    }
}

fn later(instant: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| instant.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}
