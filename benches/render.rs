//! What rendering costs: one task, and the body of `/metrics` of ten thousand as text and as protobuf, against copying the
//! text.
#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to report an error to")]

use cloud_task_exporter::metrics::{Body, Format, Own, Sheet, identity};
use cloud_task_exporter::model::{
    AccountKey, Exits, Facts, Histogram, Labels, Phase, Provider, Reading, Target, Task, TaskKey,
};
use cloud_task_exporter::store::{Rules, Store};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const TASKS: usize = 10_000;

fn target(number: usize) -> Target {
    let account = AccountKey { provider: Provider::new("tencent"), account: "prod".into() };
    Target {
        key: TaskKey { account, task_id: format!("job-{number:08}/A").into() },
        cloud_region: "ap-guangzhou".into(),
        group: "nightly-etl".into(),
        labels: Arc::new(Labels::from([("team".into(), "data".into())])),
        interval: Duration::from_secs(30),
    }
}

fn task(number: usize) -> Task {
    let mut durations = Histogram::default();
    for seconds in [20.0, 30.5, 70.25] {
        durations.observe(seconds);
    }
    let states =
        ["submitted", "pending", "runnable", "starting", "running", "succeeded", "failed", "failed_interrupted"];
    Task {
        phase: Phase::Running,
        is_final: false,
        provider_state: "RUNNING".into(),
        facts: Facts { job_id: format!("job-{number:08}").into(), task_name: "A".into(), ..Facts::default() },
        instances: states.into_iter().map(|state| (state, u64::from(state == "running") * 3)).collect(),
        instances_expected: 3,
        instances_failed: 0,
        rows_truncated: false,
        exits: Exits::bounded([(0, 1)].into()),
        created: Timestamp::from_second(1_767_225_600).ok(),
        started: Timestamp::from_second(1_767_225_650).ok(),
        finished: None,
        queue: Some(durations.clone()),
        startup: Some(durations.clone()),
        run: Some(durations),
    }
}

fn filled() -> Store {
    let rules = Rules {
        stale_after: Duration::from_mins(10),
        not_found_grace: Duration::ZERO,
        final_recheck: Duration::from_hours(1),
        instance_histograms: true,
        series_limit: 10_000_000,
    };
    let now = Timestamp::from_second(1_767_225_700).unwrap();
    let store = Store::new(rules, Arc::new(Own::new().unwrap()), now);
    for number in 0..TASKS {
        let target = Arc::new(target(number));
        store.add(&target);
        store.record(&target.key, Ok(Reading { task: task(number), unknown_states: 0 }), now);
    }
    store
}

fn benches(criterion: &mut Criterion) {
    let (one, task) = (target(1), Arc::new(task(1)));
    criterion.bench_function("render one task", |bencher| {
        bencher.iter(|| (identity(black_box(&one)), Sheet::of_task(&one, black_box(&task), true)));
    });

    let store = filled();
    let now = Timestamp::from_second(1_767_225_701).unwrap();
    let body = || Body::new(store.snapshot(now), Format::OpenMetrics);
    let size: usize = body().map(|piece| piece.len()).sum();
    let whole: Vec<u8> = body().flatten().collect();
    let mut group = criterion.benchmark_group("body of 10 000 tasks");
    group.throughput(Throughput::Bytes(u64::try_from(size).unwrap()));
    group.sample_size(20);
    group.bench_function("from the store", |bencher| {
        bencher.iter(|| body().map(|piece| black_box(piece).len()).sum::<usize>());
    });
    group.bench_function("from the store, as protobuf", |bencher| {
        let body = || Body::new(store.snapshot(now), Format::Protobuf);
        bencher.iter(|| body().map(|piece| black_box(piece).len()).sum::<usize>());
    });
    group.bench_function("copying as many bytes in pieces of the same size", |bencher| {
        bencher.iter(|| whole.chunks(128 * 1024).map(|piece| black_box(piece.to_vec()).len()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(render, benches);
criterion_main!(render);
