//! What must hold whatever a cloud answers: the laws the fuzz targets share.
//!
//! A law that is broken panics, which is what a fuzzer looks for. Nothing here mends or skips anything.

use cloud_task_exporter::cloud::{Answer, Error, chain};
use cloud_task_exporter::metrics::{Body, Format, Own};
use cloud_task_exporter::model::{
    AccountKey, Labels, MAX_EXIT_CODES, MAX_LABEL, Phase, Provider, Reading, Target, Task, TaskKey,
};
use cloud_task_exporter::store::{Rules, Store};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The statuses a body may come with: those the clouds' tables tell apart.
const STATUSES: [u16; 8] = [200, 302, 400, 401, 403, 404, 429, 503];
/// No error is longer, in characters: a code and a message, each cut at 300, and what stands around them.
const LONGEST_ERROR: usize = 1000;

static OWN: LazyLock<Arc<Own>> = LazyLock::new(|| Arc::new(Own::new().expect("the catalogue is consistent")));

/// An answer of that status and body.
pub fn answer(status: u16, body: &[u8]) -> Answer {
    let status = StatusCode::from_u16(status).expect("a status of the list");
    Answer { status, headers: HeaderMap::new(), body: body.to_vec().into() }
}

/// Reads the body under every status; what comes of it keeps the laws of readings and of errors.
pub fn every_status(provider: &'static str, body: &[u8], read: impl Fn(&Answer) -> Result<Reading, Error>) {
    for status in STATUSES {
        match read(&answer(status, body)) {
            Ok(reading) => {
                assert!(status < 300, "an answer of status {status} is no good answer");
                readings(provider, reading);
            }
            Err(error) => errors(&error),
        }
    }
}

/// Asserts that a text has that line and that column, both from 1; the place after a line's end is one.
pub fn has_place(text: &str, line: usize, column: usize) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let found = if line == 1 { text.lines().next().or(Some("")) } else { text.lines().nth(line - 1) };
    let found = found.unwrap_or_else(|| panic!("there is no line {line}"));
    assert!((1..=found.chars().count() + 1).contains(&column), "line {line} has no column {column}");
}

/// An error is one short line, and so is its code.
fn errors(error: &Error) {
    for text in [chain(error), error.to_string(), error.code().to_owned()] {
        assert!(text.chars().count() <= LONGEST_ERROR, "a long error: {text}");
        assert!(!text.chars().any(char::is_control), "more than one line: {text:?}");
    }
}

/// A reading is bounded and adds up, and so does what Prometheus gets to see of it.
fn readings(provider: &'static str, reading: Reading) {
    task(provider, &reading.task);
    let text = exported(provider, reading);
    for line in text.lines() {
        assert!(is_line(line), "no line of an exposition: {line:?}");
    }
    let phases = text.lines().filter(|line| line.starts_with("cloud_task_phase{"));
    let values: Vec<&str> = phases.filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(values.len(), Phase::ALL.len());
    assert_eq!(values.iter().filter(|value| **value == "1").count(), 1, "a task has one phase: {values:?}");
    assert_eq!(values.iter().filter(|value| **value == "0").count(), Phase::ALL.len() - 1);
}

fn task(provider: &str, task: &Task) {
    let facts = &task.facts;
    for text in [&task.provider_state, &facts.job_id, &facts.task_name, &facts.task_type, &facts.cluster_id] {
        assert!(text.chars().count() <= MAX_LABEL);
    }
    assert!(task.exits.codes().count() <= MAX_EXIT_CODES);
    assert!(!task.is_final || task.phase.outcome().is_some(), "final, and not ended");
    assert!(task.finished.is_none() || task.phase.outcome().is_some(), "an end, and not ended");
    assert!(task.run_seconds().is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
    for histogram in [&task.queue, &task.startup, &task.run].into_iter().flatten() {
        assert!(histogram.sum().is_finite() && histogram.sum() >= 0.0);
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert!(counts.is_sorted() && counts.last() == Some(&histogram.count()));
        assert_eq!(histogram.native().count(), histogram.count(), "native and classic buckets tell two counts");
    }
    // Tencent tells the counts and the total apart; the others' total is the number of what was counted.
    if provider != "tencent" {
        let sum: u64 = task.instances.iter().map(|(_, count)| count).sum();
        assert_eq!(sum, task.instances_expected, "the counts do not come to the total");
        assert!(task.instances_failed <= sum);
    }
}

/// `/metrics` after a task that ran is read so, twice.
fn exported(provider: &'static str, reading: Reading) -> String {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
    let rules = Rules {
        stale_after: Duration::from_mins(10),
        not_found_grace: Duration::ZERO,
        final_recheck: Duration::from_hours(1),
        instance_histograms: true,
        series_limit: 10_000,
    };
    let store = Store::new(rules, Arc::clone(&OWN), now);
    let target = Arc::new(target(provider));
    store.add(&target);
    let running =
        Task { phase: Phase::Running, is_final: false, instances_failed: 0, finished: None, ..reading.task.clone() };
    for reading in [Reading { task: running, unknown_states: 0 }, reading.clone(), reading] {
        store.record(&target.key, Ok(reading), now);
    }
    let bytes: Vec<u8> = Body::new(store.snapshot(now), Format::Text).flatten().collect();
    String::from_utf8(bytes).expect("an exposition is text")
}

fn target(provider: &'static str) -> Target {
    let account = AccountKey { provider: Provider::new(provider), account: "prod".into() };
    Target {
        key: TaskKey { account, task_id: "job/task".into() },
        cloud_region: "here".into(),
        group: "default".into(),
        labels: Arc::new(Labels::new()),
        interval: Duration::from_secs(30),
    }
}

/// Whether a line is a comment or a sample: a name, labels in quotes, one number.
fn is_line(line: &str) -> bool {
    let Some((series, value)) = line.rsplit_once(' ') else { return false };
    let is_number = value.parse::<f64>().is_ok_and(|number| !number.is_nan());
    line.starts_with("# ") || (is_number && (series.ends_with("\"}") || !series.contains(['"', ' ', '{'])))
}
