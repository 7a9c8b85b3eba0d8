//! What happens when the machine itself is short of something: file descriptors, time.

use crate::dialects::{ALIYUN, ALL};
use crate::fake::FakeCloud;
use crate::harness::{Exporter, binary, eventually, file};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

const LAST_SUCCESS: &str = "cloud_task_last_poll_success_timestamp_seconds";

#[test]
fn a_process_without_free_descriptors_survives_and_recovers() {
    let cloud = FakeCloud::start(ALIYUN.good);
    let config = file("config.yaml", &(ALIYUN.config)(&cloud.endpoint()));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 24 && exec \"$@\"", "sh"]).arg(binary().get_program());
    command.arg("serve").arg(format!("--config.file={}", config.display()));
    let mut exporter = Exporter::start(command);
    exporter.wait_for("cloud_task_poll_success", &[ALIYUN.bad], 1.0);
    let held: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(exporter.address()).unwrap()).collect();
    let complaint = "no connection can be accepted";
    eventually("there is no descriptor left", || (!exporter.logged(complaint).is_empty()).then_some(()));
    // Its connection to the cloud ends with every answer, and there is none for the next.
    cloud.now_answers(|asked| (ALIYUN.good)(asked).with_header("connection: close"));
    let before = cloud.asked_about("").len();
    eventually("it goes on polling, or trying to", || {
        (cloud.asked_about("").len() > before || !exporter.logged("polling").is_empty()).then_some(())
    });
    assert!(exporter.is_up());
    drop(held);
    cloud.now_answers(ALIYUN.good);
    for id in [ALIYUN.bad, ALIYUN.other] {
        let seen = exporter.wait_until(LAST_SUCCESS, &[id], |_| true);
        exporter.wait_until(LAST_SUCCESS, &[id], |value| value > seen);
        exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
    }
    assert_eq!(exporter.logged(complaint).len(), 1, "{:#?}", exporter.logged(complaint));
    assert_eq!(exporter.terminate(), Some(0));
}

/// What was missed is not made up for: each task is asked for once when the process goes on, then at its interval. A slow
/// machine asks less often, never more.
#[test]
fn a_process_that_was_stopped_goes_on_without_a_volley() {
    thread::scope(|scope| {
        for dialect in ALL {
            scope.spawn(move || {
                let (cloud, exporter) = dialect.start();
                exporter.signal("STOP");
                thread::sleep(Duration::from_secs(5));
                let before = cloud.asked_about("").len();
                let began = Instant::now();
                exporter.signal("CONT");
                eventually("it goes on", || (cloud.asked_about("").len() >= before + 6).then_some(()));
                let asked = u32::try_from(cloud.asked_about("").len() - before).unwrap();
                let seconds = began.elapsed().as_secs_f64();
                // Both tasks, one second apart: those that were overdue, and then one each in every second.
                assert!(f64::from(asked) <= 2.0 * (seconds + 2.0), "{asked} requests in {seconds} s");
                exporter.wait_until("cloud_task_exporter_schedule_lag_seconds", &[dialect.provider], |lag| lag < 1.0);
                for id in [dialect.bad, dialect.other] {
                    exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
                }
                assert!(exporter.logged("\"level\":\"error\"").is_empty());
                assert_eq!(exporter.terminate(), Some(0));
            });
        }
    });
}
