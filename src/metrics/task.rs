//! The series of one task: rendered as text when the task changes, copied when somebody scrapes.
//!
//! A task's labels are kept once and each sample as what follows them, so ten thousand tasks cost megabytes and a scrape
//! is still nothing but copying. Protobuf is written from the same tellings when it is asked for. Everything here is a
//! pure function of the task and its target.

use super::Format;
use super::catalogue::{self, Family};
use super::protobuf::{self, Metrics};
use super::sample::{Labels, Samples, Value};
use super::write::{Part, parts, push, push_label};
use crate::model::{self, Histogram, Phase, Target, Task};
use jiff::Timestamp;
use std::sync::Arc;

/// Suffixes of sample names; a kept sample begins with the letter of its own.
const SUFFIXES: [(char, &str); 4] = [('v', ""), ('b', "_bucket"), ('s', "_sum"), ('c', "_count")];

/// The identity labels of a task, rendered for every format.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `provider="…",…,task_id="…"`, and after it the same as pairs of protobuf: a scrape finds both in one place.
    bytes: Arc<[u8]>,
    /// Where the text ends.
    end: usize,
}

impl Identity {
    fn text(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    fn pairs(&self) -> &[u8] {
        self.bytes.get(self.end..).unwrap_or_default()
    }
}

/// The identity labels of a task.
pub fn identity(target: &Target) -> Identity {
    let Target { key, cloud_region, group, .. } = target;
    let values = [key.account.provider.as_str(), &key.account.account, cloud_region, group, &key.task_id];
    let mut labels = [("", ""); catalogue::TASK_LABELS.len()];
    let mut text = String::new();
    for ((name, value), label) in catalogue::TASK_LABELS.into_iter().zip(values).zip(&mut labels) {
        push_label(&mut text, name, value);
        *label = (name, value);
    }
    let (end, mut bytes) = (text.len(), text.into_bytes());
    protobuf::push_pairs(&mut bytes, &labels);
    Identity { bytes: bytes.into(), end }
}

/// Tells the metrics of one family of a `T`.
type Telling<T> = fn(&T, &mut dyn Samples);

/// Something a task has a sheet of.
pub(super) trait Subject: Sized + 'static {
    /// Its families, in the order of the catalogue, and what is told for each.
    const FAMILIES: &'static [(&'static Family, Telling<Self>)];
}

/// The state of a task, as far as it is exported.
#[derive(Debug)]
pub struct State {
    task: Arc<Task>,
    /// The labels the config gives it.
    labels: Arc<model::Labels>,
    /// Whether to export the histograms of its instances.
    histograms: bool,
}

/// How polling a task goes.
#[derive(Debug)]
pub struct Poll {
    success: bool,
    last_success: Option<Timestamp>,
}

impl Subject for State {
    const FAMILIES: &'static [(&'static Family, Telling<Self>)] = &[
        (&catalogue::INFO, info),
        (&catalogue::PHASE, |state, samples| phases(state.task.phase, samples)),
        (&catalogue::PROVIDER_STATE, |state, samples| {
            samples.sample(&[("state", &state.task.provider_state)], Value::Whole(1));
        }),
        (&catalogue::INSTANCES, |state, samples| instances(&state.task, samples)),
        (&catalogue::INSTANCES_EXPECTED, |state, samples| samples.value(state.task.instances_expected)),
        (&catalogue::ROWS_TRUNCATED, |state, samples| samples.value(state.task.rows_truncated)),
        (&catalogue::EXITS, |state, samples| exits(&state.task, samples)),
        (&catalogue::CREATED, |state, samples| samples.instant(state.task.created)),
        (&catalogue::STARTED, |state, samples| samples.instant(state.task.started)),
        (&catalogue::FINISHED, |state, samples| samples.instant(state.task.finished)),
        (&catalogue::RUN_DURATION, |state, samples| {
            state.task.run_seconds().into_iter().for_each(|seconds| samples.value(seconds));
        }),
        (&catalogue::QUEUE, |state, samples| state.durations(state.task.queue.as_ref(), samples)),
        (&catalogue::STARTUP, |state, samples| state.durations(state.task.startup.as_ref(), samples)),
        (&catalogue::RUN, |state, samples| state.durations(state.task.run.as_ref(), samples)),
    ];
}

impl Subject for Poll {
    const FAMILIES: &'static [(&'static Family, Telling<Self>)] = &[
        (&catalogue::POLL_SUCCESS, |poll, samples| samples.value(poll.success)),
        (&catalogue::LAST_POLL_SUCCESS, |poll, samples| samples.instant(poll.last_success)),
    ];
}

/// Samples of one task for the families of its subject.
#[derive(Debug)]
pub struct Sheet<T> {
    subject: T,
    /// Each line: the letter of a suffix, then what follows the identity labels.
    lines: Box<str>,
    /// Where the lines of each family end.
    ends: Box<[usize]>,
    /// How many lines there are.
    series: usize,
}

impl Sheet<State> {
    /// The state of a task. `histograms`: whether to export those of its instances.
    pub fn of_task(target: &Target, task: &Arc<Task>, histograms: bool) -> Self {
        Self::new(State { task: Arc::clone(task), labels: Arc::clone(&target.labels), histograms })
    }
}

impl Sheet<Poll> {
    /// How polling a task goes; `last_success` is left out while there was none.
    pub fn of_poll(success: bool, last_success: Option<Timestamp>) -> Self {
        Self::new(Poll { success, last_success })
    }
}

impl<T> Sheet<T> {
    /// How many samples it holds, as text.
    pub const fn series(&self) -> usize {
        self.series
    }
}

#[expect(private_bounds, reason = "a sheet is made by its own constructors only")]
impl<T: Subject> Sheet<T> {
    fn new(subject: T) -> Self {
        let mut lines = Kept::default();
        let tell = |(_, tell): &(_, Telling<T>)| {
            tell(&subject, &mut lines);
            lines.0.len()
        };
        let ends = T::FAMILIES.iter().map(tell).collect();
        let series = lines.0.bytes().filter(|byte| *byte == b'\n').count();
        Self { subject, lines: lines.0.into(), ends, series }
    }

    /// Appends the samples of the family at `index` of the subject's list.
    pub(super) fn push(&self, index: usize, identity: &Identity, format: Format, body: &mut Vec<u8>) {
        let Some((family, tell)) = T::FAMILIES.get(index) else { return };
        if format == Format::Protobuf {
            tell(&self.subject, &mut Metrics { kind: family.kind, pairs: identity.pairs(), out: body });
        } else {
            self.copy(index, family.name, identity, body);
        }
    }

    fn copy(&self, index: usize, name: &str, identity: &Identity, body: &mut Vec<u8>) {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let lines = self.ends.get(index).and_then(|end| self.lines.get(start..*end)).unwrap_or_default();
        for line in lines.split_inclusive('\n') {
            let mut rest = line.chars();
            let letter = rest.next();
            let suffix = SUFFIXES.iter().find(|(known, _)| Some(*known) == letter).map_or("", |(_, suffix)| suffix);
            for piece in [name.as_bytes(), suffix.as_bytes(), b"{", identity.text(), rest.as_str().as_bytes()] {
                body.extend_from_slice(piece);
            }
        }
    }
}

/// Samples being written as they are kept.
#[derive(Default)]
struct Kept(String);

impl Kept {
    fn push(&mut self, labels: &Labels<'_>, (suffix, bound, value): Part) {
        self.0.extend(SUFFIXES.iter().find(|(_, known)| *known == suffix).map(|(letter, _)| letter));
        for (name, value) in labels {
            push_label(&mut self.0, name, value);
        }
        if let Some(bound) = bound {
            push(&mut self.0, format_args!(",le=\"{bound}\""));
        }
        push(&mut self.0, format_args!("}} {value}\n"));
    }
}

impl Samples for Kept {
    fn sample(&mut self, labels: &Labels<'_>, value: Value) {
        self.push(labels, ("", None, value));
    }

    fn histogram(&mut self, labels: &Labels<'_>, histogram: &Histogram) {
        parts(histogram).for_each(|part| self.push(labels, part));
    }
}

impl State {
    fn durations(&self, histogram: Option<&Histogram>, samples: &mut dyn Samples) {
        if let Some(histogram) = histogram.filter(|_| self.histograms) {
            samples.histogram(&[], histogram);
        }
    }
}

fn info(state: &State, samples: &mut dyn Samples) {
    let facts = &state.task.facts;
    let fixed = [&facts.job_id, &facts.task_name, &facts.task_type, &facts.cluster_id];
    let mut labels: Vec<(&str, &str)> =
        catalogue::INFO.labels.iter().copied().zip(fixed.into_iter().map(|value| &**value)).collect();
    labels.extend(state.labels.iter().map(|(name, value)| (&**name, &**value)));
    samples.sample(&labels, Value::Whole(1));
}

fn phases(current: Phase, samples: &mut dyn Samples) {
    for phase in Phase::ALL {
        samples.sample(&[("phase", phase.as_str())], (phase == current).into());
    }
}

fn instances(task: &Task, samples: &mut dyn Samples) {
    for (state, count) in &task.instances {
        samples.sample(&[("state", state)], Value::Whole(*count));
    }
}

fn exits(task: &Task, samples: &mut dyn Samples) {
    for (code, count) in task.exits.codes() {
        samples.sample(&[("exit_code", &code.to_string())], Value::Whole(count));
    }
    if task.exits.other() > 0 {
        samples.sample(&[("exit_code", "other")], Value::Whole(task.exits.other()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_those_of_the_catalogue() {
        fn names<'a>(families: impl IntoIterator<Item = &'a Family>) -> Vec<&'a str> {
            families.into_iter().map(|family| family.name).collect()
        }
        let of_state = State::FAMILIES.iter().map(|(family, _)| *family);
        assert_eq!(names(of_state), names(catalogue::TASK));
        let of_poll = Poll::FAMILIES.iter().map(|(family, _)| *family);
        assert_eq!(names(of_poll), names(catalogue::POLL));
    }
}
