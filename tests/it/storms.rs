//! What happens when a whole account is in trouble: throttles, refusals, storms, addresses that are none. Others go on.

use crate::dialects::{ALIYUN, Dialect, HUAWEI, TENCENT};
use crate::fake::{FakeCloud, Reply};
use crate::harness::{Exporter, eventually};
use std::thread;
use tokio::time::Instant;

/// Throttled once with and once without an instruction, the account slows down and comes back by itself.
#[test]
fn a_throttle_slows_the_account_and_passes() {
    let shapes: [(Dialect, Reply); 6] = [
        (
            TENCENT,
            Reply::json(
                r#"{"Response":{"Error":{"Code":"RequestLimitExceeded","Message":"slow down"},"RequestId":"r"}}"#,
            ),
        ),
        (TENCENT, Reply::error(429, "slow down").with_header("retry-after: 1")),
        (
            ALIYUN,
            Reply::error(
                400,
                r#"{"Code":"Throttling.User","Message":"Request was denied due to user flow control.","RequestId":"r"}"#,
            ),
        ),
        (
            ALIYUN,
            Reply::error(400, r#"{"Code":"Throttling.User","Message":"x","RequestId":"r"}"#)
                .with_header("x-acs-retry-after: 800"),
        ),
        (
            HUAWEI,
            Reply::error(429, r#"{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached"}"#),
        ),
        (HUAWEI, Reply::error(429, r#"{"error_code":"APIGW.0308","error_msg":"x"}"#).with_header("retry-after: 0.75")),
    ];
    for (dialect, reply) in shapes {
        let (cloud, exporter) = dialect.start();
        cloud.now_answers(move |_| reply.clone());
        exporter.wait_until("cloud_task_exporter_api_throttled_total", &[dialect.provider], |value| value >= 1.0);
        cloud.now_answers(dialect.good);
        let at = "cloud_task_last_poll_success_timestamp_seconds";
        let seen = exporter.value(at, &[dialect.bad]).unwrap();
        exporter.wait_until(at, &[dialect.bad], |value| value > seen);
    }
}

/// Huawei locks a key after five bad signatures: however many tasks there are, one request tries it.
#[test]
fn a_refused_key_is_tried_once() {
    let refused = || {
        Reply::error(
            401,
            r#"{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: verify aksk signature fail"}"#,
        )
    };
    let cloud = FakeCloud::start(move |_| refused());
    let exporter = Exporter::serve(&(HUAWEI.config)(&cloud.endpoint()));
    for id in [HUAWEI.bad, HUAWEI.other] {
        exporter.wait_for("cloud_task_poll_success", &[id], 0.0);
    }
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &["reason=\"denied\""], |value| value >= 8.0);
    assert_eq!(cloud.asked_about("jobs").len(), 1, "one request in five minutes");
    assert_eq!(exporter.logged("\"denied\"").len(), 1);
    let (_, page) = exporter.get("/");
    assert!(page.contains("APIGW.0301"), "the page says why");
    assert_eq!(exporter.terminate(), Some(0));
}

#[test]
fn a_refused_key_stops_its_account_only() {
    let refused = r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"no"},"RequestId":"r"}}"#;
    let (wrong, right) = (FakeCloud::start(move |_| Reply::json(refused)), FakeCloud::start(ALIYUN.good));
    let config = TENCENT.config_beside(&wrong.endpoint(), ALIYUN, &right.endpoint());
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_poll_success", &[TENCENT.bad], 0.0);
    exporter.wait_for("cloud_task_poll_success", &[ALIYUN.bad], 1.0);
    assert_eq!(wrong.asked_about("job-").len(), 1);
}

#[test]
fn a_slow_cloud_delays_no_other() {
    let (slow, quick) = (FakeCloud::start(|_| Reply::Silence), FakeCloud::start(HUAWEI.good));
    let config = TENCENT.config_beside(&slow.endpoint(), HUAWEI, &quick.endpoint());
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_poll_success", &[HUAWEI.bad], 1.0);
    exporter.wait_for("cloud_task_poll_success", &[TENCENT.bad], 0.0);
    let at = "cloud_task_last_poll_success_timestamp_seconds";
    let seen = exporter.value(at, &[HUAWEI.bad]).unwrap();
    exporter.wait_until(at, &[HUAWEI.bad], |value| value > seen);
}

/// One account in a storm, one that is calm, and how often each was asked since.
struct Storm {
    exporter: Exporter,
    struck: FakeCloud,
    calm: FakeCloud,
    dialect: Dialect,
    began: Instant,
    asked_before: usize,
    logged_before: usize,
}

impl Storm {
    fn over(dialect: Dialect, neighbour: Dialect, reply: Reply) -> Self {
        let (struck, calm) = (FakeCloud::start(dialect.good), FakeCloud::start(neighbour.good));
        let exporter = Exporter::serve(&dialect.config_beside(&struck.endpoint(), neighbour, &calm.endpoint()));
        for id in [dialect.bad, dialect.other, neighbour.bad, neighbour.other] {
            exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
        }
        struck.now_answers(move |_| reply.clone());
        let (asked_before, logged_before) = (struck.asked_about("").len(), exporter.logged("").len());
        Self { exporter, struck, calm, dialect, began: Instant::now(), asked_before, logged_before }
    }

    fn asked(&self) -> f64 {
        f64::from(u32::try_from(self.struck.asked_about("").len() - self.asked_before).unwrap())
    }

    /// While it lasts, the neighbour is asked as ever.
    fn lasts_for_polls_of_the_neighbour(&self, polls: usize) {
        let before = self.calm.asked_about("").len();
        eventually("polls of the neighbour", || (self.calm.asked_about("").len() >= before + polls).then_some(()));
    }

    /// It is over: both tasks are polled again, more than once, and little was logged of it all.
    fn passes(self) {
        self.struck.now_answers(self.dialect.good);
        let at = "cloud_task_last_poll_success_timestamp_seconds";
        for id in [self.dialect.bad, self.dialect.other] {
            for _ in 0..2 {
                let seen = self.exporter.value(at, &[id]).unwrap();
                self.exporter.wait_until(at, &[id], |value| value > seen);
            }
            self.exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
        }
        let logged = self.exporter.logged("").split_off(self.logged_before);
        assert!(logged.len() <= 3, "a line or two for a storm: {logged:#?}");
        assert_eq!(self.exporter.terminate(), Some(0));
    }
}

fn in_every_storm(weather: impl Fn(Storm) + Sync, reply: fn() -> Reply) {
    thread::scope(|scope| {
        for (dialect, neighbour) in [(TENCENT, ALIYUN), (ALIYUN, HUAWEI), (HUAWEI, TENCENT)] {
            let weather = &weather;
            scope.spawn(move || weather(Storm::over(dialect, neighbour, reply())));
        }
    });
}

/// Each throttle stops the account for twice as long, so there are few of them however long the storm is. A slow machine
/// asks less often, never more.
#[test]
fn a_storm_of_throttles_is_met_with_fewer_and_fewer_requests() {
    in_every_storm(
        |storm| {
            let throttled = "cloud_task_exporter_api_throttled_total";
            storm.exporter.wait_until(throttled, &[storm.dialect.provider], |value| value >= 4.0);
            storm.lasts_for_polls_of_the_neighbour(6);
            let (asked, seconds) = (storm.asked(), storm.began.elapsed().as_secs_f64());
            // The pauses are 0.5, 1, 2, 4 … seconds at the least; between two of them each task is asked for once.
            let pauses = (2.0 * seconds + 1.0).log2();
            assert!(asked <= 2.0 * (pauses + 2.0), "{asked} requests in {seconds} s");
            storm.passes();
        },
        || Reply::error(429, "slow down"),
    );
}

/// A request is tried four times at the most, with pauses of 0.125, 0.25 and 0.5 seconds at the least.
#[test]
fn a_storm_of_failures_is_met_with_so_many_requests_and_no_more() {
    in_every_storm(
        |storm| {
            let failures = "cloud_task_exporter_poll_failures_total";
            let parts = [storm.dialect.provider, "reason=\"transport\""];
            storm.exporter.wait_until(failures, &parts, |value| value >= 4.0);
            storm.lasts_for_polls_of_the_neighbour(6);
            let (asked, seconds) = (storm.asked(), storm.began.elapsed().as_secs_f64());
            let polls = seconds / 0.875 + 2.0;
            assert!(asked <= 2.0 * 4.0 * polls, "{asked} requests in {seconds} s");
            storm.passes();
        },
        || Reply::error(503, "<html>busy</html>"),
    );
}

#[test]
fn a_host_without_an_address_stops_its_account_only() {
    let nowhere = "https://nowhere.invalid";
    thread::scope(|scope| {
        for (dialect, neighbour) in [(TENCENT, ALIYUN), (ALIYUN, HUAWEI), (HUAWEI, TENCENT)] {
            scope.spawn(move || {
                let calm = FakeCloud::start(neighbour.good);
                let exporter = Exporter::serve(&dialect.config_beside(nowhere, neighbour, &calm.endpoint()));
                exporter.wait_for("cloud_task_poll_success", &[neighbour.bad], 1.0);
                exporter.wait_for("cloud_task_poll_success", &[dialect.bad], 0.0);
                let at = "cloud_task_last_poll_success_timestamp_seconds";
                let seen = exporter.value(at, &[neighbour.bad]).unwrap();
                exporter.wait_until(at, &[neighbour.bad], |value| value > seen);
                assert!(exporter.get("/").1.contains("nowhere.invalid"), "the page says which host");
                // A resolver that takes its time is a timeout.
                let lines = exporter.logged("nowhere.invalid").len() + exporter.logged("no whole answer").len();
                assert!((1..=2).contains(&lines), "the log says so, and not for every poll");
                assert_eq!(exporter.terminate(), Some(0));
            });
        }
    });
}
