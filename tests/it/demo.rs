//! The demo as a stranger meets it: one command, three clouds, live tasks.

use crate::harness::{Exporter, binary, eventually};

/// What goes wrong so that there is something to see: account and reason.
const TROUBLES: [(&str, &str); 3] =
    [("\"revoked\"", "\"denied\""), ("\"crowded\"", "\"throttled\""), ("\"batch\"", "\"not_found\"")];

fn demo() -> Exporter {
    let mut command = binary();
    // What a stranger's machine may have; the simulated clouds are not behind it.
    command.arg("demo").env("http_proxy", "http://127.0.0.1:1").env("HTTPS_PROXY", "http://127.0.0.1:1");
    Exporter::start(command)
}

#[test]
fn it_shows_live_tasks_of_three_providers_and_stops_cleanly() {
    let exporter = demo();
    for provider in ["tencent", "aliyun", "huawei"] {
        let provider = format!("provider=\"{provider}\"");
        eventually(&format!("a running task of {provider}"), || {
            let text = exporter.metrics();
            let live = |line: &&str| {
                line.starts_with("cloud_task_phase{") && line.contains(&provider) && line.contains("\"running\"} 1")
            };
            text.lines().find(live).map(|_| ())
        });
    }
    for (account, reason) in [TROUBLES[0], TROUBLES[2]] {
        exporter.wait_until("cloud_task_exporter_poll_failures_total", &[account, reason], |value| value >= 1.0);
    }
    exporter.wait_until("cloud_task_exporter_api_throttled_total", &["\"crowded\"", "\"DescribeTask\""], |value| {
        value >= 1.0
    });
    exporter.wait_for("cloud_task_phase", &["\"batch\"", "job-retried0/A", "\"failed\""], 1.0);
    eventually("ready", || (exporter.get("/-/ready").0 == 200).then_some(()));
    let failures: Vec<String> = exporter
        .metrics()
        .lines()
        .filter(|line| line.starts_with("cloud_task_exporter_poll_failures_total") && !line.ends_with(" 0"))
        .filter(|line| !TROUBLES.iter().any(|(account, reason)| line.contains(account) && line.contains(reason)))
        .map(str::to_owned)
        .collect();
    assert!(
        failures.is_empty(),
        "nothing else goes wrong between the exporter and the simulated clouds: {failures:#?}"
    );
    assert_eq!(exporter.terminate(), Some(0));
}
