//! What the store promises: nothing is lost by a bad answer, nothing is counted twice, nothing counted that is not ours.

use super::*;
use crate::metrics::{Body, Format};
use crate::model::{Exits, Facts, Labels, Phase, Provider};
use proptest::prelude::*;

mod limits;

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

/// The same task as the config may have it next.
fn changed(id: &str, group: &str, label: &str) -> Arc<Target> {
    let labels = Labels::from([("team".into(), label.into())]);
    Arc::new(Target { group: group.into(), labels: Arc::new(labels), ..(*target(id)).clone() })
}

#[test]
fn another_target_keeps_what_is_known_and_counted_under_its_new_labels() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Running, 0, None), 10);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 20);
    bad(&store, "a", Reason::Decode, 30);
    let series = value(&store, 30, "cloud_task_exporter_series ", &[]);
    store.retarget(&changed("a", "other", "data"));
    assert_eq!(value(&store, 30, "cloud_task_info", &["other", "team=\"data\""]).unwrap(), "1");
    assert_eq!(value(&store, 30, "cloud_task_phase", &["other", "\"failed\""]).unwrap(), "1");
    assert_eq!(value(&store, 30, "cloud_task_poll_success", &["other"]).unwrap(), "0");
    assert_eq!(value(&store, 30, "cloud_task_exporter_series ", &[]), series);
    assert!(!body(&store, 30).contains("group=\"etl\",task_id"));
    // The run was counted, in the group it was in.
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 40);
    assert_eq!(value(&store, 40, "cloud_tasks_finished_total", &["etl", "failed"]).unwrap(), "1");
    assert_eq!(value(&store, 40, "cloud_tasks_finished_total", &["other", "failed"]).unwrap(), "0");
}

#[test]
fn groups_that_nothing_is_in_any_more_go_with_their_counters() {
    let store = store_with(1000);
    let groups = |targets: &[&Target]| targets.iter().map(|target| Group::from(*target)).collect();
    let (etl, other) = (target("a"), changed("b", "other", ""));
    store.add(&etl);
    store.add(&other);
    good(&store, "a", task(Phase::Running, 0, None), 10);
    good(&store, "a", task(Phase::Failed, 1, Some(20)), 20);
    let known = |group: &str| value(&store, 20, "cloud_tasks_finished_total", &[group, "failed"]);
    store.set_groups(groups(&[&etl]));
    assert_eq!((known("etl"), known("other")), (Some("1".into()), Some("0".into())), "a task is still in it");
    store.remove(&other.key);
    store.forget_groups();
    assert_eq!((known("etl"), known("other")), (Some("1".into()), None));
    store.set_groups(groups(&[]));
    store.set_groups(groups(&[&etl]));
    assert_eq!(known("etl"), Some("1".into()));
}

#[test]
fn an_account_goes_with_all_its_series_and_leaves_others_alone() {
    let store = store_with(1000);
    let stays = AccountKey { account: "pro".into(), ..target("a").key.account };
    let of_other =
        Arc::new(Target { key: TaskKey { account: stays.clone(), task_id: "a".into() }, ..(*target("a")).clone() });
    for target in [&target("a"), &target("b"), &of_other] {
        store.add_account(&target.key.account, &target.cloud_region);
        store.add(target);
        store.record(&target.key, Ok(Reading { task: task(Phase::Running, 0, None), unknown_states: 0 }), at(10));
    }
    store.remove_account(&target("a").key.account);
    store.set_groups([Group::from(&*of_other)].into());
    let text = body(&store, 10);
    assert!(!text.contains("account=\"prod\"") && text.contains("account=\"pro\""), "{text}");
    assert_eq!(store.accounts().len(), 1);
    let shown = value(&store, 10, "cloud_task_exporter_series ", &[]).unwrap().parse::<usize>().unwrap();
    assert_eq!(shown, text.lines().filter(|line| line.contains("task_id=")).count());
}

#[test]
fn other_rules_are_in_force_at_once() {
    let store = store_with(1000);
    store.add(&target("a"));
    let timed = Task { run: Some(crate::model::Histogram::default()), ..task(Phase::Running, 0, None) };
    good(&store, "a", timed, 10);
    let rules = |histograms, limit| Rules {
        stale_after: Duration::from_mins(1),
        not_found_grace: Duration::ZERO,
        final_recheck: Duration::ZERO,
        instance_histograms: histograms,
        series_limit: limit,
    };
    let runs = |store: &Store| value(store, 20, "cloud_task_instance_run_duration_seconds_count", &[]);
    let series =
        |store: &Store| value(store, 20, "cloud_task_exporter_series ", &[]).unwrap().parse::<usize>().unwrap();
    let before = series(&store);
    assert!(runs(&store).is_some());
    store.set_rules(rules(false, 1));
    assert!(runs(&store).is_none() && series(&store) < before);
    assert_eq!(value(&store, 20, "cloud_task_exporter_series_limit", &[]).unwrap(), "1");
    assert_eq!(value(&store, 20, "cloud_task_phase", &["running"]).unwrap(), "1", "what is shown stays");
    assert_eq!(value(&store, 71, "cloud_task_phase", &["running"]), None);
    store.set_rules(rules(true, 1000));
    assert_eq!(series(&store), before);
}

#[test]
fn once_ready_it_stays_ready() {
    let store = store_with(1000);
    let key = |name: &str| AccountKey { account: name.into(), ..target("a").key.account };
    let add = |name: &str| store.add_account(&key(name), &"here".into());
    let pending = || store.pending_accounts().len();
    add("a");
    add("b");
    store.record_list(&key("a"), None, at(1));
    assert_eq!(pending(), 1);
    add("c");
    store.remove_account(&key("b"));
    assert_eq!(pending(), 1, "an account that comes before that is waited for");
    store.record_list(&key("c"), None, at(2));
    add("d");
    assert_eq!(pending(), 0);
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
