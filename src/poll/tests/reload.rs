//! What a new config leaves as it was, and what it changes, in a loop that runs.

use super::*;
use crate::metrics::{Body, Format, Group};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tokio::time::sleep;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

/// A loop that runs until this is dropped.
pub(super) struct Polled {
    pub(super) store: Arc<Store>,
    pub(super) handle: Handle,
    _stop: DropGuard,
}

pub(super) async fn start(account: Account) -> Polled {
    start_with(store(), account).await
}

async fn start_with(store: Arc<Store>, account: Account) -> Polled {
    start_observed(store, Arc::new(Own::new().unwrap()), account).await
}

pub(super) async fn start_observed(store: Arc<Store>, observe: Arc<dyn Observe>, account: Account) -> Polled {
    let stop = CancellationToken::new();
    let (polling, handle) = Loop::new(account, Arc::clone(&store), observe).await;
    TaskTracker::new().spawn(polling.run(stop.clone()));
    Polled { store, handle, _stop: stop.drop_guard() }
}

impl Polled {
    fn target(&self, id: &str) -> Option<Arc<Target>> {
        self.store.target(&target(id, 1).key)
    }

    fn ids(&self) -> Vec<String> {
        self.store.tasks(clock::now()).iter().map(|row| row.target.key.task_id.to_string()).collect()
    }

    fn phase(&self, id: &str) -> Option<Phase> {
        let rows = self.store.tasks(clock::now());
        rows.iter().find(|row| &*row.target.key.task_id == id)?.shown_phase()
    }
}

pub(super) async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

fn running() -> Arc<Told> {
    Told::new(|_| at_once(Phase::Running))
}

/// Lists that always name the same tasks, the first after a while.
#[derive(Debug)]
struct Listing(&'static [&'static str], Duration);

impl Find for Listing {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        async move {
            cloud::note_request("List");
            sleep(self.1).await;
            Ok(self.0.iter().map(|id| (*id).into()).collect())
        }
        .boxed()
    }
}

fn finder(search: &str, find: Arc<dyn Find>) -> Finder {
    Finder { find, search: search.into(), template: target("", 10), keep: Duration::from_hours(1), limit: 100 }
}

pub(super) fn listing(search: &str, ids: &'static [&'static str]) -> Finder {
    finder(search, Arc::new(Listing(ids, Duration::from_secs(3))))
}

fn in_group(group: &str, target: Target) -> Target {
    Target { group: group.into(), ..target }
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_keeps_its_pace_and_is_the_very_same() {
    let cloud = running();
    let polled = start(account(&cloud, vec![target("a", 30), target("gone", 30)], vec![])).await;
    seconds(45).await;
    let before = polled.target("a").unwrap();
    let changes = polled.handle.reconfigure(account(&cloud, vec![target("new", 30), target("a", 30)], vec![])).await;
    assert_eq!(changes, Changes { tasks_added: 1, tasks_removed: 1, ..Changes::default() });
    assert!(Arc::ptr_eq(&before, &polled.target("a").unwrap()));
    assert_eq!(polled.ids(), ["a", "new"]);
    let asked_gone = cloud.asked("gone").len();
    seconds(100).await;
    let asked = cloud.asked("a");
    assert!(asked.len() >= 4 && asked.windows(2).all(|pair| (pair[1] - pair[0] - 30.0).abs() < 0.01), "{asked:?}");
    assert!(cloud.asked("new")[0] <= 75.0 && cloud.asked("gone").len() == asked_gone);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_which_the_config_says_something_else_keeps_what_is_known() {
    let cloud = running();
    let polled = start(account(&cloud, vec![target("a", 1000)], vec![])).await;
    seconds(40).await;
    let success = polled.store.tasks(clock::now())[0].last_success;
    let other = in_group("other", target("a", 10));
    let changes = polled.handle.reconfigure(account(&cloud, vec![other.clone()], vec![])).await;
    assert_eq!(changes, Changes { tasks_changed: 1, ..Changes::default() });
    let row = &polled.store.tasks(clock::now())[0];
    assert_eq!((&*row.target, row.last_success, row.shown_phase()), (&other, success, Some(Phase::Running)));
    assert_eq!(cloud.asked("a").len(), 1, "nothing is asked for out of turn");
    seconds(25).await;
    let asked = cloud.asked("a");
    assert!((asked[1] - 50.0).abs() < 0.01 && (asked[2] - 60.0).abs() < 0.01, "{asked:?}");
    // And back: it stays due when it was.
    polled.handle.reconfigure(account(&cloud, vec![target("a", 1000)], vec![])).await;
    seconds(10).await;
    assert!((cloud.asked("a")[3] - 70.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_poll_under_way_is_neither_lost_nor_made_twice() {
    let cloud = Told::new(|_| (Duration::from_secs(20), Ok(Phase::Running)));
    let polled = start(account(&cloud, vec![target("a", 1)], vec![])).await;
    seconds(5).await;
    let with = |interval| account(&cloud, vec![target("a", interval)], vec![]);
    polled.handle.reconfigure(account(&cloud, vec![], vec![])).await;
    assert!(polled.ids().is_empty());
    for interval in [1, 2, 100] {
        polled.handle.reconfigure(with(interval)).await;
    }
    seconds(20).await;
    assert_eq!(cloud.asked("a").len(), 1, "the cloud would have told of a second one");
    assert_eq!(polled.phase("a"), Some(Phase::Running));
    seconds(100).await;
    let asked = cloud.asked("a");
    assert!((asked[1] - asked[0] - 100.0).abs() < 0.01, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_hanging_cloud_was_asked_is_asked_of_the_one_in_its_place() {
    let hanging = Told::new(|_| (Duration::MAX, Ok(Phase::Running)));
    let polled = start(account(&hanging, vec![target("a", 1000), target("b", 1000)], vec![])).await;
    seconds(60).await;
    let quick = Told::new(|_| at_once(Phase::Paused));
    polled.handle.reconfigure(account(&quick, vec![target("a", 1000), target("b", 1000)], vec![])).await;
    seconds(1).await;
    for id in ["a", "b"] {
        assert_eq!((hanging.asked(id).len(), quick.asked(id).len()), (1, 1));
        assert_eq!(polled.phase(id), Some(Phase::Paused));
    }
    // What is known outlives its cloud.
    polled.handle.reconfigure(account(&hanging, vec![target("a", 1000), target("b", 1000)], vec![])).await;
    seconds(100).await;
    assert_eq!(polled.phase("a"), Some(Phase::Paused));
    assert_eq!(quick.asked("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_id_in_another_region_is_another_task() {
    let polled = start(account(&running(), vec![target("a", 1)], vec![])).await;
    seconds(5).await;
    let hanging = Told::new(|_| (Duration::MAX, Ok(Phase::Running)));
    let moved = Target { cloud_region: "there".into(), ..target("a", 1) };
    polled.handle.reconfigure(account(&hanging, vec![moved], vec![])).await;
    assert_eq!((polled.ids(), polled.phase("a")), (vec!["a".to_owned()], None));
    assert_eq!(&*polled.store.accounts()[0].cloud_region, "there");
}

#[tokio::test(start_paused = true)]
async fn a_finder_that_looks_for_the_same_goes_on_with_what_it_knows() {
    let cloud = running();
    let (first, second) = (Arc::new(Growing::default()), Arc::new(Growing::default()));
    let polled = start(account(&cloud, vec![], vec![finder("all", Arc::clone(&first) as _)])).await;
    seconds(35).await;
    let before = polled.target("found-0").unwrap();
    let found = polled.ids();
    let mut same = finder("all", Arc::clone(&second) as _);
    let changes = polled.handle.reconfigure(account(&cloud, vec![], vec![same.clone()])).await;
    assert_eq!(changes, Changes::default());
    assert!(Arc::ptr_eq(&before, &polled.target("found-0").unwrap()));
    // What its tasks are given may change all the same.
    same.template = in_group("other", same.template);
    let changes = polled.handle.reconfigure(account(&cloud, vec![], vec![same])).await;
    assert_eq!(changes, Changes { tasks_changed: found.len(), ..Changes::default() });
    assert_eq!(polled.ids(), found);
    assert_eq!((&*polled.target("found-0").unwrap().group, polled.phase("found-0")), ("other", Some(Phase::Running)));
    seconds(60).await;
    assert_eq!((*first.0.lock().unwrap(), *second.0.lock().unwrap()), (10, 0), "every ten seconds, all along");
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_a_finder_that_changed_stay_until_its_first_list() {
    let cloud = running();
    let polled = start(account(&cloud, vec![target("named", 10)], vec![listing("old", &["a", "b"])])).await;
    seconds(30).await;
    let mut new = listing("new", &["b", "c", "named"]);
    new.template = in_group("new", new.template);
    let changes = polled.handle.reconfigure(account(&cloud, vec![], vec![new])).await;
    assert_eq!(changes, Changes { finders_added: 1, finders_removed: 1, ..Changes::default() });
    seconds(2).await;
    assert_eq!(polled.ids(), ["a", "b", "named"], "the list is still under way");
    seconds(2).await;
    assert_eq!(polled.ids(), ["b", "c", "named"]);
    for id in ["b", "named"] {
        assert_eq!((&*polled.target(id).unwrap().group, polled.phase(id)), ("new", Some(Phase::Running)));
        let asked = cloud.asked(id).len();
        seconds(20).await;
        assert_eq!(cloud.asked(id).len(), asked + 2, "{id} is polled at its pace");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_a_finder_that_is_gone_go_but_for_those_that_are_named_or_found_by_another() {
    let cloud = running();
    let finders = vec![listing("one", &["a", "b", "c"]), listing("two", &["b"])];
    let polled = start(account(&cloud, vec![], finders)).await;
    seconds(30).await;
    let asked = cloud.asked("c").len();
    polled.handle.reconfigure(account(&cloud, vec![target("c", 10)], vec![listing("two", &["b"])])).await;
    assert_eq!(polled.ids(), ["b", "c"]);
    assert_eq!(polled.phase("c"), Some(Phase::Running));
    seconds(10).await;
    assert_eq!(cloud.asked("c").len(), asked + 1);
    // A named task that is named no more is still found.
    polled.handle.reconfigure(account(&cloud, vec![], vec![listing("two", &["b"])])).await;
    assert_eq!(polled.ids(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn other_rules_bring_back_what_was_never_to_be_asked_for_again() {
    let cloud = Told::new(|_| at_once(Phase::Succeeded));
    let polled = start(account(&cloud, vec![target("done", 10)], vec![])).await;
    let with_recheck = |seconds| Rules { final_recheck: Duration::from_secs(seconds), ..rules() };
    polled.store.set_rules(with_recheck(0));
    seconds(300).await;
    assert_eq!(cloud.asked("done").len(), 1);
    polled.store.set_rules(with_recheck(50));
    polled.handle.reconfigure(account(&cloud, vec![target("done", 10)], vec![])).await;
    seconds(100).await;
    assert!(cloud.asked("done").len() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_has_ended_is_told_in_vain() {
    let cloud = running();
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let observe = Arc::new(Own::new().unwrap());
    let (polling, handle) = Loop::new(account(&cloud, vec![], vec![]), store(), observe).await;
    tracker.spawn(polling.run(stop.clone()));
    stop.cancel();
    handle.ended().await;
    assert_eq!(handle.reconfigure(account(&cloud, vec![target("a", 1)], vec![])).await, Changes::default());
}

#[tokio::test(start_paused = true)]
async fn a_finished_task_that_goes_with_one_config_and_comes_with_a_later_one_is_counted_once() {
    let began = Instant::now();
    let has_ended = move || began.elapsed() > Duration::from_secs(15);
    let cloud = Told::new(move |_| at_once(if has_ended() { Phase::Succeeded } else { Phase::Running }));
    let polled = start(account(&cloud, vec![target("a", 10)], vec![])).await;
    let finished = || counters(&polled.store).values().sum::<f64>();
    seconds(30).await;
    assert!((finished() - 1.0).abs() < 1e-9, "{}", finished());
    for (targets, finders) in [(vec![], vec![listing("all", &["a"])]), (vec![target("a", 10)], vec![])] {
        polled.handle.reconfigure(account(&cloud, vec![], vec![])).await;
        assert!(polled.ids().is_empty());
        polled.handle.reconfigure(account(&cloud, targets, finders)).await;
        seconds(30).await;
        assert_eq!(polled.phase("a"), Some(Phase::Succeeded), "it is read anew");
        assert!((finished() - 1.0).abs() < 1e-9, "{}", finished());
    }
}

#[tokio::test(start_paused = true)]
async fn what_finders_have_found_is_kept_under_the_places_they_have_now() {
    let path = std::env::temp_dir().join(format!("cloud-task-exporter-reload-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let open = || StateFile::open(&path.join("state"), false, clock::now()).unwrap();
    let restored = |saved| Arc::new(Store::restored(rules(), Arc::new(Own::new().unwrap()), saved));
    let (file, saved) = open();
    let store = restored(saved);
    let keeper = Arc::new(Keeper::new(Arc::clone(&store), file, clock::now));
    let (one, two) = (listing("one", &["a"]), listing("two", &["b"]));
    let cloud = running();
    let polled = start_with(store, account(&cloud, vec![], vec![one.clone(), two.clone()])).await;
    seconds(5).await;
    polled.handle.reconfigure(account(&cloud, vec![], vec![two, one])).await;
    assert!(keeper.write().await);
    drop((polled, keeper));
    let (_file, saved) = open();
    let store = restored(saved);
    for (place, id) in ["b", "a"].into_iter().enumerate() {
        let found = store.found_before(&target("", 1).key.account, "etl", Some(place));
        assert_eq!(found.iter().map(|(id, _)| &**id).collect::<Vec<_>>(), [id]);
    }
    std::fs::remove_dir_all(&path).unwrap();
}

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];
const GROUPS: [&str; 3] = ["x", "y", "z"];
const FINDERS: [(&str, &[&str]); 3] = [("ab", &["a", "b"]), ("bcf", &["b", "c", "f"]), ("none", &[])];

/// One config: the group and interval of each named task, which finders with which group, and how long it is in force.
#[derive(Clone, Debug)]
pub(super) struct Step {
    named: Vec<Option<(usize, u64)>>,
    finders: Vec<(usize, usize)>,
    pub(super) seconds: u64,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let named = prop::collection::vec(prop::option::of((0..GROUPS.len(), 1u64..40)), IDS.len());
    let finders = prop::collection::btree_map(0..FINDERS.len(), 0..GROUPS.len(), 0..=FINDERS.len());
    let step = (named, finders, 5u64..60);
    let step =
        step.prop_map(|(named, finders, seconds)| Step { named, finders: finders.into_iter().collect(), seconds });
    prop::collection::vec(step, 1..8)
}

impl Step {
    pub(super) fn targets(&self) -> Vec<Target> {
        let named = IDS.iter().zip(&self.named);
        named
            .filter_map(|(id, told)| told.map(|(group, interval)| in_group(GROUPS[group], target(id, interval))))
            .collect()
    }

    pub(super) fn finders(&self) -> Vec<Finder> {
        let finders = self.finders.iter().map(|(which, group)| {
            let (search, ids) = FINDERS[*which];
            let found = listing(search, ids);
            Finder { template: in_group(GROUPS[*group], found.template.clone()), ..found }
        });
        finders.collect()
    }

    /// What is to be polled, and in which group.
    fn expected(&self) -> BTreeMap<String, String> {
        let named = self.targets();
        let found = self.finders.iter().rev();
        let mut expected = BTreeMap::new();
        for (which, group) in found {
            expected.extend(FINDERS[*which].1.iter().map(|id| ((*id).to_owned(), GROUPS[*group].to_owned())));
        }
        expected.extend(named.iter().map(|target| (target.key.task_id.to_string(), target.group.to_string())));
        expected
    }

    fn groups(&self) -> BTreeSet<Group> {
        let templates: Vec<Target> = self.finders().into_iter().map(|finder| finder.template).collect();
        self.targets().iter().chain(&templates).map(Group::from).collect()
    }
}

/// The counters of groups, by series.
fn counters(store: &Store) -> BTreeMap<String, f64> {
    let pieces: Vec<u8> = Body::new(store.snapshot(clock::now()), Format::Text).flatten().collect();
    let text = String::from_utf8(pieces).unwrap();
    let counted = text.lines().filter(|line| line.starts_with("cloud_tasks_finished_total{"));
    counted
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

async fn after_each_config_its_tasks_are_polled_and_no_counter_has_fallen(steps: Vec<Step>) {
    let began = Instant::now();
    let cloud = Told::new(move |id| {
        let turn = began.elapsed().as_secs() / 15 + u64::from(id.as_bytes()[0]);
        (Duration::from_millis(700), Ok(if turn.is_multiple_of(2) { Phase::Running } else { Phase::Succeeded }))
    });
    let polled = start(account(&cloud, vec![], vec![])).await;
    polled.store.set_rules(Rules { final_recheck: Duration::from_secs(10), ..rules() });
    let mut before: BTreeMap<String, f64> = BTreeMap::new();
    for step in steps {
        polled.handle.reconfigure(account(&cloud, step.targets(), step.finders())).await;
        polled.store.set_groups(step.groups());
        // The first lists take three seconds.
        seconds(step.seconds).await;
        let held = polled.store.tasks(clock::now());
        let held = held.iter().map(|row| (row.target.key.task_id.to_string(), row.target.group.to_string()));
        assert_eq!(held.collect::<BTreeMap<_, _>>(), step.expected(), "{step:?}");
        let after = counters(&polled.store);
        let groups: BTreeSet<&str> = after.keys().filter_map(|name| name.split("group=\"").nth(1)?.get(..1)).collect();
        let named = step.groups().len();
        assert_eq!(groups.len(), named, "{groups:?} of {step:?}");
        let fallen = after.iter().find(|(name, value)| before.get(*name).is_some_and(|before| before > *value));
        assert_eq!(fallen, None, "{before:?}");
        before = after;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_config_was_before(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(after_each_config_its_tasks_are_polled_and_no_counter_has_fallen(steps));
    }
}
