//! From CCE's words to the project's: all judgement about a job, as a pure function of the answer.

use super::time;
use super::wire::{Job, Metadata};
use crate::model::{Exits, Facts, Histogram, Phase, Reading, Task};
use jiff::Timestamp;

/// Phases a leaf sub-job can have here, with the names of the contract's states, in its order.
const STATES: [Phase; 5] = [Phase::Pending, Phase::Running, Phase::Succeeded, Phase::Failed, Phase::Unknown];

/// The task a job is. Its instances are its leaf sub-jobs: one that has sub-jobs itself is not counted, and a job
/// without any has none.
pub(super) fn normalize(job: &Job) -> Reading {
    let phase = phase_of(job.phase());
    let leaves = Leaves::of(job);
    let task = Task {
        phase,
        is_final: phase.outcome().is_some(),
        provider_state: job.phase().into(),
        facts: facts(job),
        instances: STATES.map(|state| (state.as_str(), leaves.count(state))).into(),
        instances_expected: leaves.count_all(),
        instances_failed: leaves.count(Phase::Failed),
        rows_truncated: false,
        exits: Exits::default(),
        created: instant(job, |metadata| metadata.creation_timestamp.as_deref()),
        started: None,
        finished: end(job, phase),
        queue: None,
        startup: None,
        run: Some(leaves.run),
    };
    Reading { task, unknown_states: leaves.unknown_words + u64::from(is_unknown_word(job.phase())) }
}

/// What the leaf sub-jobs come to.
#[derive(Default)]
struct Leaves {
    counts: [u64; STATES.len()],
    run: Histogram,
    unknown_words: u64,
}

impl Leaves {
    fn of(job: &Job) -> Self {
        let mut leaves = Self::default();
        job.sub_jobs().iter().for_each(|job| leaves.add(job));
        leaves
    }

    fn add(&mut self, job: &Job) {
        if !job.sub_jobs().is_empty() {
            job.sub_jobs().iter().for_each(|job| self.add(job));
            return;
        }
        let phase = phase_of(job.phase());
        for (state, count) in STATES.iter().zip(&mut self.counts) {
            *count += u64::from(*state == phase);
        }
        self.unknown_words += u64::from(is_unknown_word(job.phase()));
        let created = instant(job, |metadata| metadata.creation_timestamp.as_deref());
        if let (Some(created), Some(ended)) = (created, end(job, phase)) {
            self.run.observe(ended.duration_since(created).as_secs_f64());
        }
    }

    fn count(&self, phase: Phase) -> u64 {
        STATES.iter().zip(self.counts).filter(|(state, _)| **state == phase).map(|(_, count)| count).sum()
    }

    fn count_all(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// CCE's four words; terminal are `Success` and `Failed`.
fn phase_of(word: &str) -> Phase {
    let known = [
        ("Initializing", Phase::Pending),
        ("Running", Phase::Running),
        ("Success", Phase::Succeeded),
        ("Failed", Phase::Failed),
    ];
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map_or(Phase::Unknown, |(_, phase)| phase)
}

/// A word nobody has mapped; no word at all is unknown too, but tells nobody anything to map.
fn is_unknown_word(word: &str) -> bool {
    !word.is_empty() && phase_of(word) == Phase::Unknown
}

fn facts(job: &Job) -> Facts {
    let Some(spec) = &job.spec else { return Facts::default() };
    let text = |field: Option<&str>| field.unwrap_or_default().into();
    Facts {
        task_name: text(spec.resource_name.as_deref()),
        task_type: text(spec.r#type.as_deref()),
        cluster_id: text(spec.cluster_uid.as_deref()),
        ..Facts::default()
    }
}

/// CCE tells no time of the end: after the end, the last change is it.
fn end(job: &Job, phase: Phase) -> Option<Timestamp> {
    phase.outcome()?;
    instant(job, |metadata| metadata.update_timestamp.as_deref())
}

fn instant(job: &Job, field: impl FnOnce(&Metadata) -> Option<&str>) -> Option<Timestamp> {
    time::parse(field(job.metadata.as_deref()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::huawei::wire::read_job;
    use proptest::prelude::*;
    use std::path::Path;

    fn read(text: &str) -> Reading {
        normalize(&read_job(text.as_bytes()).unwrap())
    }

    fn sample(name: &str) -> Reading {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies/huawei");
        read(&std::fs::read_to_string(folder.join(name)).unwrap())
    }

    fn counts(reading: &Reading) -> Vec<u64> {
        reading.task.instances.iter().map(|(_, count)| *count).collect()
    }

    #[test]
    fn words_of_the_table_in_any_case() {
        let table = [
            ("Initializing", Phase::Pending, false),
            ("Running", Phase::Running, false),
            ("Success", Phase::Succeeded, true),
            ("Failed", Phase::Failed, true),
            ("SUCCESS", Phase::Succeeded, true),
            ("failed", Phase::Failed, true),
            ("Succeeded", Phase::Unknown, false),
            ("Cancelled", Phase::Unknown, false),
            ("", Phase::Unknown, false),
        ];
        for (word, phase, is_final) in table {
            let reading = read(&format!(r#"{{"status":{{"phase":"{word}"}}}}"#));
            let task = &reading.task;
            assert_eq!((task.phase, task.is_final, &*task.provider_state), (phase, is_final, word));
            assert_eq!(reading.unknown_states, u64::from(phase == Phase::Unknown && !word.is_empty()), "{word:?}");
        }
    }

    #[test]
    fn the_vendors_sample() {
        let Reading { task, unknown_states } = sample("show-job.json");
        assert_eq!(task.phase, Phase::Running);
        assert_eq!(&*task.facts.task_type, "CreateCluster");
        assert_eq!(&*task.facts.task_name, "cluster-name");
        assert_eq!(&*task.facts.cluster_id, "4d1ecb2c-229a-11e8-9c75-0255ac100ceb");
        let states = [("pending", 0), ("running", 0), ("succeeded", 2), ("failed", 0), ("unknown", 0)];
        assert_eq!(*task.instances, states);
        assert_eq!(task.instances_expected, 2);
        assert_eq!(task.created, Some("2018-08-02T08:12:40.672772389Z".parse().unwrap()));
        assert_eq!((task.started, task.finished), (None, None));
        let run = task.run.unwrap();
        assert_eq!(run.count(), 2);
        assert!((run.sum() - (774.580_423_413 + 0.756_504_638)).abs() < 1e-6, "{}", run.sum());
        assert_eq!((task.queue, task.startup, unknown_states), (None, None, 0));
    }

    #[test]
    fn only_leaves_are_counted_at_three_levels() {
        let reading = sample("scale-up.json");
        // Two CreateNode, each with two sub-jobs, and one CreateNode without any yet.
        assert_eq!(counts(&reading), [1, 1, 2, 1, 0]);
        assert_eq!(reading.task.instances_expected, 5);
        assert_eq!(reading.task.instances_failed, 1);
        assert_eq!(reading.task.run.map(|run| run.count()), Some(3));
    }

    #[test]
    fn the_spelling_of_the_older_api_reads_alike() {
        let Reading { task, .. } = sample("lower-case.json");
        assert_eq!(task.phase, Phase::Succeeded);
        assert_eq!(task.finished, Some("2025-09-02T10:31:02.5Z".parse().unwrap()));
        assert_eq!(task.run_seconds(), Some(443.512_045));
        assert_eq!(&*task.facts.task_name, "nodepool-1");
        assert_eq!(*task.instances.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [0, 0, 1, 0, 0]);
    }

    proptest! {
        #[test]
        fn no_time_is_a_reason_to_stop(created in times(), updated in times()) {
            let job = |below: &[serde_json::Value]| serde_json::json!({
                "metadata": {"creationTimestamp": created, "updateTimestamp": updated},
                "status": {"phase": "Success"}, "spec": {"subJobs": below},
            });
            let task = read(&job(&[job(&[])]).to_string()).task;
            let seconds = task.run_seconds();
            prop_assert!(seconds.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
            prop_assert!(task.run.is_some_and(|run| run.sum().is_finite()));
        }
    }

    /// Any text, and any instant there is, in both of the forms that are read.
    fn times() -> impl Strategy<Value = String> {
        let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
        let instant = |second| Timestamp::from_second(second).unwrap();
        let go = seconds.clone().prop_map(move |second| instant(second).strftime("%F %T.5 +0000 UTC").to_string());
        let [first, last] = [Timestamp::MIN, Timestamp::MAX].map(|end| Just(end.to_string()));
        prop_oneof![any::<String>(), go, seconds.prop_map(move |second| instant(second).to_string()), first, last]
    }

    #[test]
    fn a_job_without_sub_jobs_has_no_instances() {
        let reading = read(r#"{"spec":{"subJobs":[]},"status":{"phase":"Running"}}"#);
        assert_eq!(counts(&reading), [0; 5]);
        assert_eq!(reading.task.instances_expected, 0);
    }

    #[test]
    fn unknown_words_are_counted_where_they_matter() {
        let reading = read(
            r#"{"status":{"phase":"Paused"},"spec":{"subJobs":[
                {"status":{"phase":"Odd"}}, {}, {"status":{"phase":""}}, {"status":{"phase":"Success"}}]}}"#,
        );
        assert_eq!(counts(&reading), [0, 0, 1, 0, 3]);
        assert_eq!(reading.unknown_states, 2);
    }
}
