//! The series of one task: rendered when the task changes, copied when somebody scrapes.
//!
//! A task's labels are kept once and each sample as what follows them, so ten thousand tasks cost megabytes and a scrape
//! is still nothing but copying. Everything here is a pure function of the task and its target.

use super::catalogue::{self, Family};
use super::write::{histogram_samples, push_label};
use crate::model::{Histogram, Phase, Target, Task};
use jiff::Timestamp;
use std::fmt::Display;
use std::sync::Arc;

/// Suffixes of sample names; a kept sample begins with the letter of its own.
const SUFFIXES: [(char, &str); 4] = [('v', ""), ('b', "_bucket"), ('s', "_sum"), ('c', "_count")];

/// The identity labels of a task, rendered: `provider="…",…,task_id="…"`.
pub fn identity(target: &Target) -> Arc<str> {
    let Target { key, cloud_region, group, .. } = target;
    let values = [key.account.provider.as_str(), &key.account.account, cloud_region, group, &key.task_id];
    let mut text = String::new();
    for (name, value) in catalogue::TASK_LABELS.into_iter().zip(values) {
        push_label(&mut text, name, value);
    }
    text.into()
}

/// Samples of one task for a list of families, in the list's order.
#[derive(Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Each line: the letter of a suffix, then what follows the identity labels.
    lines: Box<str>,
    /// Where the lines of each family end.
    ends: Box<[usize]>,
    /// How many lines there are.
    series: usize,
}

impl Sheet {
    /// The state of a task. `histograms`: whether to export those of its instances.
    pub fn of_task(target: &Target, task: &Task, histograms: bool) -> Self {
        let mut sheet = Writer::new(catalogue::TASK);
        sheet.family(&catalogue::INFO, |lines| info(target, task, lines));
        sheet.family(&catalogue::PHASE, |lines| phases(task.phase, lines));
        sheet.family(&catalogue::PROVIDER_STATE, |lines| lines.labelled(&[("state", &task.provider_state)], 1));
        sheet.family(&catalogue::INSTANCES, |lines| instances(task, lines));
        sheet.family(&catalogue::INSTANCES_EXPECTED, |lines| lines.value(task.instances_expected));
        sheet.family(&catalogue::ROWS_TRUNCATED, |lines| lines.value(u8::from(task.rows_truncated)));
        sheet.family(&catalogue::EXITS, |lines| exits(task, lines));
        sheet.family(&catalogue::CREATED, |lines| lines.instant(task.created));
        sheet.family(&catalogue::STARTED, |lines| lines.instant(task.started));
        sheet.family(&catalogue::FINISHED, |lines| lines.instant(task.finished));
        sheet.family(&catalogue::RUN_DURATION, |lines| lines.maybe(task.run_seconds()));
        sheet.family(&catalogue::QUEUE, |lines| lines.histogram(task.queue.as_ref().filter(|_| histograms)));
        sheet.family(&catalogue::STARTUP, |lines| lines.histogram(task.startup.as_ref().filter(|_| histograms)));
        sheet.family(&catalogue::RUN, |lines| lines.histogram(task.run.as_ref().filter(|_| histograms)));
        sheet.finish()
    }

    /// How polling a task goes; `last_success` is left out while there was none.
    pub fn of_poll(success: bool, last_success: Option<Timestamp>) -> Self {
        let mut sheet = Writer::new(catalogue::POLL);
        sheet.family(&catalogue::POLL_SUCCESS, |lines| lines.value(u8::from(success)));
        sheet.family(&catalogue::LAST_POLL_SUCCESS, |lines| lines.instant(last_success));
        sheet.finish()
    }

    /// How many samples it holds.
    pub const fn series(&self) -> usize {
        self.series
    }

    /// Copies the samples of the family at `index` of the sheet's list.
    pub(super) fn copy(&self, index: usize, name: &str, identity: &str, body: &mut Vec<u8>) {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let lines = self.ends.get(index).and_then(|end| self.lines.get(start..*end)).unwrap_or_default();
        for line in lines.split_inclusive('\n') {
            let mut rest = line.chars();
            let letter = rest.next();
            let suffix = SUFFIXES.iter().find(|(known, _)| Some(*known) == letter).map_or("", |(_, suffix)| suffix);
            for piece in [name, suffix, "{", identity, rest.as_str()] {
                body.extend_from_slice(piece.as_bytes());
            }
        }
    }
}

/// A sheet being written, family by family in the order of its list.
struct Writer {
    families: &'static [Family],
    lines: Lines,
    ends: Vec<usize>,
}

impl Writer {
    fn new(families: &'static [Family]) -> Self {
        Self { families, lines: Lines::default(), ends: Vec::with_capacity(families.len()) }
    }

    fn family(&mut self, family: &Family, write: impl FnOnce(&mut Lines)) {
        debug_assert_eq!(self.families.get(self.ends.len()).map(|next| next.name), Some(family.name));
        write(&mut self.lines);
        self.ends.push(self.lines.0.len());
    }

    fn finish(self) -> Sheet {
        debug_assert_eq!(self.ends.len(), self.families.len());
        let series = self.lines.0.bytes().filter(|byte| *byte == b'\n').count();
        Sheet { lines: self.lines.0.into(), ends: self.ends.into(), series }
    }
}

/// Samples being written.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn value(&mut self, value: impl Display) {
        self.labelled(&[], value);
    }

    fn maybe(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.value(value);
        }
    }

    fn instant(&mut self, instant: Option<Timestamp>) {
        self.maybe(instant.map(|instant| instant.as_duration().as_secs_f64()));
    }

    fn labelled(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.0.push('v');
        for (name, value) in labels {
            push_label(&mut self.0, name, value);
        }
        super::write::push(&mut self.0, format_args!("}} {value}\n"));
    }

    fn histogram(&mut self, histogram: Option<&Histogram>) {
        for (suffix, rest) in histogram.into_iter().flat_map(histogram_samples) {
            self.0.extend(SUFFIXES.iter().find(|(_, known)| *known == suffix).map(|(letter, _)| letter));
            self.0.push_str(&rest);
        }
    }
}

fn info(target: &Target, task: &Task, lines: &mut Lines) {
    let facts = &task.facts;
    let fixed = [&facts.job_id, &facts.task_name, &facts.task_type, &facts.cluster_id];
    let mut labels: Vec<(&str, &str)> =
        catalogue::INFO.labels.iter().copied().zip(fixed.into_iter().map(|value| &**value)).collect();
    labels.extend(target.labels.iter().map(|(name, value)| (&**name, &**value)));
    lines.labelled(&labels, 1);
}

fn phases(current: Phase, lines: &mut Lines) {
    for phase in Phase::ALL {
        lines.labelled(&[("phase", phase.as_str())], u8::from(phase == current));
    }
}

fn instances(task: &Task, lines: &mut Lines) {
    for (state, count) in &task.instances {
        lines.labelled(&[("state", state)], count);
    }
}

fn exits(task: &Task, lines: &mut Lines) {
    for (code, count) in task.exits.codes() {
        lines.labelled(&[("exit_code", &code.to_string())], count);
    }
    if task.exits.other() > 0 {
        lines.labelled(&[("exit_code", "other")], task.exits.other());
    }
}
