//! What the store promises: nothing is lost by a bad answer, nothing is counted twice, nothing counted that is not ours.

use super::*;
use crate::metrics::{Body, Format};
use crate::model::{Exits, Facts, Labels, Phase, Provider};
use proptest::prelude::*;

const BEGAN: i64 = 1_700_000_000;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGAN + seconds).unwrap()
}

pub(super) fn target(id: &str) -> Arc<Target> {
    let account = AccountKey { provider: Provider::new("tencent"), account: "prod".into() };
    Arc::new(Target {
        key: TaskKey { account, task_id: id.into() },
        cloud_region: "ap-guangzhou".into(),
        group: "etl".into(),
        labels: Arc::new(Labels::new()),
        interval: Duration::from_secs(30),
    })
}

pub(super) fn task(phase: Phase, failed: u64, finished: Option<i64>) -> Task {
    Task {
        phase,
        is_final: phase.outcome().is_some(),
        provider_state: phase.as_str().into(),
        facts: Facts::default(),
        instances: vec![("failed", failed)].into(),
        instances_expected: 3,
        instances_failed: failed,
        rows_truncated: false,
        exits: Exits::default(),
        created: Some(at(-100)),
        started: Some(at(-50)),
        finished: finished.map(at),
        queue: None,
        startup: None,
        run: None,
    }
}

pub(super) fn rules(limit: usize) -> Rules {
    Rules {
        stale_after: Duration::from_mins(10),
        not_found_grace: Duration::from_mins(5),
        final_recheck: Duration::from_hours(1),
        instance_histograms: true,
        series_limit: limit,
    }
}

fn store_with(limit: usize) -> Store {
    Store::new(rules(limit), Arc::new(Own::new().unwrap()), at(0))
}

pub(super) fn good(store: &Store, id: &str, task: Task, seconds: i64) -> Change {
    store.record(&target(id).key, Ok(Reading { task, unknown_states: 0 }), at(seconds))
}

pub(super) fn bad(store: &Store, id: &str, reason: Reason, seconds: i64) -> Change {
    store.record(&target(id).key, Err(Failure { reason, message: "x".into() }), at(seconds))
}

fn body(store: &Store, seconds: i64) -> String {
    let mut snapshot = store.snapshot(at(seconds));
    snapshot.own = store.own.render(Format::Text);
    let pieces: Vec<u8> = Body::new(snapshot, Format::Text).flatten().collect();
    String::from_utf8(pieces).unwrap()
}

/// The value of the one sample whose line begins with `name` and holds every one of `parts`.
fn value(store: &Store, seconds: i64, name: &str, parts: &[&str]) -> Option<String> {
    let text = body(store, seconds);
    let mut lines = text.lines().filter(|line| line.starts_with(name) && parts.iter().all(|part| line.contains(part)));
    let line = lines.next()?;
    assert!(lines.next().is_none(), "{name} {parts:?} is not unique");
    Some(line.rsplit_once(' ').unwrap().1.to_owned())
}

fn finished(store: &Store, outcome: &str) -> String {
    value(store, 0, "cloud_tasks_finished_total", &[outcome]).unwrap()
}

#[test]
fn a_finish_is_counted_once_per_run() {
    let store = store_with(1000);
    store.add(&target("a"));
    assert_eq!(finished(&store, "failed"), "0");
    good(&store, "a", task(Phase::Running, 0, None), 10);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 20);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 30);
    // A word nobody knows is no new run.
    good(&store, "a", task(Phase::Unknown, 1, None), 40);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 50);
    assert_eq!(finished(&store, "failed"), "1");
    assert_eq!(value(&store, 50, "cloud_task_duration_seconds_sum", &["failed"]).unwrap(), "70");
    good(&store, "a", task(Phase::Running, 0, None), 60);
    good(&store, "a", task(Phase::Succeeded, 0, Some(70)), 70);
    assert_eq!((finished(&store, "failed"), finished(&store, "succeeded")), ("1".into(), "1".into()));
    assert_eq!(value(&store, 70, "cloud_task_instance_failures_total", &[]).unwrap(), "1");
}

#[test]
fn what_ended_before_the_exporter_began_is_not_counted_but_shown() {
    let store = store_with(1000);
    store.add(&target("old"));
    good(&store, "old", task(Phase::Failed, 2, Some(-1)), 10);
    assert_eq!(finished(&store, "failed"), "0");
    assert_eq!(value(&store, 10, "cloud_task_instance_failures_total", &[]).unwrap(), "0");
    assert_eq!(value(&store, 10, "cloud_task_phase", &["\"failed\""]).unwrap(), "1");
    store.add(&target("quick"));
    good(&store, "quick", task(Phase::Succeeded, 0, Some(5)), 10);
    assert_eq!(finished(&store, "succeeded"), "1");
}

#[test]
fn an_interrupted_task_is_counted_at_once_and_its_duration_when_known() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Running, 0, None), 10);
    let interrupted = Task { is_final: false, ..task(Phase::Failed, 1, None) };
    good(&store, "a", interrupted, 20);
    assert_eq!(finished(&store, "failed"), "1");
    assert_eq!(value(&store, 20, "cloud_task_duration_seconds_count", &["failed"]).unwrap(), "0");
    assert_eq!(store.period(&target("a")), Some(Duration::from_secs(30)));
    good(&store, "a", task(Phase::Failed, 1, Some(30)), 30);
    assert_eq!(finished(&store, "failed"), "1");
    assert_eq!(value(&store, 30, "cloud_task_duration_seconds_count", &["failed"]).unwrap(), "1");
    assert_eq!(store.period(&target("a")), Some(Duration::from_hours(1)));
}

#[test]
fn a_bad_answer_keeps_the_last_good_one_until_it_is_stale() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Running, 0, None), 10);
    assert_eq!(bad(&store, "a", Reason::Decode, 20), Change::Broke);
    assert_eq!(bad(&store, "a", Reason::Decode, 30), Change::None);
    assert_eq!(value(&store, 30, "cloud_task_phase", &["running"]).unwrap(), "1");
    assert_eq!(value(&store, 30, "cloud_task_poll_success", &[]).unwrap(), "0");
    let last = value(&store, 30, "cloud_task_last_poll_success_timestamp_seconds", &[]).unwrap();
    assert_eq!(last, (BEGAN + 10).to_string());
    assert_eq!(value(&store, 611, "cloud_task_phase", &["running"]), None);
    assert_eq!(value(&store, 611, "cloud_task_poll_success", &[]).unwrap(), "0");
    assert_eq!(value(&store, 611, "cloud_tasks{", &["running"]).unwrap(), "0");
    assert_eq!(good(&store, "a", task(Phase::Running, 0, None), 620), Change::Recovered);
    assert_eq!(value(&store, 620, "cloud_task_phase", &["running"]).unwrap(), "1");
}

#[test]
fn a_finished_task_is_not_stale_between_two_rechecks() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Succeeded, 0, Some(5)), 10);
    assert_eq!(value(&store, 3600, "cloud_task_phase", &["succeeded"]).unwrap(), "1");
    assert_eq!(value(&store, 10 + 3600 + 601, "cloud_task_phase", &["succeeded"]), None);
}

#[test]
fn a_finished_task_that_is_gone_is_not_asked_for_more_often() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Succeeded, 0, Some(5)), 10);
    bad(&store, "a", Reason::Transport, 20);
    assert_eq!(store.period(&target("a")), Some(Duration::from_secs(30)));
    bad(&store, "a", Reason::NotFound, 50);
    assert_eq!(store.period(&target("a")), Some(Duration::from_hours(1)));
}

#[test]
fn a_new_id_may_read_as_not_found_for_a_while() {
    let store = store_with(1000);
    store.add(&target("a"));
    assert_eq!(bad(&store, "a", Reason::NotFound, 10), Change::NotYetFound);
    assert_eq!(value(&store, 10, "cloud_task_poll_success", &[]), None);
    assert_eq!(bad(&store, "a", Reason::NotFound, 310), Change::Broke);
    assert_eq!(value(&store, 310, "cloud_task_poll_success", &[]).unwrap(), "0");
}

#[test]
fn past_the_limit_new_tasks_are_left_out_and_the_fleet_is_whole() {
    let store = store_with(40);
    for id in ["a", "b", "c"] {
        store.add(&target(id));
        good(&store, id, task(Phase::Running, 0, None), 10);
    }
    let shown = value(&store, 10, "cloud_task_exporter_series ", &[]).unwrap().parse::<usize>().unwrap();
    let samples = body(&store, 10).lines().filter(|line| line.contains("task_id=")).count();
    assert_eq!(shown, samples);
    assert!(shown <= 40);
    assert_ne!(value(&store, 10, "cloud_task_exporter_series_dropped_total", &[]).unwrap(), "0");
    assert_eq!(value(&store, 10, "cloud_tasks{", &["running"]).unwrap(), "3");
    // Room made by one lets the next one in.
    store.remove(&target("a").key);
    assert_eq!(good(&store, "c", task(Phase::Running, 0, None), 20), Change::None);
    assert_eq!(value(&store, 20, "cloud_task_phase", &["\"c\"", "running"]).unwrap(), "1");
}

#[test]
fn a_target_that_was_replaced_is_not_held() {
    let store = store_with(1000);
    let (first, second) = (target("a"), target("a"));
    assert!(store.add(&first));
    assert!(!store.add(&second));
    assert!(store.last_good(&first).is_some() && store.last_good(&second).is_none());
    store.remove(&first.key);
    assert!(store.last_good(&first).is_none());
}

#[test]
fn a_task_that_is_forgotten_and_found_again_is_not_counted_again() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Running, 0, None), 10);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 20);
    store.remove(&target("a").key);
    store.add(&target("a"));
    assert_eq!(value(&store, 25, "cloud_task_phase", &["failed"]), None);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 30);
    assert_eq!(finished(&store, "failed"), "1");
    assert_eq!(value(&store, 30, "cloud_task_instance_failures_total", &[]).unwrap(), "1");
    // Nor after the memory of it is gone, but a new run is.
    store.remove(&target("a").key);
    store.add(&target("b"));
    let later = 31 * 24 * 3600;
    good(&store, "b", task(Phase::Running, 0, None), later);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Failed, 1, Some(20)), later + 10);
    assert_eq!(finished(&store, "failed"), "1");
    good(&store, "a", task(Phase::Running, 1, None), later + 20);
    good(&store, "a", task(Phase::Failed, 1, Some(later + 30)), later + 30);
    assert_eq!(finished(&store, "failed"), "2");
}

#[test]
fn a_run_that_began_and_ended_unseen_is_counted() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Running, 0, None), 10);
    good(&store, "a", task(Phase::Succeeded, 0, Some(20)), 20);
    good(&store, "a", Task { started: Some(at(30)), ..task(Phase::Succeeded, 0, Some(40)) }, 50);
    assert_eq!(finished(&store, "succeeded"), "2");
    assert_eq!(value(&store, 50, "cloud_task_duration_seconds_sum", &["succeeded"]).unwrap(), "80");
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Good(Phase, u64),
    Bad(Reason),
}

pub(super) fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let phase = prop::sample::select(Phase::ALL.to_vec());
    let good = (phase, 0u64..5).prop_map(|(phase, failed)| Event::Good(phase, failed));
    let bad = prop::sample::select(Reason::ALL.to_vec()).prop_map(Event::Bad);
    prop::collection::vec((0usize..4, prop_oneof![good, bad]), 0..60)
}

/// Name with labels, and value, of each sample.
fn samples(text: &str) -> Vec<(String, f64)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
        .collect()
}

proptest! {
    #[test]
    fn whatever_happens_series_are_unique_phases_are_one_and_counters_never_fall(events in events()) {
        let store = store_with(150);
        let ids = ["a", "b\"\\", "c\nc", "d"];
        for id in ids {
            store.add(&target(id));
        }
        let mut before: BTreeMap<String, f64> = BTreeMap::new();
        for (step, (which, event)) in events.into_iter().enumerate() {
            let seconds = i64::try_from(step).unwrap() * 60;
            match event {
                Event::Good(phase, failed) => {
                    let finished = phase.outcome().map(|_| seconds);
                    good(&store, ids[which], task(phase, failed, finished), seconds);
                }
                Event::Bad(reason) => { bad(&store, ids[which], reason, seconds); }
            }
            let samples = samples(&body(&store, seconds));
            let mut phases: BTreeMap<String, f64> = BTreeMap::new();
            let mut seen = BTreeMap::new();
            for (series, value) in samples {
                prop_assert!(seen.insert(series.clone(), value).is_none(), "{series} stands twice");
                if let Some(rest) = series.strip_prefix("cloud_task_phase{") {
                    *phases.entry(rest.split(",phase=").next().unwrap().to_owned()).or_default() += value;
                }
                if series.contains("_total") && !series.starts_with("process") {
                    prop_assert!(before.insert(series.clone(), value).unwrap_or_default() <= value, "{series} fell");
                }
            }
            prop_assert!(phases.values().all(|sum| (*sum - 1.0).abs() < f64::EPSILON), "{phases:?}");
        }
    }
}
