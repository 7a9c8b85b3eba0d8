//! What a restart promises, without a disk; and what the file promises, with one.

use super::super::changes::Kind;
use super::super::tests::{Event, at, bad, events, good, rules, target, task};
use super::super::{Saved, Store};
use super::record::{self, FORMAT, Unreadable};
use super::{StateError, StateFile};
use crate::metrics::{Body, Format, Own};
use crate::model::{BUCKETS, Exits, Facts, Histogram, INSTANCE_STATES, Memory, Outcome, Phase, Reason, Task};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const LIMIT: usize = 150;

/// A state file without a file.
#[derive(Clone, Debug, Default)]
struct Disk(BTreeMap<(Kind, String), Vec<u8>>);

impl Disk {
    fn new() -> Self {
        let mut disk = Self::default();
        disk.write(record::first_lines(at(0)).unwrap());
        disk
    }

    fn write(&mut self, lines: Vec<record::Line>) {
        for line in lines {
            let name = (line.kind, line.name.to_string());
            match line.value {
                Some(value) => drop(self.0.insert(name, value)),
                None => drop(self.0.remove(&name)),
            }
        }
    }

    fn flush(&mut self, store: &Store) {
        if let Some(batch) = store.take_changes() {
            self.write(record::lines(&batch).unwrap());
        }
    }

    fn load(&self) -> Result<Saved, Unreadable> {
        let of = |kind| self.0.iter().filter(move |((other, _), _)| *other == kind);
        record::saved(|kind| Ok(of(kind).map(|((_, name), value)| (name.clone(), value.clone())).collect()))
    }

    /// The store that a start finds, with these tasks in the config.
    fn start(&self, ids: impl IntoIterator<Item = &'static str>) -> Store {
        let store = Store::restored(rules(LIMIT), Arc::new(Own::new().unwrap()), self.load().unwrap());
        // As a finder does whose tasks these are.
        store.add_group(&target(""));
        ids.into_iter().for_each(|id| assert!(store.add(&target(id))));
        store.settle();
        store
    }
}

/// All that is exported, but for the exporter's own families.
fn export(store: &Store, seconds: i64) -> String {
    let pieces: Vec<u8> = Body::new(store.snapshot(at(seconds)), Format::Text).flatten().collect();
    String::from_utf8(pieces).unwrap()
}

/// The counters of the groups.
fn counters(store: &Store) -> Vec<String> {
    let is_counter = |line: &&str| {
        ["cloud_tasks_finished_total", "cloud_task_instance_failures_total", "cloud_task_duration_"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    export(store, 0).lines().filter(is_counter).map(str::to_owned).collect()
}

/// A task of which everything is known, numbers that tell its fields apart.
fn full_task() -> Task {
    let mut histogram = Histogram::default();
    for seconds in [0.1, 2.0, 2.2, 1e6] {
        histogram.observe(seconds);
    }
    Task {
        facts: Facts {
            job_id: "job".into(),
            task_name: "name".into(),
            task_type: "kind".into(),
            cluster_id: "c".into(),
        },
        instances: INSTANCE_STATES.into_iter().zip(1..).collect(),
        exits: Exits::bounded((-1i64..11).map(|code| (code, code.unsigned_abs() + 1)).collect()),
        queue: Some(histogram.clone()),
        startup: Some(Histogram::default()),
        run: Some(histogram),
        ..task(Phase::Failed, 7, Some(20))
    }
}

/// A store with every kind of thing in it.
fn full_store() -> (Store, Disk) {
    let disk = Disk::new();
    let store = disk.start(["a", "gone", "found", "b"]);
    for (outcome, times) in Outcome::ALL.into_iter().zip(1..) {
        let phase = Phase::ALL.into_iter().find(|phase| phase.outcome() == Some(outcome)).unwrap();
        for run in 0..times {
            good(&store, "gone", task(Phase::Running, 0, None), 10 + run);
            good(&store, "gone", task(phase, 1, Some(20 + run)), 20 + run);
        }
    }
    store.remove(&target("gone").key);
    good(&store, "a", full_task(), 30);
    good(&store, "b", Task { is_final: false, ..task(Phase::Running, 0, None) }, 30);
    good(&store, "b", Task { is_final: false, ..task(Phase::Failed, 0, None) }, 31);
    bad(&store, "found", Reason::Transport, 32);
    store.listed(1, [&target("found").key], at(33));
    store.remember(&target("a").key.account, "what", "value");
    (store, disk)
}

#[test]
fn the_format_is_the_one_that_old_files_have() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let line = |((kind, name), value): (&(Kind, String), &Vec<u8>)| {
        format!("{} {name} {}\n", kind.table(), String::from_utf8(value.clone()).unwrap())
    };
    let lines: String = disk.0.iter().map(line).collect();
    insta::assert_snapshot!("format", format!("format {FORMAT}, buckets {BUCKETS:?}\n{lines}"));
}

/// What version 1 wrote for the store of the golden test.
const FORMAT_1: &str = include_str!("../../../tests/data/state/format-1.txt");

#[test]
fn a_file_of_the_first_format_is_read_and_becomes_one_of_this() {
    let mut disk = Disk::default();
    for line in FORMAT_1.lines() {
        let [table, name, value] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        let kind = Kind::ALL.into_iter().find(|kind| kind.table() == table).unwrap();
        disk.0.insert((kind, name.to_owned()), value.into());
    }
    let (as_it_was, _) = full_store();
    let after = disk.start(["a", "found", "b"]);
    assert_eq!(export(&after, 40), export(&as_it_was, 40), "text tells what it told");
    let saved = disk.load().unwrap();
    let runs = saved.tasks.values().find_map(|task| task.run.as_ref()).unwrap();
    assert_eq!(runs.native().buckets(), [(0, 1), (19, 2), (132, 1)], "an estimate by the classic bounds");
    disk.flush(&after);
    let format = |disk: &Disk| disk.0[&(Kind::Meta, "format".to_owned())].clone();
    assert_eq!(format(&disk), b"1", "nothing was written yet");
    good(&after, "a", full_task(), 50);
    disk.flush(&after);
    assert_eq!(format(&disk), FORMAT.to_string().as_bytes(), "an older version no longer takes it for its own");
    let exact = disk.load().unwrap();
    let known = exact.tasks.values().find(|task| task.run.is_some()).unwrap();
    assert_eq!(**known, full_task(), "what is polled again is exact");
    assert_eq!(export(&disk.start(["a", "found", "b"]), 50), export(&after, 50));
}

#[test]
fn a_restart_brings_back_all_that_is_named() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let after = disk.start(["a", "found", "b"]);
    assert_eq!(export(&after, 40), export(&store, 40));
    assert_eq!(&*after.recall(&target("a").key.account, "what").unwrap(), "value");
    assert_eq!(after.last_good(&target("a")), None, "a target is who was added, not who is like it");
    assert_eq!(after.tasks(at(40)).len(), 3);
}

#[test]
fn what_nobody_names_is_forgotten_but_for_what_was_counted() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let after = disk.start(["b"]);
    disk.flush(&after);
    let kinds = |kind| disk.0.keys().filter(move |(other, _)| *other == kind).count();
    assert_eq!((kinds(Kind::Task), kinds(Kind::Standing), kinds(Kind::Forgotten)), (1, 1, 2));
    let later = disk.start(["a", "b"]);
    assert_eq!(counters(&later), counters(&store));
    good(&later, "a", full_task(), 50);
    assert_eq!(counters(&later), counters(&store), "it had been counted");
}

#[test]
fn groups_nobody_names_any_more_are_dropped() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let after = Store::restored(rules(LIMIT), Arc::new(Own::new().unwrap()), disk.load().unwrap());
    after.settle();
    disk.flush(&after);
    assert!(disk.0.keys().all(|(kind, _)| *kind != Kind::Group));
}

#[test]
fn found_tasks_are_there_for_the_finder_that_had_them() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let after = Store::restored(rules(LIMIT), Arc::new(Own::new().unwrap()), disk.load().unwrap());
    let account = target("a").key.account.clone();
    let found = vec![("found".into(), at(33))];
    assert_eq!(after.found_before(&account, "etl", Some(1)), found);
    assert_eq!(after.found_before(&account, "etl", None), found);
    assert_eq!(after.found_before(&account, "etl", Some(0)), []);
    assert_eq!(after.found_before(&account, "other", None), []);
    assert!(after.add(&target("found")));
    assert_eq!(after.found_before(&account, "etl", None), []);
}

#[test]
fn a_restart_asks_for_each_task_when_it_would_have_been() {
    let disk = Disk::new();
    let store = disk.start(["done", "live", "new"]);
    good(&store, "done", task(Phase::Succeeded, 0, Some(5)), 10);
    good(&store, "live", task(Phase::Running, 0, None), 10);
    let mut disk = disk;
    disk.flush(&store);
    let after = disk.start(["done", "live", "new"]);
    let wait = |id, seconds| after.wait(&target(id), at(seconds)).unwrap().as_secs();
    assert_eq!((wait("done", 100), wait("live", 15), wait("new", 15)), (3510, 25, 0));
    assert_eq!((wait("done", 5000), wait("live", 5000)), (0, 0));
    assert_eq!((wait("done", -500), wait("live", -500)), (3600, 30), "a clock that was set back");
}

#[test]
fn a_smaller_limit_leaves_tasks_out_after_a_restart() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let rules = super::super::Rules { series_limit: 40, ..rules(LIMIT) };
    let after = Store::restored(rules, Arc::new(Own::new().unwrap()), disk.load().unwrap());
    for id in ["a", "b", "found"] {
        assert!(after.add(&target(id)));
    }
    let samples = export(&after, 40).lines().filter(|line| line.contains("task_id=")).count();
    assert!((1..=40).contains(&samples), "{samples}");
}

#[test]
fn what_could_not_be_written_is_written_with_the_next() {
    let (store, mut disk) = full_store();
    let batch = store.take_changes().unwrap();
    assert!(store.take_changes().is_none());
    store.put_back(batch);
    good(&store, "b", task(Phase::Failed, 3, Some(60)), 60);
    store.remove(&target("found").key);
    disk.flush(&store);
    assert_eq!(export(&disk.start(["a", "b"]), 60), export(&store, 60));
}

const IDS: [&str; 4] = ["a", "b\"\\", "c\nc", "d"];

proptest! {
    /// Whenever it is stopped and started, nothing that is exported tells.
    #[test]
    fn a_clean_restart_cannot_be_seen(events in events(), stops in prop::collection::vec(0usize..60, 0..6)) {
        let mut disk = Disk::new();
        let never_stopped = disk.start(IDS);
        let mut store = disk.start(IDS);
        for (step, (which, event)) in events.into_iter().enumerate() {
            let seconds = i64::try_from(step).unwrap() * 60;
            for store in [&never_stopped, &store] {
                match &event {
                    Event::Good(phase, failed) => {
                        let finished = phase.outcome().map(|_| seconds);
                        good(store, IDS[which], task(*phase, *failed, finished), seconds);
                    }
                    Event::Bad(reason) => { bad(store, IDS[which], *reason, seconds); }
                }
            }
            if stops.contains(&step) {
                disk.flush(&store);
                store = disk.start(IDS);
            }
            prop_assert_eq!(export(&store, seconds), export(&never_stopped, seconds));
        }
    }
}

/// What happens to a task that runs once, and to the exporter that looks at it.
#[derive(Clone, Debug)]
enum Happening {
    /// The task goes on: more of its instances fail, it ends, its end becomes known.
    Advances(usize),
    Polled(usize),
    /// The list of a finder no longer names it, or does again.
    Forgotten(usize),
    Flush,
    /// The process dies, and what was not flushed with it.
    Crash,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let which = 0..IDS.len();
    let happening = prop_oneof![
        2 => which.clone().prop_map(Happening::Advances),
        3 => which.clone().prop_map(Happening::Polled),
        1 => which.prop_map(Happening::Forgotten),
        1 => Just(Happening::Flush),
        1 => Just(Happening::Crash),
    ];
    prop::collection::vec(happening, 0..80)
}

/// A task in the so manieth stage of its life; the last task had ended before the exporter began.
fn story(which: usize, stage: usize) -> Task {
    let before = which == IDS.len() - 1;
    let end = if before { -10 } else { 100 };
    let created = if before { -100 } else { 1 };
    let failed = u64::try_from(stage.min(3)).unwrap();
    let (phase, finished) = match stage {
        _ if before => (Phase::Succeeded, Some(end)),
        0..4 => (Phase::Running, None),
        4..6 => (Phase::Failed, None),
        _ => (Phase::Failed, Some(end)),
    };
    let failed = if before { 2 } else { failed };
    Task {
        created: Some(at(created)),
        started: Some(at(created)),
        is_final: finished.is_some(),
        ..task(phase, failed, finished)
    }
}

proptest! {
    /// However often it dies, what it counts in the end is what one counts that never does.
    #[test]
    fn after_any_crashes_each_finish_and_failure_is_counted_once(happenings in happenings()) {
        let mut disk = Disk::new();
        let mut stages = [0usize; IDS.len()];
        let mut present: BTreeSet<&'static str> = IDS.into();
        let mut store = disk.start(IDS);
        let poll = |store: &Store, which: usize, stage, seconds| good(store, IDS[which], story(which, stage), seconds);
        for (step, happening) in happenings.into_iter().enumerate() {
            let seconds = i64::try_from(step).unwrap() + 200;
            match happening {
                Happening::Advances(which) => stages[which] += 1,
                Happening::Polled(which) => { poll(&store, which, stages[which], seconds); }
                Happening::Forgotten(which) => {
                    if present.remove(IDS[which]) {
                        store.remove(&target(IDS[which]).key);
                    } else {
                        present.insert(IDS[which]);
                        store.add(&target(IDS[which]));
                    }
                }
                Happening::Flush => disk.flush(&store),
                Happening::Crash => store = disk.start(present.iter().copied()),
            }
        }
        let never_stopped = Disk::new().start(IDS);
        for (which, id) in IDS.into_iter().enumerate() {
            store.add(&target(id));
            poll(&store, which, stages[which].max(6), 501);
            (0..=6).for_each(|stage| { poll(&never_stopped, which, stage, 501); });
        }
        let once = counters(&store);
        prop_assert_eq!(&once, &counters(&never_stopped));
        let failed = once.iter().find(|line| line.starts_with("cloud_tasks_finished_total") && line.contains("failed"));
        prop_assert_eq!(failed.and_then(|line| line.rsplit(' ').next()), Some("3"), "the old one is not counted");
    }
}

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("cloud-task-exporter-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Thousands of writes that nobody needs on a disk.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() }.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn open(path: &Path) -> Result<(StateFile, Saved), StateError> {
    StateFile::open(path, false, at(0))
}

/// A file with so many tasks, written in several commits; and what it holds.
fn written(path: &Path, tasks: usize) -> Saved {
    let (mut file, saved) = open(path).unwrap();
    let store = Store::restored(rules(1_000_000), Arc::new(Own::new().unwrap()), saved);
    let names: Vec<String> = (0..tasks).map(|number| format!("task-{number}")).collect();
    for (round, seconds) in [(Phase::Running, 10), (Phase::Failed, 20), (Phase::Failed, 30)] {
        for id in &names {
            store.add(&target(id));
            good(&store, id, Task { phase: round, ..full_task() }, seconds);
        }
        file.write(&record::lines(&store.take_changes().unwrap()).unwrap()).unwrap();
    }
    drop(file);
    open(path).unwrap().1
}

#[test]
fn a_file_gives_back_what_was_written() {
    let folder = Folder::new();
    let saved = written(&folder.state(), 20);
    assert_eq!((saved.tasks.len(), saved.standings.len(), saved.groups.len()), (20, 20, 1));
    assert_eq!((saved.began, open(&folder.state()).unwrap().1), (at(0), saved));
}

#[test]
fn a_file_that_was_not_finished_is_made_anew() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("state.new"), "half of it").unwrap();
    open(&folder.state()).unwrap();
    assert!(!folder.0.join("state.new").exists());
}

#[test]
fn a_second_process_is_told_so() {
    let folder = Folder::new();
    let (first, _) = open(&folder.state()).unwrap();
    let error = open(&folder.state()).unwrap_err();
    assert!(matches!(&error, StateError::InUse(path) if *path == folder.state()), "{error}");
    assert!(error.to_string().contains("in use by another process"));
    let reset = StateFile::open(&folder.state(), true, at(0)).unwrap_err();
    assert!(matches!(reset, StateError::InUse(_)), "a file in use is not set aside");
    drop(first);
    open(&folder.state()).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_a_reset_sets_it_aside() {
    let folder = Folder::new();
    written(&folder.state(), 1);
    let (mut file, _) = open(&folder.state()).unwrap();
    let newer = record::Line { kind: Kind::Meta, name: "format".into(), value: Some((FORMAT + 1).to_string().into()) };
    file.write(&[newer]).unwrap();
    drop(file);
    let error = open(&folder.state()).unwrap_err();
    assert!(matches!(error, StateError::Newer { format, .. } if format == FORMAT + 1), "{error}");
    assert!(error.to_string().contains("--state.reset"), "{error}");
    let (_, saved) = StateFile::open(&folder.state(), true, at(77)).unwrap();
    assert_eq!(saved, Saved { began: at(77), ..Saved::default() });
    let aside = folder.0.join("state.set-aside-20231114T221437.000Z");
    assert!(matches!(open(&aside), Err(StateError::Newer { .. })), "nothing is deleted");
}

#[test]
fn a_directory_that_is_missing_is_said_so() {
    let folder = Folder::new();
    let error = open(&folder.0.join("no/such/state")).unwrap_err();
    assert!(matches!(&error, StateError::Unusable { .. }) && error.to_string().contains("directory has to exist"));
    let error = open(&folder.0).unwrap_err();
    assert!(matches!(error, StateError::Unusable { .. }), "a directory is no file: {error}");
}

/// Opens a copy with that content: it is refused, or it holds what it held. How it was.
fn open_content(content: &[u8], saved: &Saved, what: &str) -> bool {
    let folder = Folder::new();
    std::fs::write(folder.state(), content).unwrap();
    match open(&folder.state()) {
        Ok((_, read)) => assert_eq!(read, *saved, "{what}: believed, and wrong"),
        Err(StateError::Damaged { .. }) => {
            assert_eq!(std::fs::read(folder.state()).unwrap().len(), content.len(), "{what}: the file stays");
            return false;
        }
        Err(other) => panic!("{what}: {other}"),
    }
    true
}

#[test]
fn damage_is_found_and_never_believed() {
    let folder = Folder::new();
    let saved = written(&folder.state(), 12);
    let whole = std::fs::read(folder.state()).unwrap();
    assert!(open_content(&whole, &saved, "as it was"));
    let mut refused = 0;
    // Every byte of the header that means something, and some of every page.
    let offsets = (0..320).chain((320..whole.len()).step_by(397));
    for offset in offsets {
        let mut content = whole.clone();
        content[offset] ^= 1 << (offset % 8);
        refused += usize::from(!open_content(&content, &saved, &format!("byte {offset}")));
    }
    assert!(refused > 20, "only {refused} were refused");
    for length in [0, 1, 64, 511, 4096, whole.len() / 2, whole.len() - 1] {
        assert!(!open_content(&whole[..length], &saved, &format!("cut to {length}")), "cut to {length}");
    }
    let noise: Vec<u8> = (0..whole.len()).map(|index| u8::try_from(index * index % 251).unwrap()).collect();
    assert!(!open_content(&noise, &saved, "noise"));
    assert!(!open_content(b"poll: {interval: 30s}\n", &saved, "another file"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_overwritten_stretch_is_found(start in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..6000)) {
        let folder = Folder::new();
        let saved = written(&folder.state(), 3);
        let mut content = std::fs::read(folder.state()).unwrap();
        let start = start.index(content.len());
        for (place, byte) in content[start..].iter_mut().zip(bytes) {
            *place = byte;
        }
        open_content(&content, &saved, &format!("from {start}"));
    }
}

#[test]
fn a_record_that_cannot_be_read_is_damage_with_its_name() {
    let (store, mut disk) = full_store();
    disk.flush(&store);
    let keys: Vec<(Kind, String)> = disk.0.keys().cloned().collect();
    for key in keys {
        let mut disk = disk.clone();
        disk.0.insert(key.clone(), b"{\"surprise\":1}".to_vec());
        let Err(Unreadable::Damaged(damage)) = disk.load() else { panic!("{key:?} was believed") };
        assert!(damage.to_string().contains(&key.1), "{damage}");
    }
}
