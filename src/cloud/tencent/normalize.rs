//! What an answer means: from the vendor's words to a [`Task`]. All judgement is here, and all of it is pure.
//!
//! Counts come from `TaskInstanceMetrics`; rows only tell what the counts do not: times and exit codes.

use super::id::TaskId;
use super::state::State;
use super::wire::{DescribedTask, TaskInstanceMetrics, TaskInstanceView};
use crate::model::{Exits, Facts, Histogram, Phase, Reading, Task};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};

/// The states an instance has when its command has ended, as labels.
const ENDED: [&str; 3] = [State::Succeed.label(), State::Failed.label(), State::FailedInterrupted.label()];

/// What only the rows of a task tell.
#[derive(Debug, Default)]
pub(super) struct RowFacts {
    exits: Exits,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    queue: Histogram,
    startup: Histogram,
    run: Histogram,
    truncated: bool,
    unknown_states: u64,
}

/// Rows as they come in, page by page. Nothing of a row is kept but what it adds.
#[derive(Debug, Default)]
pub(super) struct Rows {
    seen: HashSet<u64>,
    exits: BTreeMap<i64, u64>,
    facts: RowFacts,
}

impl Rows {
    /// Takes rows in. One that was there already is left out: pages shift while a task is at work.
    pub(super) fn add(&mut self, rows: &[TaskInstanceView]) {
        for row in rows {
            if self.seen.insert(row.task_instance_index) {
                self.add_new(row);
            }
        }
    }

    fn add_new(&mut self, row: &TaskInstanceView) {
        let facts = &mut self.facts;
        let [created, launched, running, ended] =
            [&row.create_time, &row.launch_time, &row.running_time, &row.end_time].map(|text| instant(text.as_deref()));
        let state = State::parse(&row.task_instance_state);
        facts.unknown_states += u64::from(state.is_none());
        observe(&mut facts.queue, created, launched);
        observe(&mut facts.startup, launched, running);
        facts.started = [facts.started, running].into_iter().flatten().min();
        // An instance that is tried again may still carry its last end.
        if state.is_some_and(State::has_ended) {
            observe(&mut facts.run, running, ended);
            facts.ended = facts.ended.max(ended);
            if let Some(code) = row.exit_code {
                *self.exits.entry(code).or_default() += 1;
            }
        }
    }

    /// What the rows told. `whole`: whether all of them were read.
    pub(super) fn finish(self, whole: bool) -> RowFacts {
        RowFacts { exits: Exits::bounded(self.exits), truncated: !whole, ..self.facts }
    }
}

impl RowFacts {
    /// What was told before, for a task none of whose instances has ended since.
    pub(super) fn carried_over(previous: &Task) -> Self {
        Self {
            exits: previous.exits.clone(),
            started: previous.started,
            ended: previous.finished,
            queue: previous.queue.clone().unwrap_or_default(),
            startup: previous.startup.clone().unwrap_or_default(),
            run: previous.run.clone().unwrap_or_default(),
            truncated: previous.rows_truncated,
            unknown_states: 0,
        }
    }
}

/// Whether the rows can tell anything new since `previous`: one costs a request, a thousand cost no more, but none is
/// cheaper.
pub(super) fn wants_rows(answer: &DescribedTask, previous: Option<&Task>) -> bool {
    let now = instances(answer);
    let ended = |counts: &[(&'static str, u64)]| ENDED.map(|label| number_of(counts, label));
    let begun = |counts: &[(&'static str, u64)]| {
        number_of(counts, State::Running.label()) + ended(counts).into_iter().sum::<u64>() > 0
    };
    let Some(previous) = previous else {
        return begun(&now);
    };
    let is_over = phase(answer).outcome().is_some();
    ended(&now) != ended(&previous.instances)
        || (begun(&now) && !begun(&previous.instances))
        // The last word on times, and the only one on the end where the task itself has none.
        || (is_over && previous.phase.outcome().is_none())
}

/// The task an answer and its rows describe. `previous` is only asked for what an answer leaves out.
pub(super) fn reading(id: &TaskId<'_>, answer: &DescribedTask, rows: RowFacts, previous: Option<&Task>) -> Reading {
    let state = State::parse(&answer.task_state);
    let phase = phase(answer);
    let finished = phase.outcome().and_then(|_| instant(answer.end_time.as_deref()).or(rows.ended));
    let task = Task {
        phase,
        is_final: state.is_some_and(State::is_final),
        provider_state: (*answer.task_state).into(),
        facts: Facts { job_id: id.job.into(), task_name: id.task.into(), ..Facts::default() },
        instances: instances(answer),
        instances_expected: answer.task_instance_total_count,
        instances_failed: match &answer.task_instance_metrics {
            Some(metrics) => metrics.failed_count.saturating_add(metrics.failed_interrupted_count),
            // A count that is missing once must not look like failures undone.
            None => previous.map_or(0, |task| task.instances_failed),
        },
        rows_truncated: rows.truncated,
        exits: rows.exits,
        created: instant(answer.create_time.as_deref()),
        started: rows.started,
        finished,
        queue: Some(rows.queue),
        startup: Some(rows.startup),
        run: Some(rows.run),
    };
    Reading { task, unknown_states: rows.unknown_states + u64::from(state.is_none()) }
}

fn phase(answer: &DescribedTask) -> Phase {
    State::parse(&answer.task_state).map_or(Phase::Unknown, State::phase)
}

/// Number of instances by state; nothing where the answer does not say.
fn instances(answer: &DescribedTask) -> Box<[(&'static str, u64)]> {
    let Some(metrics) = &answer.task_instance_metrics else {
        return Box::default();
    };
    State::ALL.into_iter().map(|state| (state.label(), metrics.of(state))).collect()
}

fn number_of(counts: &[(&'static str, u64)], label: &str) -> u64 {
    counts.iter().find(|(state, _)| *state == label).map_or(0, |(_, count)| *count)
}

impl TaskInstanceMetrics {
    const fn of(&self, state: State) -> u64 {
        match state {
            State::Submitted => self.submitted_count,
            State::Pending => self.pending_count,
            State::Runnable => self.runnable_count,
            State::Starting => self.starting_count,
            State::Running => self.running_count,
            State::Succeed => self.succeed_count,
            State::Failed => self.failed_count,
            State::FailedInterrupted => self.failed_interrupted_count,
        }
    }
}

fn observe(histogram: &mut Histogram, from: Option<Timestamp>, to: Option<Timestamp>) {
    if let (Some(from), Some(to)) = (from, to) {
        histogram.observe(to.duration_since(from).as_secs_f64());
    }
}

/// An instant such as `2017-08-17T12:59:40Z`; none where it is unset, which may read as Go's zero time (the year 1), or no
/// instant.
pub(super) fn instant(text: Option<&str>) -> Option<Timestamp> {
    text?.trim().parse().ok().filter(|instant| *instant > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Answer;
    use crate::cloud::tencent::answer;
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::path::Path;

    const ID: TaskId<'static> = TaskId { job: "job-97zcl3wt", task: "A" };

    /// A vendor's sample answer.
    fn reply(name: &str) -> DescribedTask {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies/tencent");
        let body = std::fs::read(root.join(name)).unwrap().into();
        answer::read(&Answer { status: StatusCode::OK, headers: HeaderMap::new(), body }).unwrap()
    }

    fn described(fields: &Value) -> DescribedTask {
        let mut document = json!({"TaskState": "RUNNING", "TaskInstanceTotalCount": 3, "TaskInstanceMetrics": {}});
        document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(document).unwrap()
    }

    fn read_whole(answer: &DescribedTask) -> Reading {
        let mut rows = Rows::default();
        rows.add(answer.rows());
        reading(&ID, answer, rows.finish(true), None)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn counts(task: &Task) -> Vec<u64> {
        task.instances.iter().map(|(_, count)| *count).collect()
    }

    #[test]
    fn the_sample_of_2017_is_a_running_task() {
        let Reading { task, unknown_states } = read_whole(&reply("describe-task-2017.json"));
        assert_eq!((task.phase, task.is_final, &*task.provider_state), (Phase::Running, false, "RUNNING"));
        let labels: Vec<&str> = task.instances.iter().map(|(label, _)| *label).collect();
        assert_eq!(
            labels,
            ["submitted", "pending", "runnable", "starting", "running", "succeeded", "failed", "failed_interrupted"]
        );
        assert_eq!(counts(&task), [0, 0, 1, 0, 1, 1, 0, 0]);
        assert_eq!((task.instances_expected, task.instances_failed, unknown_states), (3, 0, 0));
        assert_eq!(task.created, Some(at("2017-08-17T12:59:40Z")));
        assert_eq!(task.started, Some(at("2017-08-17T13:00:56Z")));
        assert_eq!(task.finished, None);
        assert_eq!(task.exits.codes().collect::<Vec<_>>(), [(0, 1)]);
        let sums = [&task.queue, &task.startup, &task.run].map(|h| h.as_ref().map(|h| (h.count(), h.sum())).unwrap());
        assert_eq!(sums, [(2, 4.0), (2, 148.0), (1, 19.0)]);
    }

    #[test]
    fn the_samples_of_2018_and_2023_are_the_same_finished_task() {
        let old = read_whole(&reply("describe-task-2018.json"));
        let new = read_whole(&reply("describe-task-2023.json"));
        assert_eq!(old, new);
        let task = new.task;
        assert_eq!((task.phase, task.is_final, &*task.provider_state), (Phase::Succeeded, true, "SUCCEED"));
        assert_eq!(counts(&task), [0, 0, 0, 0, 0, 2, 0, 0]);
        assert_eq!((&*task.facts.job_id, &*task.facts.task_name), ("job-97zcl3wt", "A"));
        assert_eq!(task.started, Some(at("2018-02-07T09:29:55Z")));
        assert_eq!(task.finished, Some(at("2018-02-07T09:30:31Z")));
        assert_eq!(task.run_seconds(), Some(36.0));
        assert!(!task.rows_truncated);
    }

    #[test]
    fn every_word_has_its_phase() {
        for (word, phase, is_final, unknown) in [
            ("SUBMITTED", Phase::Pending, false, 0),
            ("PENDING", Phase::Pending, false, 0),
            ("RUNNABLE", Phase::Pending, false, 0),
            ("STARTING", Phase::Pending, false, 0),
            ("RUNNING", Phase::Running, false, 0),
            ("running", Phase::Running, false, 0),
            ("SUCCEED", Phase::Succeeded, true, 0),
            ("SUCCEEDED", Phase::Succeeded, true, 0),
            ("FAILED", Phase::Failed, true, 0),
            ("FAILED_INTERRUPTED", Phase::Failed, false, 0),
            ("TERMINATING", Phase::Unknown, false, 1),
        ] {
            let read = read_whole(&described(&json!({"TaskState": word})));
            assert_eq!(
                (read.task.phase, read.task.is_final, read.unknown_states),
                (phase, is_final, unknown),
                "{word}"
            );
            assert_eq!(&*read.task.provider_state, word);
        }
    }

    #[test]
    fn counts_are_never_counted_from_rows() {
        let row = json!({"TaskInstanceIndex": 0, "TaskInstanceState": "FAILED", "ExitCode": 1});
        let metrics = json!({"FailedCount": 5, "InterruptedCount": 2, "SucceededCount": 9});
        let answer = described(&json!({"TaskInstanceSet": [row], "TaskInstanceMetrics": metrics}));
        let task = read_whole(&answer).task;
        assert_eq!(counts(&task), [0, 0, 0, 0, 0, 9, 5, 2]);
        assert_eq!(task.instances_failed, 7);
        let silent = described(&json!({"TaskInstanceMetrics": null}));
        let read = reading(&ID, &silent, RowFacts::default(), Some(&task)).task;
        assert_eq!((read.instances.len(), read.instances_failed), (0, 7));
    }

    #[test]
    fn a_row_counts_once_and_only_what_it_says() {
        let row = |index: u64, state: &str, code: Value, times: [Value; 4]| {
            let [created, launched, running, ended] = times;
            json!({
                "TaskInstanceIndex": index, "TaskInstanceState": state, "ExitCode": code,
                "CreateTime": created, "LaunchTime": launched, "RunningTime": running, "EndTime": ended,
            })
        };
        let time = |minute: u32| json!(format!("2026-01-01T00:{minute:02}:00Z"));
        let answer = described(&json!({"TaskState": "FAILED", "EndTime": null, "TaskInstanceSet": [
            row(2, "FAILED", json!(137), [time(0), time(1), time(2), time(9)]),
            row(2, "FAILED", json!(137), [time(0), time(1), time(2), time(9)]),
            // Tried again: the last end and its code are still there.
            row(0, "RUNNING", json!(1), [time(0), time(4), time(5), time(3)]),
            // Ended before it ran.
            row(1, "FAILED", json!(null), [time(0), json!(""), json!(null), time(7)]),
            row(3, "VANISHED", json!(0), [time(0), json!("soon"), json!(null), json!(null)]),
        ]}));
        let Reading { task, unknown_states } = read_whole(&answer);
        assert_eq!(unknown_states, 1);
        assert_eq!(task.exits.codes().collect::<Vec<_>>(), [(137, 1)]);
        assert_eq!(task.started, Some(at("2026-01-01T00:02:00Z")));
        assert_eq!(task.finished, Some(at("2026-01-01T00:09:00Z")), "the latest end of a row, where the task has none");
        let sums = [&task.queue, &task.startup, &task.run].map(|h| h.as_ref().map(|h| (h.count(), h.sum())).unwrap());
        assert_eq!(sums, [(2, 300.0), (2, 120.0), (1, 420.0)]);
    }

    #[test]
    fn an_end_time_is_believed_in_a_terminal_phase_only() {
        for (state, expected) in [("STARTING", None), ("FAILED_INTERRUPTED", Some(at("2026-01-01T00:00:00Z")))] {
            let answer = described(&json!({"TaskState": state, "EndTime": "2026-01-01T00:00:00Z"}));
            assert_eq!(read_whole(&answer).task.finished, expected, "{state}");
        }
    }

    #[test]
    fn rows_are_wanted_when_they_can_tell_something_new() {
        let answer = |state: &str, running: u64, succeeded: u64, failed: u64| {
            let metrics = json!({"RunningCount": running, "SucceedCount": succeeded, "FailedCount": failed});
            described(&json!({"TaskState": state, "TaskInstanceMetrics": metrics}))
        };
        let waiting = answer("PENDING", 0, 0, 0);
        let running = answer("RUNNING", 3, 0, 0);
        let one_done = answer("RUNNING", 2, 1, 0);
        let over = answer("SUCCEED", 0, 3, 0);
        let all_done = answer("RUNNING", 0, 3, 0);
        let retried = answer("RUNNABLE", 0, 2, 0);
        for (now, before, expected, why) in [
            (&waiting, None, false, "nothing has begun"),
            (&running, None, true, "what began before us"),
            (&over, None, true, "what ended before us"),
            (&running, Some(&waiting), true, "the first began to run"),
            (&running, Some(&running), false, "nothing ended"),
            (&one_done, Some(&running), true, "one ended"),
            (&over, Some(&all_done), true, "the task ended"),
            (&over, Some(&over), false, "nothing more to come"),
            (&retried, Some(&over), true, "counts went back"),
        ] {
            let before = before.map(|before| read_whole(before).task);
            assert_eq!(wants_rows(now, before.as_ref()), expected, "{why}");
        }
    }

    #[test]
    fn what_rows_told_is_carried_over() {
        let before = read_whole(&reply("describe-task-2018.json")).task;
        let again =
            reading(&ID, &reply("describe-task-2018.json"), RowFacts::carried_over(&before), Some(&before)).task;
        assert_eq!(again, before);
    }

    /// Rows with any state, code and times (in seconds), each index once.
    fn any_rows() -> impl Strategy<Value = Vec<TaskInstanceView>> {
        let time = || prop::option::of(0i64..100_000);
        let row = (0usize..=8, prop::option::of(-3i64..20), [time(), time(), time(), time()]);
        prop::collection::btree_map(0u64..40, row, 0..40).prop_map(|rows| {
            let rows = rows.into_iter().map(|(index, (state, exit_code, times))| {
                let [create_time, launch_time, running_time, end_time] =
                    times.map(|time| time.map(|time| Timestamp::from_second(time).unwrap().to_string().into()));
                let state = State::ALL.get(state).map_or("VANISHED", |state| state.word());
                TaskInstanceView {
                    task_instance_index: index,
                    task_instance_state: state.into(),
                    exit_code,
                    create_time,
                    launch_time,
                    running_time,
                    end_time,
                }
            });
            rows.collect()
        })
    }

    /// Any text, and any instant there is.
    fn times() -> impl Strategy<Value = String> {
        let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
        let instants = seconds.prop_map(|second| Timestamp::from_second(second).unwrap().to_string());
        let [first, last] = [Timestamp::MIN, Timestamp::MAX].map(|end| Just(end.to_string()));
        prop_oneof![any::<String>(), instants, first, last]
    }

    proptest! {
        #[test]
        fn no_time_is_a_reason_to_stop(created in times(), launched in times(), running in times(), ended in times()) {
            let row = json!({
                "TaskInstanceIndex": 0, "TaskInstanceState": "FAILED", "CreateTime": created, "LaunchTime": launched,
                "RunningTime": running, "EndTime": ended,
            });
            let task = json!({"TaskState": "FAILED", "CreateTime": created, "EndTime": ended, "TaskInstanceSet": [row]});
            let task = read_whole(&described(&task)).task;
            let seconds = task.run_seconds();
            prop_assert!(seconds.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
            let sums = [task.queue, task.startup, task.run].map(|histogram| histogram.map_or(0.0, |it| it.sum()));
            prop_assert!(sums.iter().all(|sum| sum.is_finite()));
        }

        #[test]
        fn neither_order_nor_pages_nor_repetition_of_rows_matter(mut rows in any_rows(), cut in 0usize..40) {
            let told = |pages: &[&[TaskInstanceView]]| {
                let mut all = Rows::default();
                for page in pages {
                    all.add(page);
                }
                format!("{:?}", all.finish(true))
            };
            let whole = told(&[&rows]);
            rows.reverse();
            let (first, second) = rows.split_at(cut.min(rows.len()));
            prop_assert_eq!(whole, told(&[first, second, first]));
        }
    }

    #[test]
    fn an_unset_time_is_none() {
        for text in ["0001-01-01T00:00:00Z", "", "soon"] {
            assert_eq!(instant(Some(text)), None, "{text}");
        }
        assert!(instant(Some("2017-08-17T12:59:40Z")).is_some());
    }
}
