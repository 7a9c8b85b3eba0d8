//! Where an account of Tencent Cloud finds its keys, when it looks again, and what it does when there are none.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, eventually, file};
use cloud_task_exporter::clock;
use std::path::PathBuf;

const METADATA: &str = "/latest/meta-data/cam/security-credentials/";
const ROLE: &str = "qcs::cam::uin/100000000001:roleName/exporter";

/// Seconds since 1970, so many from now.
fn in_seconds(seconds: i64) -> i64 {
    clock::now().as_second() + seconds
}

fn temporary(name: &str, end: i64) -> String {
    format!(
        r#""TmpSecretId":"AKID{name}","TmpSecretKey":"key-of-{name}","Token":"token-of-{name}","ExpiredTime":{end}"#
    )
}

/// What the metadata service says of the machine's role.
fn metadata(asked: &Asked, name: &str, end: i64) -> Option<Reply> {
    if asked.line.starts_with(&format!("GET {METADATA} ")) {
        return Some(Reply::Whole(200, "content-type: text/plain\r\n".into(), "exporter".into()));
    }
    let keys = format!(r#"{{{},"Code":"Success"}}"#, temporary(name, end));
    asked.line.starts_with(&format!("GET {METADATA}exporter ")).then(|| Reply::json(keys))
}

/// What STS says.
fn sts(asked: &Asked, name: &str, end: i64) -> Option<Reply> {
    let keys = temporary(name, end);
    let keys = format!(r#"{{"Response":{{"Credentials":{{{keys}}},"ExpiredTime":{end},"RequestId":"r"}}}}"#);
    asked.header("x-tc-action").is_some_and(|action| action.starts_with("AssumeRole")).then(|| Reply::json(keys))
}

fn refusal(code: &str) -> Reply {
    Reply::json(format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"no"}},"RequestId":"r"}}}}"#))
}

fn running() -> Reply {
    Reply::json(
        r#"{"Response":{"JobId":"job-x","TaskName":"A","TaskState":"RUNNING","CreateTime":"2026-01-01T00:00:00Z",
        "EndTime":null,"TaskInstanceTotalCount":0,"TaskInstanceSet":[],"RequestId":"r"}}"#,
    )
}

/// The SecretId and the token a task was asked for with.
fn signed_by(asked: &Asked) -> (String, Option<String>) {
    let authorization = asked.header("authorization").unwrap_or_default();
    let id = authorization.split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
    (id.map(|(id, _)| id.to_owned()).unwrap_or_default(), asked.header("x-tc-token").map(str::to_owned))
}

/// A machine with a home directory of its own, and a cloud.
struct Machine {
    cloud: FakeCloud,
    home: PathBuf,
}

impl Machine {
    fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let marker = file("marker", "");
        Self { cloud: FakeCloud::start(script), home: marker.parent().unwrap().to_owned() }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// `credentials` is a part of the config in which ENDPOINT stands for the cloud.
    fn exporter(&self, credentials: &str, variables: &[(&str, &str)]) -> Exporter {
        let config = format!(
            "poll: {{interval: 1s, timeout: 2s}}\ntencent:\n  - account: prod\n    region: ap-guangzhou\n    \
             endpoint: ENDPOINT\n    rate_limit: 1000\n    credentials: {credentials}\n    \
             targets: [{{job: job-x, tasks: [A]}}]\n"
        );
        let home = [("HOME", self.home.to_str().unwrap())];
        let variables: Vec<(&str, &str)> = home.into_iter().chain(variables.iter().copied()).collect();
        Exporter::serve_with(&config.replace("ENDPOINT", &self.cloud.endpoint()), &variables)
    }

    /// Waits for a task to be asked for with those keys.
    fn wait_for_keys(&self, id: &str, token: Option<&str>) {
        let wanted = (id.to_owned(), token.map(str::to_owned));
        eventually(&format!("a poll signed by {id}"), || {
            self.cloud.asked_about("job-x").iter().any(|asked| signed_by(asked) == wanted).then_some(())
        });
    }

    fn asked_for(&self, action: &str) -> usize {
        self.cloud.asked_about("").iter().filter(|asked| asked.header("x-tc-action") == Some(action)).count()
    }
}

const CHAIN: &str = "{source: default, metadata_endpoint: ENDPOINT, sts_endpoint: ENDPOINT}";

#[test]
fn each_source_wins_where_those_before_it_have_nothing() {
    let machine = Machine::new(|asked| {
        let end = in_seconds(7200);
        metadata(asked, "cvm", end).or_else(|| sts(asked, "tke", end)).unwrap_or_else(running)
    });
    machine.write(".tencentcloud/credentials", "[default]\nsecret_id = AKIDprofile\nsecret_key = k\n");
    machine.write(".tccli/default.credential", r#"{"secretId":"AKIDtccli","secretKey":"k","token":"t"}"#);
    machine.write("token", "a.web.token");
    let token_file = machine.home.join("token");
    let pod = [
        ("TKE_REGION", "ap-guangzhou"),
        ("TKE_PROVIDER_ID", "tke"),
        ("TKE_ROLE_ARN", ROLE),
        ("TKE_WEB_IDENTITY_TOKEN_FILE", token_file.to_str().unwrap()),
    ];
    let keys = [
        ("TENCENTCLOUD_SECRET_ID", "AKIDenv"),
        ("TENCENTCLOUD_SECRET_KEY", "k"),
        ("TENCENTCLOUD_SECURITY_TOKEN", "third"),
    ];
    let everything: Vec<_> = keys.into_iter().chain(pod).collect();
    let exporter = machine.exporter(CHAIN, &everything);
    machine.wait_for_keys("AKIDenv", Some("third"));
    assert_eq!(exporter.value("cloud_task_exporter_credentials_expiry_timestamp_seconds", &[]), None);
    let _profile = machine.exporter(CHAIN, &pod);
    machine.wait_for_keys("AKIDprofile", None);
    std::fs::remove_file(machine.home.join(".tencentcloud/credentials")).unwrap();
    let _tccli = machine.exporter(CHAIN, &pod);
    machine.wait_for_keys("AKIDtccli", Some("t"));
    std::fs::remove_file(machine.home.join(".tccli/default.credential")).unwrap();
    let _cvm = machine.exporter(CHAIN, &pod);
    machine.wait_for_keys("AKIDcvm", Some("token-of-cvm"));
    machine.cloud.now_answers(|asked| {
        if asked.line.contains(METADATA) {
            return Reply::error(404, "");
        }
        sts(asked, "tke", in_seconds(7200)).unwrap_or_else(running)
    });
    let _tke = machine.exporter(CHAIN, &pod);
    machine.wait_for_keys("AKIDtke", Some("token-of-tke"));
    let asked = machine.cloud.asked_about("a.web.token");
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("SKIP")), "{asked:?}");
}

#[test]
fn a_file_that_is_written_anew_is_read_without_a_restart() {
    let machine = Machine::new(|_| running());
    let profile = |id: &str| format!("[default]\nsecret_id = {id}\nsecret_key = k\n");
    machine.write(".tencentcloud/credentials", &profile("AKIDfirst"));
    let exporter = machine.exporter("{source: profile}", &[]);
    machine.wait_for_keys("AKIDfirst", None);
    machine.write("new", &profile("AKIDsecond"));
    std::fs::rename(machine.home.join("new"), machine.home.join(".tencentcloud/credentials")).unwrap();
    machine.wait_for_keys("AKIDsecond", None);
    assert_eq!(exporter.logged("took new keys").len(), 1);
    assert_eq!(exporter.value("cloud_task_poll_success", &["job-x"]), Some(1.0));
}

#[test]
fn keys_are_renewed_before_they_end() {
    // The last quarter of their life is for renewal.
    let machine = Machine::new(|asked| {
        let now = in_seconds(0);
        metadata(asked, &format!("at-{now}"), now + 8).unwrap_or_else(running)
    });
    let exporter = machine.exporter("{source: instance_role, metadata_endpoint: ENDPOINT}", &[]);
    let metric = "cloud_task_exporter_credentials_expiry_timestamp_seconds";
    let first = exporter.wait_until(metric, &["tencent", "prod"], |end| end > 0.0);
    exporter.wait_until(metric, &["tencent", "prod"], |end| end > first);
    eventually("a poll with the second keys", || {
        let asked = machine.cloud.asked_about("job-x");
        let ids: std::collections::BTreeSet<_> = asked.iter().map(signed_by).collect();
        (ids.len() > 1).then_some(())
    });
    let failures = exporter.metrics();
    let failed = failures
        .lines()
        .any(|line| line.starts_with("cloud_task_exporter_poll_failures_total{") && !line.ends_with(" 0"));
    assert!(!failed, "no poll saw the change");
}

#[test]
fn a_failed_renewal_keeps_the_old_keys() {
    let machine = Machine::new(|asked| sts(asked, "first", in_seconds(12)).unwrap_or_else(running));
    let credentials = format!(
        "{{source: assume_role, role_arn: \"{ROLE}\", sts_endpoint: ENDPOINT, \
         from: {{secret_id: {{env: KEY}}, secret_key: {{env: SECRET}}}}}}"
    );
    let exporter = machine.exporter(&credentials, &[]);
    machine.wait_for_keys("AKIDfirst", Some("token-of-first"));
    let assumed = machine.asked_for("AssumeRole");
    machine.cloud.now_answers(|asked| match asked.header("x-tc-action") {
        Some("AssumeRole") => refusal("AuthFailure.SecretIdNotFound"),
        _ => running(),
    });
    eventually("a renewal that fails", || exporter.logged("keys cannot be renewed").into_iter().next());
    assert!(machine.asked_for("AssumeRole") > assumed);
    let polls = machine.asked_for("DescribeTask");
    eventually("another poll with the old keys", || (machine.asked_for("DescribeTask") > polls).then_some(()));
    let last = machine.cloud.asked_about("job-x");
    assert_eq!(signed_by(last.last().unwrap()).0, "AKIDfirst");
    exporter.wait_for("cloud_task_poll_success", &["job-x"], 0.0);
    assert_eq!(exporter.logged("keys cannot be renewed").len(), 1);
    let value =
        exporter.value("cloud_task_exporter_api_requests_total", &["\"AssumeRole\"", "AuthFailure.SecretIdNotFound"]);
    assert!(value.unwrap() >= 1.0);
}

#[test]
fn keys_that_are_refused_are_fetched_anew() {
    let machine = Machine::new(|asked| sts(asked, "first", in_seconds(7200)).unwrap_or_else(running));
    let credentials = format!(
        "{{source: assume_role, role_arn: \"{ROLE}\", sts_endpoint: ENDPOINT, \
         from: {{secret_id: {{env: KEY}}, secret_key: {{env: SECRET}}}}}}"
    );
    let exporter = machine.exporter(&credentials, &[]);
    exporter.wait_for("cloud_task_poll_success", &["job-x"], 1.0);
    // Keys that are refused as soon as they came are not asked for again at once.
    eventually("polls for some seconds", || (machine.asked_for("DescribeTask") > 8).then_some(()));
    machine.cloud.now_answers(|asked| match sts(asked, "second", in_seconds(7200)) {
        Some(keys) => keys,
        None if signed_by(asked).0 == "AKIDfirst" => refusal("AuthFailure.SecretIdNotFound"),
        None => running(),
    });
    machine.wait_for_keys("AKIDsecond", Some("token-of-second"));
    exporter.wait_for("cloud_task_poll_success", &["job-x"], 1.0);
    let asked = machine.cloud.asked_about(ROLE);
    assert!(asked.iter().all(|asked| signed_by(asked).0 == "test-key-id"), "{asked:?}");
}

#[test]
fn an_account_without_keys_says_where_it_looked_and_goes_on() {
    let machine = Machine::new(|asked| if asked.line.contains(METADATA) { Reply::error(404, "") } else { running() });
    let exporter = machine.exporter(CHAIN, &[]);
    exporter.wait_for("cloud_task_poll_success", &["job-x"], 0.0);
    let failures = exporter.value("cloud_task_exporter_poll_failures_total", &["tencent", "\"denied\""]);
    assert!(failures.unwrap() >= 1.0);
    let said = eventually("what was looked for", || exporter.logged("no credentials from").into_iter().next());
    for place in
        ["TENCENTCLOUD_SECRET_ID", ".tencentcloud/credentials", ".tccli/default.credential", "CVM", "TKE_REGION"]
    {
        assert!(said.contains(place), "{said}");
    }
    machine.write(".tencentcloud/credentials", "[default]\nsecret_id = AKIDlater\nsecret_key = k\n");
    machine.wait_for_keys("AKIDlater", None);
    exporter.wait_for("cloud_task_poll_success", &["job-x"], 1.0);
}
