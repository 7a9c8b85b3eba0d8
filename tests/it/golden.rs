//! The series of the vendors' own sample answers, in full.

use crate::fake::{FakeCloud, Reply};
use crate::harness::Exporter;

/// The series of single tasks when the cloud answers with that file; what depends on the time of the run is left out.
fn series(section: &str, reply: &str) -> String {
    let path = format!("{}/tests/data/replies/{reply}", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let cloud = FakeCloud::start(move |_| Reply::json(body.clone()));
    let exporter = Exporter::serve(&section.replace("ENDPOINT", &cloud.endpoint()));
    exporter.wait_for("cloud_task_poll_success", &[], 1.0);
    let kept = |line: &&str| line.contains("task_id=\"") && !line.starts_with("cloud_task_last_poll_success");
    exporter.metrics().lines().filter(kept).collect::<Vec<_>>().join("\n")
}

const TENCENT: &str = "tencent:
  - account: prod
    region: ap-guangzhou
    endpoint: ENDPOINT
    credentials: {secret_id: {env: KEY}, secret_key: {env: SECRET}}
    targets: [{job: job-97zcl3wt, tasks: [A], group: nightly-etl, labels: {owner: alice}}]
";

const LEGACY: &str = "tencent:
  - account: old
    region: ap-guangzhou
    api: \"2.0\"
    endpoint: ENDPOINT
    credentials: {secret_id: {env: KEY}, secret_key: {env: SECRET}}
    targets: [{job: job-08gkkznp, tasks: [A]}]
";

const ALIYUN: &str = "aliyun:
  - account: ack
    region: cn-hangzhou
    endpoint: ENDPOINT
    credentials: {access_key_id: {env: KEY}, access_key_secret: {env: SECRET}}
    targets: [{task: T-5faa48fb31b6b8078d000006}]
";

const HUAWEI: &str = "huawei:
  - account: cce
    region: cn-north-4
    project_id: 0123456789abcdef0123456789abcdef
    endpoint: ENDPOINT
    credentials: {access_key: {env: KEY}, secret_key: {env: SECRET}}
    targets: [{job: 354331b2c-229a-11e8-9c75-0255ac100ceb}]
";

#[test]
fn tencent_api_3() {
    insta::assert_snapshot!(series(TENCENT, "tencent/describe-task-2018.json"));
}

#[test]
fn tencent_api_2() {
    insta::assert_snapshot!(series(LEGACY, "tencent/describe-task-2017.json"));
}

#[test]
fn aliyun() {
    insta::assert_snapshot!(series(ALIYUN, "aliyun/documented.json"));
}

#[test]
fn huawei() {
    insta::assert_snapshot!(series(HUAWEI, "huawei/show-job.json"));
}
