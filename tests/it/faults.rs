//! What happens when things go wrong: each line of the README's table, on the wire.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, SECRET, eventually};

/// One cloud's way to be configured and to answer.
#[derive(Clone, Copy)]
pub struct Dialect {
    pub provider: &'static str,
    pub config: fn(endpoint: &str) -> String,
    /// An answer that says: running.
    pub good: fn(&Asked) -> Reply,
    /// The id of the task that things go wrong for; the others stay well.
    pub bad: &'static str,
    pub other: &'static str,
}

pub const POLL: &str = "poll: {interval: 1s, timeout: 2s, not_found_grace: 0s}\n";

const TENCENT: Dialect = Dialect {
    provider: "tencent",
    config: |endpoint| {
        format!(
            "{POLL}tencent:\n  - account: prod\n    region: ap-guangzhou\n    endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{secret_id: {{env: KEY}}, secret_key: {{env: SECRET}}}}\n    targets:\n      \
             - {{job: job-bad00000, tasks: [A]}}\n      - {{job: job-good0000, tasks: [A]}}\n"
        )
    },
    good: |_| {
        Reply::json(
            r#"{"Response":{"JobId":"job-x","TaskName":"A","TaskState":"RUNNING","CreateTime":"2026-01-01T00:00:00Z",
            "EndTime":null,"TaskInstanceTotalCount":1,"TaskInstanceSet":[],"TaskInstanceMetrics":{"SubmittedCount":0,
            "PendingCount":1,"RunnableCount":0,"StartingCount":0,"RunningCount":0,"SucceedCount":0,
            "FailedInterruptedCount":0,"FailedCount":0},"RequestId":"r"}}"#,
        )
    },
    bad: "job-bad00000",
    other: "job-good0000",
};

pub const ALIYUN: Dialect = Dialect {
    provider: "aliyun",
    config: |endpoint| {
        format!(
            "{POLL}aliyun:\n  - account: prod\n    region: cn-hangzhou\n    endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: SECRET}}}}\n    targets:\n      \
             - {{task: T-bad}}\n      - {{task: T-good}}\n"
        )
    },
    good: |_| {
        Reply::json(
            r#"{"task_id":"T-x","state":"running","created":"2026-01-01T00:00:00+08:00","updated":"2026-01-01T00:00:00+08:00",
            "task_type":"cluster_scaleout","task_result":[{"data":"i-1","status":"success"}]}"#,
        )
    },
    bad: "T-bad",
    other: "T-good",
};

pub const HUAWEI: Dialect = Dialect {
    provider: "huawei",
    config: |endpoint| {
        format!(
            "{POLL}huawei:\n  - account: prod\n    region: cn-north-4\n    project_id: 0123456789abcdef0123456789abcdef\n    \
             endpoint: {endpoint}\n    iam_endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{access_key: {{env: KEY}}, secret_key: {{env: SECRET}}}}\n    targets:\n      \
             - {{job: bad-0001}}\n      - {{job: good-0001}}\n"
        )
    },
    good: |_| {
        Reply::json(
            r#"{"kind":"Job","metadata":{"uid":"x","creationTimestamp":"2026-01-01 00:00:00 +0000 UTC",
            "updateTimestamp":"2026-01-01 00:00:01.5 +0000 UTC"},"spec":{"type":"CreateCluster"},"status":{"phase":"Running"}}"#,
        )
    },
    bad: "bad-0001",
    other: "good-0001",
};

pub const ALL: [Dialect; 3] = [TENCENT, ALIYUN, HUAWEI];

impl Dialect {
    /// An exporter and its cloud after the first good polls of both tasks.
    fn start(self) -> (FakeCloud, Exporter) {
        let cloud = FakeCloud::start(self.good);
        let exporter = Exporter::serve(&(self.config)(&cloud.endpoint()));
        for id in [self.bad, self.other] {
            exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
        }
        (cloud, exporter)
    }

    /// From now on the one task is answered so, the other as before.
    fn answer_bad_with(self, cloud: &FakeCloud, reply: Reply) {
        let Self { bad, good, .. } = self;
        cloud.now_answers(move |asked| if asked.is_about(bad) { reply.clone() } else { good(asked) });
    }
}

/// One bad answer for one task: the process stays up, the other task stays fresh, the last good state is kept, and the
/// reason is in the log once, in the metrics and on the account; then all is well again.
fn survives(dialect: Dialect, what: &str, reply: Reply, reason: &str) {
    let (cloud, mut exporter) = dialect.start();
    let Dialect { bad, other, .. } = dialect;
    let failures = ["reason=\"", reason];
    let before = exporter.value("cloud_task_exporter_poll_failures_total", &failures).unwrap();
    dialect.answer_bad_with(&cloud, reply);
    exporter.wait_for("cloud_task_poll_success", &[bad], 0.0);
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &failures, |value| value >= before + 2.0);
    assert_eq!(exporter.value("cloud_task_phase", &[bad, "running"]), Some(1.0), "{what}: the last good state is kept");
    let fresh = "cloud_task_last_poll_success_timestamp_seconds";
    let seen = exporter.value(fresh, &[other]).unwrap();
    exporter.wait_until(fresh, &[other], |value| value > seen);
    assert_eq!(exporter.value("cloud_task_poll_success", &[other]), Some(1.0), "{what}: the other task stays well");
    let lines = exporter.logged(&format!("\"{reason}\""));
    assert_eq!(lines.len(), 1, "{what}: the reason is in the log once: {lines:#?}");
    assert!(exporter.is_up());
    cloud.now_answers(dialect.good);
    exporter.wait_for("cloud_task_poll_success", &[bad], 1.0);
    assert!(exporter.logged(SECRET).is_empty());
    assert_eq!(exporter.terminate(), Some(0));
}

fn everywhere(what: &str, reply: impl Fn() -> Reply, reason: &str) {
    for dialect in ALL {
        survives(dialect, &format!("{}: {what}", dialect.provider), reply(), reason);
    }
}

fn html() -> Reply {
    Reply::Whole(200, "content-type: text/html\r\n".into(), "<html><body>Please log in</body></html>".into())
}

#[test]
fn a_page_in_place_of_an_answer() {
    everywhere("HTML", html, "decode");
}

#[test]
fn an_answer_that_is_cut_off() {
    for dialect in ALL {
        let Reply::Whole(_, _, body) =
            (dialect.good)(&Asked { line: String::new(), headers: vec![], body: String::new() })
        else {
            unreachable!()
        };
        let half = body[..body.len() / 2].to_owned();
        survives(dialect, "half a document", Reply::json(half.clone()), "decode");
        survives(dialect, "half a body", Reply::CutOff(half), "decode");
    }
}

#[test]
fn values_of_the_wrong_type() {
    survives(
        TENCENT,
        "a list for a number",
        Reply::json(r#"{"Response":{"TaskState":"RUNNING","TaskInstanceTotalCount":[]}}"#),
        "decode",
    );
    survives(ALIYUN, "a list for a text", Reply::json(r#"{"state":["running"]}"#), "decode");
    survives(HUAWEI, "a text for an object", Reply::json(r#"{"status":"Running"}"#), "decode");
    everywhere("a list for a document", || Reply::json("[]"), "decode");
}

#[test]
fn null_where_a_value_was() {
    survives(
        TENCENT,
        "null state",
        Reply::json(r#"{"Response":{"TaskState":null,"TaskInstanceTotalCount":1}}"#),
        "decode",
    );
    survives(ALIYUN, "null state", Reply::json(r#"{"state":null,"task_id":"T-x"}"#), "decode");
    survives(HUAWEI, "null phase", Reply::json(r#"{"kind":"Job","status":{"phase":null}}"#), "decode");
    everywhere("null for a document", || Reply::json("null"), "decode");
}

#[test]
fn an_error_in_an_answer_of_status_200() {
    let body = r#"{"Response":{"Error":{"Code":"InvalidParameterValue","Message":"no such thing"},"RequestId":"r"}}"#;
    survives(TENCENT, "200 with an error", Reply::json(body), "rejected");
    let body = r#"{"code":"BadRequest","message":"no such thing","requestId":"r"}"#;
    survives(ALIYUN, "200 with an error", Reply::json(body), "rejected");
    let body = r#"{"errorCode":"CCE.01400001","errorMessage":"Invalid request."}"#;
    survives(HUAWEI, "200 with an error", Reply::json(body), "rejected");
}

#[test]
fn a_task_that_is_not_there() {
    let body = r#"{"Response":{"Error":{"Code":"ResourceNotFound.Task","Message":"no"},"RequestId":"r"}}"#;
    survives(TENCENT, "not found", Reply::json(body), "not_found");
    let body = r#"{"code":"400","message":"the task T-bad not found","requestId":"r","status":400}"#;
    survives(ALIYUN, "not found", Reply::error(400, body), "not_found");
    let body = r#"{"errorCode":"CCE.01404001","errorMessage":"Resource not found."}"#;
    survives(HUAWEI, "not found", Reply::error(404, body), "not_found");
}

#[test]
fn a_server_that_fails_or_goes_away() {
    everywhere("503", || Reply::error(503, "busy"), "transport");
    everywhere("closed", || Reply::Close, "transport");
}

#[test]
fn a_server_that_says_nothing() {
    survives(ALIYUN, "silence", Reply::Silence, "timeout");
}

#[test]
fn a_body_without_an_end_is_refused_and_memory_stays_flat() {
    let (cloud, exporter) = HUAWEI.start();
    let before = exporter.memory();
    HUAWEI.answer_bad_with(&cloud, Reply::Endless);
    exporter.wait_for("cloud_task_poll_success", &[HUAWEI.bad], 0.0);
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &["reason=\"decode\""], |value| value >= 3.0);
    let grown = exporter.memory() - before;
    assert!(grown < 64 * 1024 * 1024, "memory grew by {grown} bytes");
    assert_eq!(exporter.value("cloud_task_poll_success", &[HUAWEI.other]), Some(1.0));
}

#[test]
fn a_nesting_without_an_end_is_refused() {
    let deep = r#"{"spec":{"subJobs":["#.repeat(40) + "{}" + &"]}}".repeat(40);
    survives(HUAWEI, "deep", Reply::json(deep), "decode");
}

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
    let config = (TENCENT.config)(&wrong.endpoint()) + (ALIYUN.config)(&right.endpoint()).strip_prefix(POLL).unwrap();
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_poll_success", &[TENCENT.bad], 0.0);
    exporter.wait_for("cloud_task_poll_success", &[ALIYUN.bad], 1.0);
    assert_eq!(wrong.asked_about("job-").len(), 1);
}

#[test]
fn an_unknown_state_is_shown_counted_and_never_guessed() {
    let (cloud, exporter) = ALIYUN.start();
    ALIYUN.answer_bad_with(
        &cloud,
        Reply::json(r#"{"task_id":"T-x","state":"levitating","task_result":[{"status":"odd"}]}"#),
    );
    exporter.wait_for("cloud_task_phase", &[ALIYUN.bad, "unknown"], 1.0);
    assert_eq!(exporter.value("cloud_task_provider_state", &[ALIYUN.bad, "levitating"]), Some(1.0));
    assert_eq!(exporter.value("cloud_task_instances", &[ALIYUN.bad, "unknown"]), Some(1.0));
    assert!(exporter.value("cloud_task_exporter_unknown_states_total", &["aliyun"]).unwrap() >= 2.0);
    assert_eq!(exporter.value("cloud_task_poll_success", &[ALIYUN.bad]), Some(1.0));
    assert_eq!(exporter.logged("levitating").len(), 1);
}

#[test]
fn a_slow_cloud_delays_no_other() {
    let (slow, quick) = (FakeCloud::start(|_| Reply::Silence), FakeCloud::start(HUAWEI.good));
    let config = (TENCENT.config)(&slow.endpoint()) + (HUAWEI.config)(&quick.endpoint()).strip_prefix(POLL).unwrap();
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_poll_success", &[HUAWEI.bad], 1.0);
    exporter.wait_for("cloud_task_poll_success", &[TENCENT.bad], 0.0);
    let at = "cloud_task_last_poll_success_timestamp_seconds";
    let seen = exporter.value(at, &[HUAWEI.bad]).unwrap();
    exporter.wait_until(at, &[HUAWEI.bad], |value| value > seen);
}

#[test]
fn every_attempt_is_signed_anew() {
    let (cloud, exporter) = ALIYUN.start();
    ALIYUN.answer_bad_with(&cloud, Reply::error(500, r#"{"code":"InternalError","message":"x"}"#));
    exporter.wait_for("cloud_task_poll_success", &[ALIYUN.bad], 0.0);
    let nonces: Vec<String> = eventually("more than one attempt", || {
        let asked = cloud.asked_about(ALIYUN.bad);
        (asked.len() > 6)
            .then(|| asked.iter().map(|asked| asked.header("x-acs-signature-nonce").unwrap().to_owned()).collect())
    });
    let different: std::collections::BTreeSet<&String> = nonces.iter().collect();
    assert_eq!(different.len(), nonces.len());
}

#[test]
fn ready_means_every_account_was_asked() {
    let cloud = FakeCloud::start(ALIYUN.good);
    let exporter = Exporter::serve(&(ALIYUN.config)(&cloud.endpoint()));
    assert_eq!(exporter.get("/-/healthy").0, 200);
    eventually("ready", || (exporter.get("/-/ready").0 == 200).then_some(()));
}
