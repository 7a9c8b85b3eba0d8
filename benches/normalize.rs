//! What an answer of DescribeTask with 1000 rows costs, from its bytes to a task; against parsing it as plain JSON.
#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to report an error to")]

use cloud_task_exporter::cloud::Answer;
use cloud_task_exporter::cloud::tencent::read_answer;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;

const ROWS: u64 = 1000;

/// The three rows of the small answer, again and again.
fn body() -> String {
    let mut answer: Value = serde_json::from_str(include_str!("three-instances.json")).unwrap();
    let response = answer.get_mut("Response").unwrap();
    let few = response.get("TaskInstanceSet").unwrap().as_array().unwrap().clone();
    let row = |index: u64| {
        let mut row = few.iter().cycle().nth(usize::try_from(index).unwrap()).unwrap().clone();
        *row.get_mut("TaskInstanceIndex").unwrap() = json!(index);
        row
    };
    *response.get_mut("TaskInstanceSet").unwrap() = (0..ROWS).map(row).collect();
    *response.get_mut("TaskInstanceTotalCount").unwrap() = json!(ROWS);
    answer.to_string()
}

fn benches(criterion: &mut Criterion) {
    let body = body();
    let size = u64::try_from(body.len()).unwrap();
    let answer = Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), body: body.into() };
    assert!(read_answer("job-97zcl3wt/A", &answer).unwrap().task.run.unwrap().count() > ROWS / 4);
    let mut group = criterion.benchmark_group("answer of 1000 rows");
    group.throughput(Throughput::Bytes(size));
    group.bench_function("to a task", |bencher| {
        bencher.iter(|| read_answer("job-97zcl3wt/A", black_box(&answer)).unwrap());
    });
    group.bench_function("to plain JSON", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&answer.body)).unwrap());
    });
    group.finish();
}

criterion_group!(normalize, benches);
criterion_main!(normalize);
