//! Huawei Cloud's keys from files, the metadata service and STS, as the whole exporter finds, renews and keeps them.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, binary, eventually, file};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const JOB: &str =
    r#"{"kind":"Job","metadata":{"uid":"x"},"spec":{"type":"CreateCluster"},"status":{"phase":"Running"}}"#;
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const EXPIRY: &str = "cloud_task_exporter_credentials_expiry_timestamp_seconds";
const LAST: &str = "cloud_task_last_poll_success_timestamp_seconds";

/// An exporter of one account, in an environment with nothing but those variables.
fn serve(cloud: &FakeCloud, more: &str, credentials: &str, variables: &[(&str, &str)]) -> Exporter {
    let endpoint = cloud.endpoint();
    let config = format!(
        "poll: {{interval: 1s, timeout: 2s}}\nhuawei:\n  - account: prod\n    region: cn-north-4\n    \
         endpoint: {endpoint}\n    rate_limit: 1000\n    targets: [{{job: job-1}}]\n    {more}\n    {credentials}\n"
    );
    let path = file("config.yaml", &config);
    let mut command = binary();
    command.arg("serve").arg(format!("--config.file={}", path.display()));
    command.env_clear().envs(variables.iter().copied());
    Exporter::start(command)
}

fn project() -> String {
    format!("project_id: {PROJECT}")
}

/// What the last request for the job was signed with: access key and security token.
fn shown(cloud: &FakeCloud) -> (String, Option<String>) {
    eventually("a request for the job", || {
        let asked = cloud.asked_about("job-1").pop()?;
        let access = asked.header("authorization")?.split_once("Access=")?.1.split_once(',')?.0.to_owned();
        Some((access, asked.header("x-security-token").map(str::to_owned)))
    })
}

fn key(name: &str) -> (String, Option<String>) {
    (name.to_owned(), None)
}

fn shows(cloud: &FakeCloud, expected: &(String, Option<String>)) {
    eventually(&format!("{expected:?} is shown"), || (shown(cloud) == *expected).then_some(()));
}

fn jobs(_: &Asked) -> Reply {
    Reply::json(JOB)
}

/// A home with the vendor's file in it.
fn home(content: &str) -> (PathBuf, PathBuf) {
    let home = file("nothing", "").parent().unwrap().to_owned();
    let path = home.join(".huaweicloud/credentials");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    (home, path)
}

fn profile(ak: &str) -> String {
    format!("[basic]\nak = {ak}\nsk = secret\nproject_id = {PROJECT}\n")
}

#[test]
fn the_environment_goes_before_the_profile_and_names_the_project() {
    let cloud = FakeCloud::start(jobs);
    let (home, _) = home(&profile("of-the-profile"));
    let home = ("HOME", home.to_str().unwrap());
    let keys = [("HUAWEICLOUD_SDK_AK", "of-the-environment"), ("HUAWEICLOUD_SDK_SK", "secret")];
    let token = ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "its-token");
    let exporter = serve(&cloud, "", "", &[home, keys[0], keys[1], token, ("HUAWEICLOUD_SDK_PROJECT_ID", "0a0b")]);
    assert_eq!(shown(&cloud), ("of-the-environment".to_owned(), Some("its-token".to_owned())));
    assert_eq!(cloud.asked_about("/projects/0a0b/jobs/job-1").len(), cloud.asked_about("").len(), "no look-up");
    assert!(exporter.value(EXPIRY, &[]).is_none());
    let line = exporter.logged("found credentials").pop().unwrap();
    assert!(line.contains("the environment variables") && !line.contains("its-token"), "{line}");
}

#[test]
fn a_profile_that_changes_is_read_again_while_the_exporter_runs() {
    let cloud = FakeCloud::start(jobs);
    let (home, path) = home(&profile("first"));
    let exporter = serve(&cloud, "", "", &[("HOME", home.to_str().unwrap())]);
    assert_eq!(shown(&cloud), key("first"));
    std::fs::write(&path, profile("second")).unwrap();
    shows(&cloud, &key("second"));
    std::fs::write(&path, "[basic\n").unwrap();
    eventually("a complaint", || exporter.logged("keys cannot be renewed").pop());
    let seen = exporter.value(LAST, &[]).unwrap();
    exporter.wait_until(LAST, &[], |value| value > seen);
    assert_eq!(shown(&cloud), key("second"), "a broken file takes no keys away");
}

#[test]
fn a_refused_key_is_tried_again_only_when_it_is_another() {
    let refuse = |asked: &Asked| {
        if asked.is_about("Access=good") || asked.header("authorization").is_some_and(|it| it.contains("Access=good")) {
            return Reply::json(JOB);
        }
        Reply::error(401, r#"{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail"}"#)
    };
    let cloud = FakeCloud::start(refuse);
    let (home, path) = home(&profile("bad"));
    let exporter = serve(&cloud, "", "", &[("HOME", home.to_str().unwrap())]);
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &["reason=\"denied\""], |value| value >= 3.0);
    assert_eq!(cloud.asked_about("job-1").len(), 1);
    std::fs::write(&path, profile("good")).unwrap();
    exporter.wait_for("cloud_task_poll_success", &[], 1.0);
    assert_eq!(shown(&cloud), key("good"));
}

/// The time in so many seconds, as the vendor writes it.
fn in_seconds(seconds: i64) -> String {
    let end = cloud_task_exporter::clock::now() + jiff::SignedDuration::from_secs(seconds);
    end.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// A metadata service that hands out a new key each time, each for so many seconds; after `good` of them it fails.
fn metadata(life: i64, good: usize) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |asked| match asked.line.split(' ').nth(1).unwrap() {
        "/meta-data/latest/api/token" => Reply::Whole(200, String::new(), "metadata-token".to_owned()),
        "/openstack/latest/securitykey" if asked.header("x-metadata-token") != Some("metadata-token") => {
            Reply::error(401, "{}")
        }
        "/openstack/latest/securitykey" => match count.fetch_add(1, Ordering::Relaxed) {
            number if number < good => {
                let end = in_seconds(life);
                Reply::json(format!(
                    r#"{{"credential":{{"access":"ak-{number}","secret":"metadata-secret","securitytoken":"st-{number}","expires_at":"{end}"}}}}"#
                ))
            }
            _ => Reply::error(500, "metadata-secret"),
        },
        _ => Reply::json(JOB),
    }
}

fn instance_role(cloud: &FakeCloud) -> String {
    format!("credentials: {{source: instance_role, metadata_endpoint: \"{}\"}}", cloud.endpoint())
}

#[test]
fn keys_of_the_machine_are_renewed_before_they_end() {
    let cloud = FakeCloud::start(metadata(8, usize::MAX));
    let exporter = serve(&cloud, &project(), &instance_role(&cloud), &[("http_proxy", "http://127.0.0.1:1")]);
    let first = exporter.wait_until(EXPIRY, &["provider=\"huawei\"", "account=\"prod\""], |end| end > 1.7e9);
    for number in 1..3 {
        shows(&cloud, &(format!("ak-{number}"), Some(format!("st-{number}"))));
    }
    exporter.wait_until(EXPIRY, &[], |end| end > first);
    assert!(exporter.value("cloud_task_exporter_poll_failures_total", &["denied"]).unwrap() < 1.0);
    assert!(exporter.logged("metadata-secret").is_empty() && exporter.logged("st-1").is_empty());
}

#[test]
fn keys_that_cannot_be_renewed_are_kept_while_they_last() {
    let cloud = FakeCloud::start(metadata(16, 1));
    let exporter = serve(&cloud, &project(), &instance_role(&cloud), &[]);
    let seen = exporter.wait_until(LAST, &[], |value| value > 0.0);
    let line = eventually("a complaint", || exporter.logged("keys cannot be renewed").pop());
    assert!(line.contains("HTTP status 500") && !line.contains("metadata-secret"), "{line}");
    exporter.wait_until(LAST, &[], |value| value > seen);
    exporter.wait_for("cloud_task_poll_success", &[], 0.0);
    let asked = cloud.asked_about("job-1").len();
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &["reason=\"transport\""], |value| value >= 2.0);
    assert_eq!(cloud.asked_about("job-1").len(), asked, "keys that have ended are not shown");
}

fn sts(asked: &Asked) -> Reply {
    if !asked.line.contains("/v5/agencies/assume-with-oidc") {
        return Reply::json(JOB);
    }
    let body = &asked.body;
    let number = if body.contains("second-token") { 2 } else { 1 };
    let end = in_seconds(3600);
    Reply::json(format!(
        r#"{{"credentials":{{"access_key_id":"oidc-{number}","secret_access_key":"s","security_token":"t","expiration":"{end}"}}}}"#
    ))
}

#[test]
fn an_identity_token_that_rotates_is_read_again() {
    let cloud = FakeCloud::start(sts);
    let token = file("token", "first-token\n");
    let credentials = "credentials: {source: oidc, provider_urn: urn-p, agency_urn: urn-a}";
    let endpoint = cloud.endpoint();
    let variables =
        [("HUAWEICLOUD_SDK_STS_ENDPOINT", &*endpoint), ("HUAWEICLOUD_OIDC_TOKEN_FILE", token.to_str().unwrap())];
    let exporter = serve(&cloud, &project(), credentials, &variables);
    shows(&cloud, &("oidc-1".to_owned(), Some("t".to_owned())));
    std::fs::write(Path::new(&token), "second-token\n").unwrap();
    shows(&cloud, &("oidc-2".to_owned(), Some("t".to_owned())));
    let calls = ["api=\"AssumeAgencyWithOIDC\"", "code=\"ok\""];
    exporter.wait_for("cloud_task_exporter_api_requests_total", &calls, 2.0);
    assert!(exporter.logged("-token").is_empty());
}

#[test]
fn without_credentials_the_account_says_where_it_looked() {
    let cloud = FakeCloud::start(jobs);
    let credentials = "credentials: {source: default, metadata_endpoint: \"http://127.0.0.1:1\"}";
    let mut exporter = serve(&cloud, &project(), credentials, &[("HOME", "/nonexistent")]);
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &["reason=\"denied\""], |value| value >= 1.0);
    let line = exporter.logged("\"denied\"").pop().unwrap();
    assert!(line.contains("HUAWEICLOUD_SDK_AK is not set") && line.contains("/nonexistent/.huaweicloud"), "{line}");
    assert!(line.contains("metadata service 127.0.0.1:1 cannot be reached"), "{line}");
    assert!(exporter.is_up() && cloud.asked_about("job-1").is_empty());
}
