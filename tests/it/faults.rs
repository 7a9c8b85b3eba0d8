//! What happens when an answer is wrong: each line of the README's table, on the wire.

use crate::dialects::{ALIYUN, ALL, Dialect, HUAWEI, TENCENT};
use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, SECRET, eventually};
use std::thread;

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
    thread::scope(|scope| {
        for dialect in ALL {
            let reply = reply();
            scope.spawn(move || survives(dialect, &format!("{}: {what}", dialect.provider), reply, reason));
        }
    });
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
fn a_connection_that_is_reset_at_any_moment() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"state\": \"run";
    everywhere("before an answer", || Reply::Reset(String::new()), "transport");
    everywhere("within the head", || Reply::Reset("HTTP/1.1 200 OK\r\ncontent-le".to_owned()), "transport");
    everywhere("within the body", || Reply::Reset(begun.to_owned()), "decode");
}

#[test]
fn a_server_that_says_nothing() {
    everywhere("silence", || Reply::Silence, "timeout");
}

#[test]
fn a_server_that_says_it_too_slowly() {
    everywhere("a byte now and then", || Reply::Trickle, "timeout");
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
