//! From the vendor's answer to a [`Task`]: all judgement about its words, pure.
//!
//! A word that is in no table is `unknown` and counted, never guessed.

use super::wire::{Row, Scalar, TaskInfo};
use crate::cloud::Error;
use crate::model::{Exits, Facts, Phase, Reading, Reason, Task};
use jiff::Timestamp;

/// States of an instance, in the order they are exported.
const STATES: [&str; 4] = ["pending", "succeeded", "failed", "unknown"];

/// What an answer says of a task.
///
/// # Errors
/// [`Reason::Decode`] for an answer that does not say where the task stands.
pub(super) fn reading(info: &TaskInfo) -> Result<Reading, Error> {
    let word = info.state.get().ok_or_else(|| Error::new(Reason::Decode, "the answer has no `state`"))?;
    let phase = phase(word);
    let rows = info.task_result.as_deref().unwrap_or_default();
    let counts = count(rows);
    let [_, _, failed, unknown] = counts;
    let task = Task {
        phase,
        is_final: phase.outcome().is_some(),
        provider_state: word.trim().into(),
        facts: facts(info),
        instances: STATES.into_iter().zip(counts).collect(),
        instances_expected: counts.iter().sum(),
        instances_failed: failed,
        rows_truncated: false,
        exits: Exits::default(),
        created: timestamp(&info.created).or_else(|| timestamp(&info.created_at)),
        started: None,
        // There is no end time: nothing changes a task after its end, so the last change is it.
        finished: phase.outcome().and_then(|_| timestamp(&info.updated).or_else(|| timestamp(&info.updated_at))),
        queue: None,
        startup: None,
        run: None,
    };
    Ok(Reading { task, unknown_states: unknown + u64::from(phase == Phase::Unknown) })
}

/// An instant in RFC 3339, with any offset, with or without a fraction; nothing where there is none, or where Go's zero time
/// (the year 1) says so.
pub(super) fn timestamp(text: &Scalar) -> Option<Timestamp> {
    text.get()?.trim().parse().ok().filter(|instant| *instant > Timestamp::UNIX_EPOCH)
}

/// The phase of a task by the vendor's word. `failed` was the documented word until 2023, `fail` since; both are met.
fn phase(word: &str) -> Phase {
    match word.trim().to_ascii_lowercase().as_str() {
        // The documentation once had the misspelt word.
        "initial" | "initail" | "pending" | "waiting" => Phase::Pending,
        "running" => Phase::Running,
        "paused" | "pause" => Phase::Paused,
        "success" => Phase::Succeeded,
        "fail" | "failed" | "timeout" => Phase::Failed,
        "canceled" | "cancelled" => Phase::Cancelled,
        _ => Phase::Unknown,
    }
}

/// Rows by status, in the order of [`STATES`]. A row knows fewer words than a task.
fn count(rows: &[Row]) -> [u64; 4] {
    let [mut pending, mut succeeded, mut failed, mut unknown] = [0; 4];
    for row in rows {
        match phase(row.status.text()) {
            Phase::Pending => pending += 1,
            Phase::Succeeded => succeeded += 1,
            Phase::Failed => failed += 1,
            Phase::Running | Phase::Paused | Phase::Cancelled | Phase::Unknown => unknown += 1,
        }
    }
    [pending, succeeded, failed, unknown]
}

fn facts(info: &TaskInfo) -> Facts {
    let target = info.target.as_ref().map(|target| target.id.text()).unwrap_or_default();
    Facts {
        task_name: target.into(),
        task_type: info.task_type.text().into(),
        cluster_id: info.cluster_id.text().into(),
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> Reading {
        reading(&serde_json::from_str(body).unwrap()).unwrap()
    }

    #[test]
    fn an_unset_time_is_none() {
        let task = read(r#"{"task_id":"T-1","state":"success","created":"0001-01-01T00:00:00Z","updated":""}"#).task;
        assert_eq!((task.created, task.finished), (None, None));
    }

    fn fixture(name: &str) -> Reading {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies/aliyun").join(name);
        read(&std::fs::read_to_string(path).unwrap())
    }

    fn counts(reading: &Reading) -> Vec<u64> {
        assert_eq!(reading.task.instances.iter().map(|(state, _)| *state).collect::<Vec<_>>(), STATES);
        reading.task.instances.iter().map(|(_, count)| *count).collect()
    }

    #[test]
    fn the_table_of_phases() {
        let table = [
            (Phase::Pending, &["initial", "initail", "pending", "waiting"][..]),
            (Phase::Running, &["running", "RUNNING", " running "]),
            (Phase::Paused, &["paused", "pause"]),
            (Phase::Succeeded, &["success", "Success"]),
            (Phase::Failed, &["fail", "failed", "Failed", "timeout"]),
            (Phase::Cancelled, &["canceled", "cancelled"]),
            // Plausible, and in no source.
            (Phase::Unknown, &["succeeded", "finished", "completed", "error", "failure", "cancel", "pausing"]),
            (Phase::Unknown, &["init", "scheduled", "processing", "in_progress", "", "7"]),
        ];
        for (expected, words) in table {
            for word in words {
                let reading = read(&serde_json::json!({"state": word}).to_string());
                assert_eq!(reading.task.phase, expected, "{word}");
                assert_eq!(reading.task.is_final, expected.outcome().is_some(), "{word}");
                assert_eq!(reading.unknown_states, u64::from(expected == Phase::Unknown), "{word}");
                assert_eq!(&*reading.task.provider_state, word.trim());
            }
        }
    }

    #[test]
    fn rows_are_counted_by_status() {
        let rows: Vec<_> = ["success", "SUCCESS", "fail", "failed", "initial", "initail", "running", "odd", "canceled"]
            .into_iter()
            .map(|status| serde_json::json!({"status": status, "data": {"any": ["thing"]}}))
            .chain([serde_json::json!({"data": 1})])
            .collect();
        let reading = read(&serde_json::json!({"state": "running", "task_result": rows}).to_string());
        assert_eq!(counts(&reading), [2, 2, 2, 4]);
        assert_eq!((reading.task.instances_expected, reading.task.instances_failed), (10, 2));
        assert_eq!(reading.unknown_states, 4);
    }

    #[test]
    fn the_documented_sample() {
        let reading = fixture("documented.json");
        assert_eq!(counts(&reading), [0, 1, 0, 0]);
        let task = reading.task;
        assert_eq!((task.phase, task.is_final, &*task.provider_state), (Phase::Running, false, "running"));
        assert_eq!(task.created, Some("2020-11-10T08:02:04Z".parse().unwrap()));
        assert_eq!((task.started, task.finished, task.run_seconds()), (None, None, None));
        assert_eq!((&*task.facts.task_type, &*task.facts.task_name), ("cluster_scaleout", ""));
        assert_eq!(&*task.facts.cluster_id, "c78592bfe92244365b3c3ad47f1de****");
    }

    #[test]
    fn a_misspelt_status_is_pending() {
        let reading = fixture("scale-out.json");
        assert_eq!(counts(&reading), [1, 1, 0, 0]);
        assert_eq!(reading.unknown_states, 0);
    }

    #[test]
    fn a_failed_task_with_everything_newer_answers_hold() {
        let reading = fixture("failed-upgrade.json");
        assert_eq!(counts(&reading), [0, 0, 0, 0]);
        let task = reading.task;
        assert_eq!((task.phase, task.is_final), (Phase::Failed, true));
        assert_eq!(task.finished, Some("2022-08-03T02:12:03.482Z".parse().unwrap()));
        assert_eq!(task.run_seconds(), Some(30.482));
        assert_eq!(&*task.facts.task_name, "np1");
    }

    #[test]
    fn times_have_two_names_and_are_left_out_where_they_say_nothing() {
        let old = r#"{"state": "success", "created_at": "2021-01-01T00:00:00Z", "updated_at": "2021-01-01T00:01:00Z"}"#;
        assert_eq!(read(old).task.run_seconds(), Some(60.0));
        for odd in [r#""""#, "null", r#""yesterday""#, r#""2022-12-15 23:00:00""#, "7"] {
            let task = read(&format!(r#"{{"state": "success", "created": {odd}, "updated": {odd}}}"#)).task;
            assert_eq!((task.created, task.finished), (None, None), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_time_is_a_reason_to_stop(created in times(), updated in times()) {
            let body = serde_json::json!({"state": "success", "created": created, "updated": updated}).to_string();
            let seconds = read(&body).task.run_seconds();
            prop_assert!(seconds.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
        }
    }

    /// Any text, and any instant there is.
    fn times() -> impl Strategy<Value = String> {
        let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
        let instants = seconds.prop_map(|second| Timestamp::from_second(second).unwrap().to_string());
        let ends = [Timestamp::MIN, Timestamp::MAX].map(|end| Just(end.to_string()));
        let [first, last] = ends;
        prop_oneof![any::<String>(), instants, first, last]
    }

    #[test]
    fn no_state_is_no_answer() {
        for body in ["{}", r#"{"state": null, "task_id": "T-1"}"#] {
            let error = reading(&serde_json::from_str(body).unwrap()).unwrap_err();
            assert_eq!(error.reason(), Reason::Decode);
        }
    }
}
