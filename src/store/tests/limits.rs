//! What `series_limit` promises: who is let in, who stays, and that no count leaves anybody out.

use super::*;
use std::collections::BTreeSet;

/// The ids of the tasks that have a series of that family.
fn ids(body: &str, family: &str) -> BTreeSet<String> {
    let of_family = body.lines().filter(|line| line.starts_with(family));
    of_family.filter_map(|line| Some(line.split("task_id=\"").nth(1)?.split('"').next()?.to_owned())).collect()
}

fn with_exits(codes: i64, task: Task) -> Task {
    Task { exits: Exits::bounded((0..codes).map(|code| (code, 1)).collect()), ..task }
}

#[test]
fn a_task_that_cannot_be_read_needs_room_too() {
    let store = store_with(2);
    for id in ["a", "b", "c"] {
        store.add(&target(id));
    }
    assert_eq!(bad(&store, "a", Reason::Decode, 10), Change::Broke);
    assert_eq!(bad(&store, "b", Reason::Decode, 10), Change::Broke);
    assert_eq!(bad(&store, "c", Reason::Decode, 10), Change::LeftOut(1));
    assert_eq!(bad(&store, "c", Reason::Decode, 20), Change::None);
    assert_eq!(bad(&store, "c", Reason::Rejected, 30), Change::Broke, "it is left out of the export, not of the log");
    assert_eq!(ids(&body(&store, 30), "cloud_task_poll_success").len(), 2);
    assert_eq!(value(&store, 30, "cloud_task_exporter_series_dropped_total", &[]).unwrap(), "1");
    store.remove(&target("a").key);
    bad(&store, "c", Reason::Rejected, 40);
    assert_eq!(value(&store, 40, "cloud_task_poll_success", &["\"c\""]).unwrap(), "0");
}

#[test]
fn what_is_too_old_to_show_is_not_counted_as_shown() {
    let store = store_with(1000);
    store.add(&target("a"));
    good(&store, "a", task(Phase::Running, 0, None), 0);
    let fresh: usize = value(&store, 10, "cloud_task_exporter_series ", &[]).unwrap().parse().unwrap();
    let stale: usize = value(&store, 1000, "cloud_task_exporter_series ", &[]).unwrap().parse().unwrap();
    assert!(fresh > stale && stale == 2, "{fresh} {stale}");
    assert_eq!(value(&store, 1000, "cloud_task_exporter_series_limit", &[]).unwrap(), "1000");
}

fn event() -> impl Strategy<Value = (usize, Option<(Phase, i64)>, bool)> {
    let phase = prop::sample::select(vec![Phase::Running, Phase::Pending, Phase::Failed]);
    (0usize..6, prop::option::weighted(0.7, (phase, 0i64..20)), prop::bool::weighted(0.1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nobody_new_passes_the_limit_and_who_is_shown_stays(limit in 0usize..120, events in prop::collection::vec(event(), 0..40)) {
        let store = store_with(limit);
        let names = ["a", "b", "c", "d", "e", "f"];
        for id in names {
            store.add(&target(id));
        }
        let (mut shown, mut read) = (BTreeSet::new(), BTreeSet::new());
        for (step, (which, answer, is_removed)) in events.into_iter().enumerate() {
            let seconds = i64::try_from(step).unwrap() * 30;
            let id = names[which];
            if is_removed {
                store.remove(&target(id).key);
                store.add(&target(id));
                shown.remove(id);
                read.remove(id);
            }
            match answer {
                Some((phase, codes)) => { good(&store, id, with_exits(codes, task(phase, 0, None)), seconds); }
                None => { bad(&store, id, Reason::Decode, seconds); }
            }
            let body = body(&store, seconds);
            let series = body.lines().filter(|line| line.contains("task_id=")).count();
            prop_assert!(body.contains(&format!("\ncloud_task_exporter_series {series}\n")), "{series}");

            let (shown_now, read_now) = (ids(&body, "cloud_task_poll_success{"), ids(&body, "cloud_task_phase{"));
            if !shown_now.is_subset(&shown) || !read_now.is_subset(&read) {
                let known = store.read().series;
                prop_assert!(known <= limit, "{known} series were let in where {limit} may be");
            }
            prop_assert!(read.is_subset(&shown_now), "a task that was read and shown is gone");

            let census: u64 = body.lines().filter(|line| line.starts_with("cloud_tasks{"))
                .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
            let fresh = store.tasks(at(seconds)).iter().filter(|row| row.shown_phase().is_some()).count();
            prop_assert_eq!(census, u64::try_from(fresh).unwrap(), "tasks that are left out count");
            shown = shown_now;
            // What is too old to show keeps its place.
            read.extend(read_now);
        }
    }
}
