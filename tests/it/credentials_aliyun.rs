//! Where Alibaba Cloud's keys come from, on the wire: which keys requests are signed with.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, binary, eventually, file};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TASK: &str = r#"{"task_id":"T-x","state":"running","created":"2026-01-01T00:00:00+08:00",
    "updated":"2026-01-01T00:00:00+08:00","task_type":"cluster_scaleout","task_result":[]}"#;
const ROLE: &str = "acs:ram::1234567890123456:role/exporter";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/rrsa";
/// Part of every secret of the fake cloud; it must show up nowhere.
const HIDDEN: &str = "n0t-to-be-seen";
const DATE: &str = "date: Fri, 02 Jan 2026 03:00:00 GMT";

/// Temporary keys of that name, good for so many seconds after [`DATE`].
fn keys(name: &str, seconds: u32) -> Value {
    json!({
        "AccessKeyId": format!("STS.{name}"), "AccessKeySecret": format!("{HIDDEN}-{name}"),
        "SecurityToken": format!("{HIDDEN}-token-{name}"),
        "Expiration": format!("2026-01-02T03:{:02}:{:02}Z", seconds / 60, seconds % 60),
    })
}

fn flat(name: &str, seconds: u32) -> Reply {
    let mut document = keys(name, seconds);
    document["Code"] = "Success".into();
    Reply::json(document.to_string()).with_header(DATE)
}

fn within(key: &str, name: &str) -> Reply {
    Reply::json(json!({ key: keys(name, 1800) }).to_string()).with_header(DATE)
}

/// The id of the key a request was signed with.
fn signed_by(asked: &Asked) -> String {
    let (_, rest) = asked.header("authorization").unwrap().split_once("Credential=").unwrap();
    rest.split(',').next().unwrap().to_owned()
}

/// Everything there is: the API, the metadata service, STS, a credentials URI and CloudSSO.
fn everything(asked: &Asked) -> Reply {
    let token = asked.header("x-aliyun-ecs-metadata-token");
    match asked.line.split(' ').nth(1).unwrap().split('?').next().unwrap() {
        "/latest/api/token" if asked.line.starts_with("PUT ") => {
            Reply::Whole(200, String::new(), "metadata-token".into())
        }
        path if path.starts_with("/latest/") && token != Some("metadata-token") => Reply::error(403, ""),
        "/latest/meta-data/ram/security-credentials/" => Reply::Whole(200, String::new(), "machine".into()),
        "/latest/meta-data/ram/security-credentials/machine" => flat("ecs", 1800),
        "/keys" => flat("uri", 1800),
        "/cloud-credentials" if asked.header("authorization") == Some("Bearer n0t-to-be-seen-access") => {
            within("CloudCredential", "sso")
        }
        "/" if asked.line.contains("Action=AssumeRoleWithOIDC") && asked.body.ends_with("=n0t-to-be-seen-oidc") => {
            within("Credentials", "oidc")
        }
        "/" if asked.header("x-acs-action") == Some("AssumeRole") => {
            within("Credentials", &format!("role-of-{}", signed_by(asked)))
        }
        path if path.starts_with("/tasks/") => Reply::json(TASK),
        _ => Reply::error(404, "{}"),
    }
}

/// A home for the vendor's files.
fn home() -> PathBuf {
    let home = file("marker", "").parent().unwrap().to_owned();
    for folder in [".aliyun", ".alibabacloud"] {
        std::fs::create_dir_all(home.join(folder)).unwrap();
    }
    home
}

fn account(task: &str, endpoint: &str, credentials: &Value) -> String {
    format!(
        "  - {{account: {task}, region: cn-hangzhou, endpoint: {endpoint}, rate_limit: 1000, \
         targets: [{{task: {task}}}]{}}}\n",
        if credentials.is_null() { String::new() } else { format!(", credentials: {credentials}") }
    )
}

fn serve(accounts: &str, home: &Path, variables: &[(&str, &str)]) -> Exporter {
    let config = file("config.yaml", &format!("poll: {{interval: 1s, timeout: 2s}}\naliyun:\n{accounts}"));
    let mut command = binary();
    command.arg("serve").arg(format!("--config.file={}", config.display()));
    command.env("HOME", home).envs(variables.iter().copied());
    Exporter::start(command)
}

/// The key that the task was asked for with, last.
fn key_of(cloud: &FakeCloud, task: &str) -> String {
    eventually(&format!("{task} is asked for"), || cloud.asked_about(&format!("/tasks/{task} ")).last().map(signed_by))
}

#[test]
fn the_default_chain_is_in_the_sdks_order() {
    let cloud = FakeCloud::start(everything);
    let (endpoint, home) = (cloud.endpoint(), home());
    let uri = format!("{endpoint}/keys");
    let token = home.join("token");
    std::fs::write(&token, format!("{HIDDEN}-oidc\n")).unwrap();
    let cli = json!({"current": "a", "profiles": [
        {"name": "a", "mode": "AK", "access_key_id": "cli", "access_key_secret": HIDDEN}]});
    std::fs::write(home.join(".aliyun/config.json"), cli.to_string()).unwrap();
    let ini = format!("[default]\ntype = access_key\naccess_key_id = ini\naccess_key_secret = {HIDDEN}\n");
    std::fs::write(home.join(".alibabacloud/credentials.ini"), ini).unwrap();
    let mut variables = vec![
        ("ALIBABA_CLOUD_CREDENTIALS_URI", uri.as_str()),
        ("ALIBABA_CLOUD_IMDS_ENDPOINT", endpoint.as_str()),
        ("ALIBABA_CLOUD_STS_ENDPOINT", endpoint.as_str()),
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDER),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.to_str().unwrap()),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "env"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", HIDDEN),
    ];
    let expect = |task: &str, key: &str, variables: &[(&str, &str)]| {
        let exporter = serve(&account(task, &endpoint, &Value::Null), &home, variables);
        assert_eq!(key_of(&cloud, task), key);
        exporter.wait_for("cloud_task_poll_success", &[task], 1.0);
        assert!(exporter.logged(HIDDEN).is_empty());
        assert_eq!(exporter.logged("found credentials").len(), 1);
    };
    expect("T-env", "env", &variables);
    variables.truncate(6);
    expect("T-oidc", "STS.oidc", &variables);
    variables.truncate(3);
    expect("T-cli", "cli", &variables);
    variables.push(("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true"));
    expect("T-ini", "ini", &variables);
    std::fs::remove_file(home.join(".alibabacloud/credentials.ini")).unwrap();
    expect("T-ecs", "STS.ecs", &variables);
    variables.push(("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true"));
    expect("T-uri", "STS.uri", &variables);
}

#[test]
fn every_mode_of_the_clis_profiles() {
    let cloud = FakeCloud::start(everything);
    let (endpoint, home) = (cloud.endpoint(), home());
    let token = home.join("token");
    std::fs::write(&token, format!("{HIDDEN}-oidc")).unwrap();
    let printed = json!({"mode": "StsToken", "access_key_id": "STS.external", "access_key_secret": HIDDEN,
                         "sts_token": HIDDEN});
    let far = 4_000_000_000_u64;
    let modes = [
        ("AK", "ak", json!({"access_key_id": "ak"})),
        ("StsToken", "STS.sts", json!({"access_key_id": "STS.sts", "sts_token": HIDDEN})),
        ("RamRoleArn", "STS.role-of-base", json!({"access_key_id": "base", "ram_role_arn": ROLE})),
        ("EcsRamRole", "STS.ecs", json!({"ram_role_name": "machine"})),
        ("OIDC", "STS.oidc", json!({"ram_role_arn": ROLE, "oidc_provider_arn": PROVIDER, "oidc_token_file": token})),
        (
            "ChainableRamRoleArn",
            "STS.role-of-STS.role-of-base",
            json!({"source_profile": "T-RamRoleArn", "ram_role_arn": ROLE}),
        ),
        (
            "CloudSSO",
            "STS.sso",
            json!({"cloud_sso_sign_in_url": format!("{endpoint}/start/login"), "cloud_sso_account_id": "1",
                   "cloud_sso_access_config": "ac-1", "access_token": format!("{HIDDEN}-access"),
                   "cloud_sso_access_token_expire": far}),
        ),
        ("External", "STS.external", json!({"process_command": format!("echo '{printed}'")})),
        ("CredentialsURI", "STS.uri", json!({"credentials_uri": format!("{endpoint}/keys")})),
        ("OAuth", "STS.oauth", json!({"access_key_id": "STS.oauth", "sts_token": HIDDEN, "sts_expiration": far})),
    ];
    let mut profiles = Vec::new();
    let mut accounts = String::new();
    for (mode, _, fields) in &modes {
        let task = format!("T-{mode}");
        let mut profile = json!({"name": task, "mode": mode, "access_key_secret": HIDDEN, "sts_endpoint": endpoint});
        profile.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        profiles.push(profile);
        accounts += &account(&task, &endpoint, &json!({"source": "profile", "profile": task}));
    }
    let unsupported = json!({"name": "T-BearerToken", "mode": "BearerToken", "bearer_token": HIDDEN});
    profiles.push(unsupported);
    accounts += &account("T-BearerToken", &endpoint, &json!({"source": "profile", "profile": "T-BearerToken"}));
    std::fs::write(home.join(".aliyun/config.json"), json!({"profiles": profiles}).to_string()).unwrap();
    let exporter = serve(&accounts, &home, &[("ALIBABA_CLOUD_IMDS_ENDPOINT", &endpoint)]);
    for (mode, key, _) in &modes {
        assert_eq!(&key_of(&cloud, &format!("T-{mode}")), key, "{mode}");
    }
    exporter.wait_for("cloud_task_poll_success", &["T-BearerToken"], 0.0);
    let told = exporter.logged("is not supported; expected one of AK, StsToken");
    assert_eq!(told.len(), 1, "{told:?}");
    let calls = "cloud_task_exporter_api_requests_total";
    assert_eq!(exporter.value(calls, &["\"AssumeRoleWithOIDC\"", "T-OIDC", "code=\"ok\""]), Some(1.0));
    assert_eq!(exporter.value(calls, &["\"AssumeRole\"", "T-Chainable", "code=\"ok\""]), Some(2.0));
    let oidc = cloud.asked_about("AssumeRoleWithOIDC");
    assert!(oidc.iter().all(|asked| !asked.line.contains(HIDDEN)), "{oidc:?}");
    assert!(exporter.logged(HIDDEN).is_empty() && !exporter.metrics().contains(HIDDEN));
}

#[test]
fn every_source_by_its_name() {
    let cloud = FakeCloud::start(everything);
    let (endpoint, home) = (cloud.endpoint(), home());
    let [token, ini, cli] = ["token", "keys.ini", "profiles.json"].map(|name| home.join(name));
    std::fs::write(&token, format!("{HIDDEN}-oidc")).unwrap();
    std::fs::write(&ini, format!("[mine]\ntype = access_key\naccess_key_id = ini\naccess_key_secret = {HIDDEN}\n"))
        .unwrap();
    let profile = json!({"name": "mine", "mode": "AK", "access_key_id": "cli", "access_key_secret": HIDDEN});
    std::fs::write(&cli, json!({"profiles": [profile]}).to_string()).unwrap();
    let printed = json!({"access_key_id": "printed", "access_key_secret": HIDDEN});
    let machine = json!({"source": "instance_role", "metadata_endpoint": endpoint});
    let role = |from: Value| json!({"source": "assume_role", "role_arn": ROLE, "sts_endpoint": endpoint, "from": from});
    let oidc = json!({"source": "oidc", "role_arn": ROLE, "oidc_provider_arn": PROVIDER, "oidc_token_file": token,
                      "sts_endpoint": endpoint});
    let sources = [
        ("T-env", "env", json!({"source": "env"})),
        ("T-profile", "cli", json!({"source": "profile", "file": cli, "profile": "mine"})),
        ("T-file", "ini", json!({"source": "credentials_file", "file": ini, "profile": "mine"})),
        ("T-machine", "STS.ecs", machine.clone()),
        ("T-oidc", "STS.oidc", oidc),
        ("T-one-role", "STS.role-of-STS.ecs", role(machine)),
        ("T-roles", "STS.role-of-STS.role-of-env", role(role(json!({"source": "env"})))),
        ("T-uri", "STS.uri", json!({"source": "uri", "url": format!("{endpoint}/keys")})),
        ("T-process", "printed", json!({"source": "process", "command": format!("echo '{printed}'")})),
    ];
    let accounts: String = sources.iter().map(|(task, _, source)| account(task, &endpoint, source)).collect();
    let keys = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "env"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", HIDDEN)];
    let exporter = serve(&accounts, &home, &keys);
    for (task, key, _) in &sources {
        assert_eq!(&key_of(&cloud, task), key, "{task}");
        exporter.wait_for("cloud_task_poll_success", &[task], 1.0);
    }
    assert!(exporter.logged(HIDDEN).is_empty());
}

#[test]
fn a_machine_is_asked_without_a_token_only_where_that_is_allowed() {
    let cloud = FakeCloud::start(|asked| match asked.line.split(' ').nth(1).unwrap() {
        "/latest/meta-data/ram/security-credentials/" => Reply::Whole(200, String::new(), "machine\n".into()),
        "/latest/meta-data/ram/security-credentials/machine" => flat("older", 1800),
        path if path.starts_with("/latest/") => Reply::error(404, ""),
        _ => everything(asked),
    });
    let (endpoint, home) = (cloud.endpoint(), home());
    let machine = |require_token: bool| json!({"source": "instance_role", "metadata_endpoint": endpoint, "require_token": require_token});
    let accounts = account("T-older", &endpoint, &machine(false)) + &account("T-strict", &endpoint, &machine(true));
    let exporter = serve(&accounts, &home, &[]);
    assert_eq!(key_of(&cloud, "T-older"), "STS.older");
    exporter.wait_for("cloud_task_poll_success", &["T-strict"], 0.0);
    assert!(cloud.asked_about("/tasks/T-strict").is_empty());
    cloud.now_answers(|asked| if asked.line.contains("/latest/") { Reply::error(404, "") } else { everything(asked) });
    let without = serve(&account("T-none", &endpoint, &machine(false)), &home, &[]);
    eventually("it is said that there is no role", || without.logged("this machine has no RAM role").pop());
}

#[test]
fn a_refused_key_is_not_tried_again_and_again_for_its_role() {
    let cloud = FakeCloud::start(|asked| {
        let refusal = format!(r#"{{"Code": "InvalidAccessKeyId.NotFound", "Message": "{HIDDEN}", "RequestId": "r"}}"#);
        if asked.header("x-acs-action") == Some("AssumeRole") { Reply::error(404, &refusal) } else { everything(asked) }
    });
    let (endpoint, home) = (cloud.endpoint(), home());
    let role = json!({"source": "assume_role", "role_arn": ROLE, "sts_endpoint": endpoint, "from": {"source": "env"}});
    let keys = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "env"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", HIDDEN)];
    let exporter = serve(&account("T-1", &endpoint, &role), &home, &keys);
    let failures = ["reason=\"denied\""];
    exporter.wait_until("cloud_task_exporter_poll_failures_total", &failures, |count| count >= 3.0);
    assert_eq!(cloud.asked_about("RoleArn").len(), 1);
    assert!(exporter.logged(HIDDEN).is_empty() && !exporter.logged("the access key does not exist").is_empty());
}

#[test]
fn a_file_that_is_rotated_is_picked_up() {
    let cloud = FakeCloud::start(everything);
    let (endpoint, home) = (cloud.endpoint(), home());
    let write = |id: &str| {
        let role = json!({"name": "a", "mode": "RamRoleArn", "access_key_id": id, "access_key_secret": HIDDEN,
                          "ram_role_arn": ROLE, "sts_endpoint": endpoint});
        let file = json!({"current": "a", "profiles": [role]});
        std::fs::write(home.join(".aliyun/config.json"), file.to_string()).unwrap();
    };
    write("first");
    let _exporter = serve(&account("T-1", &endpoint, &Value::Null), &home, &[]);
    assert_eq!(key_of(&cloud, "T-1"), "STS.role-of-first");
    write("the-second");
    eventually("the other keys are used", || (key_of(&cloud, "T-1") == "STS.role-of-the-second").then_some(()));
}

#[test]
fn keys_are_renewed_in_time_and_old_ones_kept_while_they_last() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let cloud = FakeCloud::start(move |asked| {
        if asked.line.contains("/keys") {
            flat(&format!("n{}", counted.fetch_add(1, Ordering::Relaxed)), 8)
        } else {
            everything(asked)
        }
    });
    let (endpoint, home) = (cloud.endpoint(), home());
    let credentials = json!({"source": "uri", "url": format!("{endpoint}/keys")});
    let exporter = serve(&account("T-1", &endpoint, &credentials), &home, &[]);
    let end = 1_767_322_808.0;
    exporter.wait_for("cloud_task_exporter_credentials_expiry_timestamp_seconds", &["T-1"], end);
    eventually("the third keys are used", || (key_of(&cloud, "T-1") == "STS.n2").then_some(()));
    cloud.now_answers(|asked| {
        if asked.line.contains("/keys") { Reply::error(500, "n0t-to-be-seen") } else { everything(asked) }
    });
    eventually("a failed renewal is in the log", || exporter.logged("cannot be renewed").pop());
    let failures = |exporter: &Exporter| -> f64 {
        let text = exporter.metrics();
        let lines = text.lines().filter(|line| line.starts_with("cloud_task_exporter_poll_failures_total{"));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    };
    assert!(failures(&exporter).abs() < 0.5, "keys that last are used");
    exporter.wait_for("cloud_task_poll_success", &["T-1"], 0.0);
    assert!(exporter.logged(HIDDEN).is_empty());
}

#[test]
fn without_keys_anywhere_the_account_goes_on_and_says_where_it_looked() {
    let cloud = FakeCloud::start(everything);
    let variables = [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    let mut exporter = serve(&account("T-1", &cloud.endpoint(), &Value::Null), Path::new("/nonexistent"), &variables);
    exporter.wait_for("cloud_task_poll_success", &["T-1"], 0.0);
    let lines = exporter.logged("no credentials from the vendor's default sources");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for said in [
        "the environment variables: ALIBABA_CLOUD_ACCESS_KEY_ID is not set",
        "OIDC (RRSA): no role is named and ALIBABA_CLOUD_ROLE_ARN is not set",
        "/nonexistent/.aliyun/config.json does not exist",
        "/nonexistent/.alibabacloud/credentials exists",
        "the machine's RAM role: ALIBABA_CLOUD_ECS_METADATA_DISABLED is true",
        "the credentials URI: ALIBABA_CLOUD_CREDENTIALS_URI is not set",
    ] {
        assert!(lines[0].contains(said), "{said}: {}", lines[0]);
    }
    assert!(exporter.is_up() && cloud.asked_about("/tasks/").is_empty());
}
