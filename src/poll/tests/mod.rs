//! What the loop promises, in paused time, with a cloud that does as it is told.

mod demand;
mod lag;
mod reload;

use super::*;
use crate::cloud::{Find, Finder};
use crate::metrics::{Format, Own};
use crate::model::{Exits, Facts, Labels, Phase, Provider, Task, TaskKey};
use crate::store::{Keeper, Rules, StateFile};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

type Answer = dyn Fn(&str) -> (Duration, Result<Phase, Reason>) + Send + Sync;

/// A cloud that answers each task as told, after so long, and remembers when it was asked.
struct Told {
    answer: Box<Answer>,
    began: Instant,
    asked: Mutex<BTreeMap<String, Vec<f64>>>,
    under_way: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Told")
    }
}

impl Told {
    fn new(answer: impl Fn(&str) -> (Duration, Result<Phase, Reason>) + Send + Sync + 'static) -> Arc<Self> {
        let (asked, under_way) = Default::default();
        Arc::new(Self { answer: Box::new(answer), began: Instant::now(), asked, under_way })
    }

    /// The seconds after the start at which a task was asked for.
    fn asked(&self, id: &str) -> Vec<f64> {
        self.asked.lock().unwrap().get(id).cloned().unwrap_or_default()
    }
}

impl Cloud for Told {
    fn read<'a>(&'a self, id: &'a str, _: Option<&'a Task>) -> BoxFuture<'a, Result<Reading, Error>> {
        async move {
            let at = self.began.elapsed().as_secs_f64();
            self.asked.lock().unwrap().entry(id.to_owned()).or_default().push(at);
            assert!(!self.under_way.lock().unwrap().contains(&id.to_owned()), "{id} is asked for twice at once");
            self.under_way.lock().unwrap().push(id.to_owned());
            let (delay, result) = (self.answer)(id);
            tokio::time::sleep(delay).await;
            self.under_way.lock().unwrap().retain(|other| other != id);
            let reading = |phase| Reading { task: task(phase), unknown_states: 0 };
            result.map(reading).map_err(|reason| Error::new(reason, "told so"))
        }
        .boxed()
    }

    fn api_of(&self, _: &str) -> &'static str {
        "Show"
    }

    fn reread_credentials(&self) {}
}

/// Lists that name so many tasks, one more each time.
#[derive(Debug, Default)]
struct Growing(Mutex<usize>);

impl Find for Growing {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        let list = (0..*count).map(|number| format!("found-{number}").into()).collect();
        async move { Ok(list) }.boxed()
    }
}

fn task(phase: Phase) -> Task {
    Task {
        phase,
        is_final: phase.outcome().is_some(),
        provider_state: "".into(),
        facts: Facts::default(),
        instances: [].into(),
        instances_expected: 0,
        instances_failed: 0,
        rows_truncated: false,
        exits: Exits::default(),
        created: None,
        started: None,
        finished: None,
        queue: None,
        startup: None,
        run: None,
    }
}

fn target(id: &str, seconds: u64) -> Target {
    let account = AccountKey { provider: Provider::new("tencent"), account: "prod".into() };
    Target {
        key: TaskKey { account, task_id: id.into() },
        cloud_region: "here".into(),
        group: "etl".into(),
        labels: Arc::new(Labels::new()),
        interval: Duration::from_secs(seconds),
    }
}

fn rules() -> Rules {
    Rules {
        stale_after: Duration::from_mins(10),
        not_found_grace: Duration::ZERO,
        final_recheck: Duration::from_secs(100),
        instance_histograms: true,
        series_limit: 10_000,
    }
}

fn store() -> Arc<Store> {
    Arc::new(Store::new(rules(), Arc::new(Own::new().unwrap()), clock::now()))
}

fn account(cloud: &Arc<Told>, targets: Vec<Target>, finders: Vec<Finder>) -> Account {
    let key = target("", 1).key.account;
    Account { key, cloud: Arc::clone(cloud) as Arc<dyn Cloud>, targets, finders, concurrency: 4 }
}

/// Runs the loop of an account for so many seconds.
async fn run(cloud: &Arc<Told>, targets: Vec<Target>, finders: Vec<Finder>, seconds: u64) -> Arc<Store> {
    run_with(store(), cloud, targets, finders, seconds).await
}

async fn run_with(
    store: Arc<Store>,
    cloud: &Arc<Told>,
    targets: Vec<Target>,
    finders: Vec<Finder>,
    seconds: u64,
) -> Arc<Store> {
    let observe = Arc::new(Own::new().unwrap());
    run_observed(Arc::clone(&store), observe, account(cloud, targets, finders), seconds).await;
    store
}

/// The same, with somebody who takes notes.
async fn run_observed(store: Arc<Store>, observe: Arc<dyn Observe>, account: Account, seconds: u64) {
    let stop = CancellationToken::new();
    let (polling, _handle) = Loop::new(account, store, observe).await;
    let polling = polling.run(stop.clone());
    tokio::select! {
        () = polling => unreachable!("nobody asked it to stop"),
        () = tokio::time::sleep(Duration::from_secs(seconds)) => stop.cancel(),
    }
}

fn at_once(phase: Phase) -> (Duration, Result<Phase, Reason>) {
    (Duration::ZERO, Ok(phase))
}

#[tokio::test(start_paused = true)]
async fn every_target_is_asked_for_at_its_own_interval() {
    let cloud = Told::new(|_| at_once(Phase::Running));
    run(&cloud, vec![target("quick", 5), target("slow", 20)], vec![], 100).await;
    for (id, interval, least) in [("quick", 5.0, 19), ("slow", 20.0, 4)] {
        let asked = cloud.asked(id);
        assert!(asked[0] <= interval, "the first poll comes within the interval");
        assert!(asked.len() >= least, "{asked:?}");
        assert!(asked.windows(2).all(|pair| (pair[1] - pair[0] - interval).abs() < 0.01), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_task_delays_no_other_and_is_not_asked_for_twice_at_once() {
    let cloud =
        Told::new(
            |id| if id == "slow" { (Duration::from_secs(30), Ok(Phase::Running)) } else { at_once(Phase::Running) },
        );
    run(&cloud, vec![target("slow", 5), target("quick", 5)], vec![], 100).await;
    assert!(cloud.asked("quick").len() >= 19);
    // Late again and again, but never two in a row to catch up.
    let slow = cloud.asked("slow");
    assert!(slow.windows(2).all(|pair| (pair[1] - pair[0] - 30.0).abs() < 0.01), "{slow:?}");
}

#[tokio::test(start_paused = true)]
async fn a_finished_task_is_looked_at_seldom() {
    let cloud = Told::new(|_| at_once(Phase::Succeeded));
    run(&cloud, vec![target("done", 5)], vec![], 250).await;
    assert_eq!(cloud.asked("done").len(), 3);
}

/// Lists that are never read to their end.
#[derive(Debug)]
struct Panicking;

impl Find for Panicking {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        async move { panic!("a bug, on purpose") }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_minute_that_is_lost_is_not_made_up_for() {
    let cloud = Told::new(|_| at_once(Phase::Running));
    let names: Vec<String> = (0..20).map(|number| format!("task-{number}")).collect();
    let targets = names.iter().map(|name| target(name, 10)).collect();
    let stopped = async {
        tokio::time::sleep(Duration::from_secs(35)).await;
        tokio::time::advance(Duration::from_mins(1)).await;
    };
    tokio::join!(run(&cloud, targets, vec![], 150), stopped);
    for name in &names {
        let asked = cloud.asked(name);
        let asked: Vec<f64> = asked.into_iter().filter(|at| *at >= 35.0).collect();
        assert!(asked.len() >= 5, "{asked:?}");
        assert!(asked.windows(2).all(|pair| pair[1] - pair[0] > 9.9), "never two in a row: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_that_poll_only_and_is_a_failure_that_is_counted() {
    let began = Instant::now();
    let cloud = Told::new(move |id| {
        let is_bug = id == "bug" && began.elapsed() >= Duration::from_secs(10);
        if is_bug { panic!("a bug, on purpose") } else { at_once(Phase::Running) }
    });
    let finder = Finder {
        find: Arc::new(Panicking),
        search: "".into(),
        template: target("", 10),
        keep: Duration::MAX,
        limit: 9,
    };
    let own = Arc::new(Own::new().unwrap());
    let targets = vec![target("bug", 5), target("well", 5)];
    let (store, observe) = (store(), Arc::clone(&own) as Arc<dyn Observe>);
    run_observed(Arc::clone(&store), observe, account(&cloud, targets, vec![finder]), 29).await;
    let bugs = cloud.asked("bug").into_iter().filter(|at| *at >= 10.0).count();
    assert!(bugs >= 3 && cloud.asked("well").len() >= 5, "both are asked for again and again");
    let rows = store.tasks(clock::now());
    assert_eq!(rows[0].shown_phase(), Some(Phase::Running), "the last good answer is kept");
    assert_eq!(rows[0].failure.as_ref().map(|failure| failure.reason), Some(Reason::Decode));
    assert!(rows[1].failure.is_none());
    let text = String::from_utf8(own.render(Format::Text)).unwrap();
    let count = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()
    };
    let lists = 3;
    assert_eq!(count("cloud_task_exporter_poll_panics_total{"), bugs + lists);
    assert_eq!(count("cloud_task_exporter_polls_total{"), cloud.asked("bug").len() + cloud.asked("well").len());
    assert!(text.contains(&format!("reason=\"decode\"}} {bugs}\n")), "{text}");
    assert_eq!(count("cloud_task_exporter_discoveries_total{"), lists);
    let unread =
        format!("discovery_failures_total{{account=\"prod\",provider=\"tencent\",reason=\"decode\"}} {lists}\n");
    assert!(text.contains(&unread), "{text}");
}

#[tokio::test(start_paused = true)]
async fn found_tasks_are_polled_too_and_named_ones_once() {
    let cloud = Told::new(|_| at_once(Phase::Running));
    let finder = |limit| Finder {
        find: Arc::new(Growing::default()),
        search: format!("up to {limit}").into(),
        template: target("", 10),
        keep: Duration::from_mins(5),
        limit,
    };
    let store = run(&cloud, vec![target("found-0", 10)], vec![finder(3), finder(100)], 95).await;
    let known = store.tasks(clock::now());
    assert!(known.len() >= 9, "{}", known.len());
    let first = cloud.asked("found-0");
    assert!(first.windows(2).all(|pair| pair[1] - pair[0] > 9.0), "two ways to a task are one task: {first:?}");
}

/// Lists that always name the same task.
#[derive(Debug)]
struct Same(&'static str);

impl Find for Same {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        async move { Ok(vec![self.0.into()]) }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_found_task_that_finished_and_was_deleted_is_forgotten_and_a_named_one_is_not() {
    let began = Instant::now();
    let cloud = Told::new(move |_| {
        let deleted = began.elapsed() > Duration::from_secs(50);
        (Duration::ZERO, if deleted { Err(Reason::NotFound) } else { Ok(Phase::Succeeded) })
    });
    let once = Finder {
        find: Arc::new(Same("found")),
        search: "".into(),
        template: target("", 1000),
        keep: Duration::MAX,
        limit: 9,
    };
    let store = run(&cloud, vec![target("named", 10)], vec![once], 200).await;
    let known: Vec<String> = store.tasks(clock::now()).iter().map(|row| row.target.key.task_id.to_string()).collect();
    assert_eq!(known, ["named"]);
    assert!(store.tasks(clock::now())[0].failure.is_some());
}

/// Lists that never come.
#[derive(Debug)]
struct Never;

impl Find for Never {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        futures_util::future::pending().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn found_tasks_go_on_after_a_restart_before_any_list_names_them() {
    let folder = std::env::temp_dir().join(format!("cloud-task-exporter-poll-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("state");
    let open = || {
        let (file, saved) = StateFile::open(&path, false, clock::now()).unwrap();
        let store = Arc::new(Store::restored(rules(), Arc::new(Own::new().unwrap()), saved));
        let keeper = Arc::new(Keeper::new(Arc::clone(&store), file, clock::now));
        (store, keeper)
    };
    let finder = |group: &str, find: Arc<dyn Find>| Finder {
        find,
        search: group.into(),
        template: Target { group: group.into(), ..target("", 20) },
        keep: Duration::from_hours(1),
        limit: 9,
    };
    let cloud = Told::new(|_| at_once(Phase::Running));
    let (store, keeper) = open();
    let finders = vec![finder("other", Arc::new(Never)), finder("etl", Arc::new(Same("found")))];
    let store = run_with(store, &cloud, vec![target("named", 20)], finders, 60).await;
    assert_eq!(store.tasks(clock::now()).len(), 2);
    keeper.write().await;
    drop((store, keeper));
    // The finders stand in another order by now.
    let (store, _keeper) = open();
    let cloud = Told::new(|_| at_once(Phase::Running));
    let finders = vec![finder("etl", Arc::new(Never)), finder("other", Arc::new(Never))];
    let store = run_with(store, &cloud, vec![target("named", 20)], finders, 60).await;
    store.settle();
    let rows = store.tasks(clock::now());
    assert_eq!(rows.iter().map(|row| &*row.target.key.task_id).collect::<Vec<_>>(), ["found", "named"]);
    assert!(rows.iter().all(|row| &*row.target.group == "etl"));
    for id in ["found", "named"] {
        let asked = cloud.asked(id);
        assert!((2..=3).contains(&asked.len()) && asked[0] > 15.0, "at its own time: {asked:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_the_store_with_its_reason() {
    let cloud = Told::new(|_| (Duration::ZERO, Err(Reason::Decode)));
    let store = run(&cloud, vec![target("a", 5)], vec![], 20).await;
    let rows = store.tasks(clock::now());
    let failure = rows[0].failure.clone().unwrap();
    assert_eq!((failure.reason, &*failure.message), (Reason::Decode, "told so"));
    assert!(store.accounts()[0].problem.is_some() && store.pending_accounts().is_empty());
}
