//! What keeping the state file costs: how long a write of ten thousand tasks takes and how large the file gets.
//!
//! `cargo bench --bench state`. The file is made in the directory of the first argument that is no flag, or in that of
//! temporary files: the figures are those of its disk, too.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that measures and prints; it has nobody to report an error to"
)]

use cloud_task_exporter::clock;
use cloud_task_exporter::metrics::Own;
use cloud_task_exporter::model::{
    AccountKey, Exits, Facts, Histogram, Labels, Phase, Provider, Reading, Target, Task, TaskKey,
};
use cloud_task_exporter::store::{Keeper, Rules, StateFile, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const TASKS: usize = 10_000;
const ROUNDS: u64 = 10;

fn target(number: usize) -> Arc<Target> {
    let account = AccountKey { provider: Provider::new("tencent"), account: "prod".into() };
    Arc::new(Target {
        key: TaskKey { account, task_id: format!("job-{number:08}/A").into() },
        cloud_region: "ap-guangzhou".into(),
        group: "nightly-etl".into(),
        labels: Arc::new(Labels::new()),
        interval: Duration::from_secs(30),
    })
}

fn task(round: u64) -> Task {
    let states =
        ["submitted", "pending", "runnable", "starting", "running", "succeeded", "failed", "failed_interrupted"];
    let mut histogram = Histogram::default();
    for seconds in [1.0, 20.0, 300.0] {
        histogram.observe(seconds);
    }
    Task {
        phase: Phase::Running,
        is_final: false,
        provider_state: "RUNNING".into(),
        facts: Facts { job_id: "job-97zcl3wt".into(), task_name: "A".into(), ..Facts::default() },
        instances: states.into_iter().map(|state| (state, round)).collect(),
        instances_expected: 3,
        instances_failed: round,
        rows_truncated: false,
        exits: Exits::default(),
        created: Some(clock::now()),
        started: Some(clock::now()),
        finished: None,
        queue: Some(histogram.clone()),
        startup: Some(histogram.clone()),
        run: Some(histogram),
    }
}

/// Polls every task, writes, and says how long the write took.
fn write(runtime: &tokio::runtime::Runtime, keeper: &Arc<Keeper>, store: &Store, tasks: usize, round: u64) -> Duration {
    for number in 0..tasks {
        let reading = Reading { task: task(round), unknown_states: 0 };
        store.record(&target(number).key, Ok(reading), clock::now());
    }
    let began = Instant::now();
    runtime.block_on(keeper.write());
    began.elapsed()
}

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = given.map_or_else(std::env::temp_dir, Into::into).join(format!("state-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("state");
    let rules = Rules {
        stale_after: Duration::from_mins(10),
        not_found_grace: Duration::from_mins(5),
        final_recheck: Duration::from_hours(1),
        instance_histograms: true,
        series_limit: 10_000_000,
    };
    let own = Arc::new(Own::new().unwrap());
    let (file, saved) = StateFile::open(&path, false, clock::now()).unwrap();
    let store = Arc::new(Store::restored(rules, own, saved));
    (0..TASKS).for_each(|number| assert!(store.add(&target(number))));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let keeper = Arc::new(Keeper::new(Arc::clone(&store), file, clock::now));
    let size = |path: &Path| std::fs::metadata(path).unwrap().len() / 1024;
    println!("first write of {TASKS} tasks:    {:>6} ms", write(&runtime, &keeper, &store, TASKS, 0).as_millis());
    println!("size of the file then:          {:>6} KiB", size(&path));
    let all: Vec<Duration> = (1..=ROUNDS).map(|round| write(&runtime, &keeper, &store, TASKS, round)).collect();
    println!("write of {TASKS} changed tasks:  {:>6} ms at most", all.iter().max().unwrap().as_millis());
    let some: Vec<Duration> = (1..=ROUNDS).map(|round| write(&runtime, &keeper, &store, 170, round)).collect();
    println!("write of 170 changed tasks:     {:>6} ms at most", some.iter().max().unwrap().as_millis());
    println!("size of the file then:          {:>6} KiB", size(&path));
    drop((keeper, store));
    let began = Instant::now();
    let (file, saved) = StateFile::open(&path, false, clock::now()).unwrap();
    println!("opening and checking it:        {:>6} ms", began.elapsed().as_millis());
    drop((file, saved));
    std::fs::remove_dir_all(&folder).unwrap();
}
