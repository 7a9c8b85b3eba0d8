//! What is asked by intervals stands beside the quota, whatever the quota lets through.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, file};

const DEMAND: &str = "cloud_task_exporter_api_demand_requests_per_second";
const QUOTA: &str = "cloud_task_exporter_api_quota_requests_per_second";

/// One task runs on; a list names three more.
fn answer(asked: &Asked) -> Reply {
    let is_list = asked.is_about("/clusters/c-one/tasks");
    Reply::json(if is_list {
        r#"{"page_info":{"total_count":3},"tasks":[{"task_id":"T-x"},{"task_id":"T-y"},{"task_id":"T-z"}]}"#
    } else {
        r#"{"task_id":"T-x","state":"running","created":"2026-01-01T00:00:00+08:00","updated":"2026-01-01T00:00:00+08:00"}"#
    })
}

/// An account with so many named tasks.
fn account(name: &str, cloud: &FakeCloud, rate_limit: &str, tasks: usize) -> String {
    let targets: Vec<String> = (0..tasks).map(|task| format!("      - task: T-{task}\n")).collect();
    format!(
        "  - account: {name}\n    region: cn-hangzhou\n    endpoint: {}\n    rate_limit: {rate_limit}\n    \
         credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: SECRET}}}}\n    targets:\n{}",
        cloud.endpoint(),
        targets.concat()
    )
}

fn config(interval: &str, accounts: &[String]) -> String {
    format!("poll: {{interval: {interval}, final_recheck: 1h}}\naliyun:\n{}", accounts.concat())
}

#[test]
fn the_demand_stands_beside_the_quota_however_little_that_lets_through() {
    let cloud = FakeCloud::start(answer);
    let both =
        |tasks| config("20s", &[account("enough", &cloud, "500", tasks), account("scant", &cloud, "0.5", tasks)]);
    let path = file("config.yaml", &both(100));
    let exporter = Exporter::serve_file(&path, &["--web.enable-lifecycle"]);
    let shows =
        |name: &str, account: &str, wanted: f64| exporter.wait_for(name, &[account, "DescribeTaskInfo"], wanted);
    let reload = |config: &str| {
        std::fs::write(&path, config).unwrap();
        assert_eq!(exporter.ask("POST", "/-/reload").0, 200);
    };
    let demand = |account: &str| exporter.value(DEMAND, &[account, "DescribeTaskInfo"]);
    // At once: most of the scant account's tasks have not had their turn for minutes.
    assert_eq!((demand("\"enough\""), demand("\"scant\"")), (Some(5.0), Some(5.0)));
    shows(QUOTA, "\"enough\"", 500.0);
    shows(QUOTA, "\"scant\"", 0.5);
    exporter.wait_for("cloud_tasks", &["\"enough\"", "running"], 100.0);
    exporter.wait_until("cloud_task_exporter_schedule_lag_seconds", &["\"scant\""], |late| late > 1.0);
    assert_eq!((demand("\"enough\""), demand("\"scant\"")), (Some(5.0), Some(5.0)), "as told once they were asked for");
    reload(&both(50));
    assert_eq!((demand("\"enough\""), demand("\"scant\"")), (Some(2.5), Some(2.5)), "with half of the tasks");
    reload(&both(50).replace("20s", "10s"));
    assert_eq!(demand("\"scant\""), Some(5.0), "twice as often");
    reload(&config("20s", &[account("enough", &cloud, "500", 1)]));
    assert_eq!((demand("\"enough\""), demand("\"scant\"")), (Some(0.05), None), "an account that is gone asks nothing");
    assert_eq!(exporter.value(QUOTA, &["\"scant\""]), None);
}

#[test]
fn finders_and_what_they_find_ask_as_well() {
    let cloud = FakeCloud::start(answer);
    let section = |discover: &str| {
        let section = account("ack", &cloud, "500", 1);
        config("5s", &[format!("{section}{discover}")])
    };
    let path = file("config.yaml", &section("    discover: [{clusters: [c-one]}]\n"));
    let exporter = Exporter::serve_file(&path, &["--web.enable-lifecycle"]);
    exporter.wait_for(DEMAND, &["DescribeClusterTasks"], 0.2);
    exporter.wait_for(DEMAND, &["DescribeTaskInfo"], 0.8);
    assert_eq!(exporter.value(DEMAND, &["DescribeClustersV1"]), None, "what is never asked");
    std::fs::write(&path, section("")).unwrap();
    assert_eq!(exporter.ask("POST", "/-/reload").0, 200);
    assert_eq!(exporter.value(DEMAND, &["DescribeClusterTasks"]), Some(0.0));
    assert_eq!(exporter.value(DEMAND, &["DescribeTaskInfo"]), Some(0.2));
    // It finished: it is looked at once an hour.
    cloud.now_answers(|_| {
        Reply::json(
            r#"{"task_id":"T-0","state":"success","created":"2026-01-01T00:00:00+08:00","updated":"2026-01-01T00:00:09+08:00"}"#,
        )
    });
    exporter.wait_for(DEMAND, &["DescribeTaskInfo"], 1.0 / 3600.0);
}
