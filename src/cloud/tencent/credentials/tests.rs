//! Sources against a simulated cloud, and what can be wrong with the section.

use super::*;
use crate::cloud::chain;
use crate::cloud::credentials::tests::client;

use crate::cloud::settings::Report;
use crate::demo::tencent::{PROVIDER_ID, ROLE_ARN, SECRET_ID, SECRET_KEY, Tencent, WEB_IDENTITY_TOKEN};
use crate::demo::world::World;
use crate::demo::{Answered, Asked, Simulator, serve};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

fn mistakes(section: Value) -> Vec<String> {
    let section = serde_json::from_value(section).unwrap();
    let environment = Environment::from_fn(|name| (name == "SET").then(|| "value".to_owned()));
    let mut report = Report::default();
    let keyring = check(Some(section), Some(&environment), &mut report);
    let mistakes: Vec<String> = report.into_mistakes().iter().map(ToString::to_string).collect();
    assert_eq!(keyring.is_some(), mistakes.is_empty());
    mistakes
}

const ROLE: &str = "qcs::cam::uin/100000000001:roleName/exporter";

#[test]
fn a_right_section_is_taken() {
    let keys = json!({"secret_id": {"env": "SET"}, "secret_key": {"env": "SET"}, "token": {"env": "UNSET"}});
    for section in [
        keys.clone(),
        json!({"source": "default", "metadata_endpoint": "http://169.254.0.23", "sts_endpoint": "https://sts.example"}),
        json!({"source": "env"}),
        json!({"source": "profile", "file": "/f"}),
        json!({"source": "tccli", "profile": "prod", "folder": "/f", "sts_endpoint": "https://sts.example"}),
        json!({"source": "instance_role", "role_name": "exporter"}),
        json!({"source": "oidc", "provider_id": "p", "role_arn": ROLE, "token_file": "/t", "region": "ap-tokyo"}),
        json!({"source": "oidc", "role_session_name": "me", "duration": "1h", "sts_endpoint": "https://sts.example"}),
        json!({"source": "assume_role", "role_arn": ROLE}),
        json!({"source": "assume_role", "role_arn": ROLE, "duration": "15m", "from": keys}),
    ] {
        assert_eq!(mistakes(section.clone()), [""; 0], "{section}");
    }
}

#[test]
fn every_wrong_combination_is_told_at_its_key() {
    let nested = |from: Value| json!({"source": "assume_role", "role_arn": ROLE, "from": from});
    let deep = nested(nested(nested(nested(json!({"source": "env"})))));
    for (section, expected) in [
        (
            json!({}),
            vec!["credentials: missing `source`, for example `source: default`; or name `secret_id` and `secret_key`"],
        ),
        (
            json!({"token": {"env": "SET"}}),
            vec!["credentials: missing `secret_id`", "credentials: missing `secret_key`"],
        ),
        (
            json!({"source": "env", "secret_id": {"env": "SET"}}),
            vec!["credentials.secret_id: keys or a source, not both; leave `secret_id` out, or `source: env`"],
        ),
        (
            json!({"role_arn": ROLE}),
            vec![
                "credentials: missing `source`, for example `source: assume_role`; `role_arn` goes with assume_role or oidc",
            ],
        ),
        (
            json!({"source": "profile", "folder": "/f", "duration": "1s"}),
            vec![
                "credentials.folder: no option of source profile; `folder` goes with tccli",
                "credentials.duration: no option of source profile; `duration` goes with assume_role or oidc",
                "credentials.duration: keys of a role last from 1m to 12h",
            ],
        ),
        (
            json!({"source": "assume_role", "duration": "13h", "from": {"source": "env", "file": "/f"}}),
            vec![
                "credentials.duration: keys of a role last from 1m to 12h",
                "credentials: missing `role_arn`, for example `role_arn: qcs::cam::uin/100000000001:roleName/exporter`",
                "credentials.from.file: no option of source env; `file` goes with profile",
            ],
        ),
        (nested(json!({"secret_id": {"env": "SET"}})), vec!["credentials.from: missing `secret_key`"]),
        (
            nested(json!({"secret_id": {"env": "SET"}, "secret_key": {"env": "UNSET"}})),
            vec!["credentials.from.secret_key: the environment variable UNSET is not set"],
        ),
        (deep, vec!["credentials.from.from.from.from: more than 3 roles"]),
    ] {
        let found = mistakes(section.clone());
        assert_eq!(found.len(), expected.len(), "{section}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{section}: {found}");
        }
    }
}

#[test]
fn wrong_values_say_what_would_be_right() {
    for (section, expected) in [
        (
            json!({"source": "magic"}),
            "expected one of `default`, `env`, `profile`, `tccli`, `instance_role`, `oidc`, `assume_role`",
        ),
        (json!({"role_arn": "exporter"}), "qcs::cam::uin/100000000001:roleName/exporter"),
        (json!({"role_session_name": "a b"}), "2 to 128 letters, digits and _+=,.@-"),
        (json!({"profile": "../x"}), "without blanks and slashes"),
        (json!({"metadata_endpoint": "http://example.com"}), "beside this machine"),
        (json!({"external_id": "x"}), "unknown field `external_id`"),
    ] {
        let message = serde_json::from_value::<Credentials>(section).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tencent-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A simulated cloud, and an environment beside it.
struct Setting {
    address: String,
    home: Folder,
    _stop: DropGuard,
}

impl Setting {
    async fn new(cloud: impl Simulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        tracker.spawn(serve(listener, Arc::new(cloud), tracker.clone(), stop.clone()));
        Self { address, home: Folder::new(), _stop: stop.drop_guard() }
    }

    async fn of_demo() -> Self {
        Self::new(Tencent::new(World::new(1, crate::clock::now()), 1000)).await
    }

    /// What a section gives: the three parts, or why there are none. Endpoints are put in where it names them.
    async fn ask(&self, section: &Value, set: &[(&'static str, &str)]) -> Result<Vec<String>, String> {
        let section = section.to_string().replace("ADDRESS", &self.address);
        let section: Credentials = serde_json::from_str(&section).unwrap();
        let keyring = check(Some(section), Some(&self.environment(set)), &mut Report::default()).unwrap();
        let keys = keyring
            .current(&client())
            .await
            .map_err(|error| format!("{}: {}", error.reason().as_str(), chain(&error)))?;
        Ok(keys.secrets().into_iter().map(str::to_owned).collect())
    }

    fn environment(&self, set: &[(&'static str, &str)]) -> Environment {
        let home = self.home.0.to_str().unwrap().to_owned();
        let own = [("HOME", home), ("SECRET_ID", SECRET_ID.to_owned()), ("SECRET_KEY", SECRET_KEY.to_owned())];
        let set: Vec<(&str, String)> =
            own.into_iter().chain(set.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect();
        Environment::from_fn(move |name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.clone()))
    }
}

fn is_temporary(keys: &[String]) -> bool {
    keys.len() == 3 && keys[0].starts_with("AKIDtemporary")
}

#[tokio::test]
async fn a_role_is_assumed_with_any_keys_and_through_another() {
    let setting = Setting::of_demo().await;
    let own = json!({"secret_id": {"env": "SECRET_ID"}, "secret_key": {"env": "SECRET_KEY"}});
    let role =
        |from: Value| json!({"source": "assume_role", "role_arn": ROLE_ARN, "sts_endpoint": "ADDRESS", "from": from});
    let instance = json!({"source": "instance_role", "metadata_endpoint": "ADDRESS"});
    for section in [role(own.clone()), role(instance), role(role(own))] {
        let keys = setting.ask(&section, &[]).await.unwrap();
        assert!(is_temporary(&keys), "{section}: {keys:?}");
    }
    let chain = json!({"source": "assume_role", "role_arn": ROLE_ARN, "sts_endpoint": "ADDRESS"});
    let set = [("TENCENTCLOUD_SECRET_ID", SECRET_ID), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];
    assert!(is_temporary(&setting.ask(&chain, &set).await.unwrap()));
}

#[tokio::test]
async fn why_a_role_has_no_keys_is_told() {
    let setting = Setting::of_demo().await;
    let own = json!({"secret_id": {"env": "SECRET_ID"}, "secret_key": {"env": "SECRET_KEY"}});
    let mut section = json!({"source": "assume_role", "role_arn": ROLE, "sts_endpoint": "ADDRESS", "from": own});
    section["role_arn"] = "qcs::cam::uin/1:roleName/x".into();
    let error = setting.ask(&section, &[]).await.unwrap_err();
    assert_eq!(error, "denied: ResourceNotFound.RoleNotFound: there is no such role; check role_arn");
    section["from"] = json!({"source": "env"});
    let error = setting.ask(&section, &[]).await.unwrap_err();
    let expected = "denied: no credentials from the role qcs::cam::uin/1:roleName/x: nothing to assume it with in the \
                    environment variables: TENCENTCLOUD_SECRET_ID is not set";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_pod_has_its_role_by_variables_or_options() {
    let setting = Setting::of_demo().await;
    let token = setting.home.write("token", &format!("{WEB_IDENTITY_TOKEN}\n"));
    let set = [
        ("TKE_REGION", "ap-guangzhou"),
        ("TKE_PROVIDER_ID", PROVIDER_ID),
        ("TKE_ROLE_ARN", ROLE_ARN),
        ("TKE_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
    ];
    let section = json!({"source": "oidc", "sts_endpoint": "ADDRESS"});
    assert!(is_temporary(&setting.ask(&section, &set).await.unwrap()));
    for missing in 0..set.len() {
        let some: Vec<_> = set.iter().enumerate().filter(|(place, _)| *place != missing).map(|(_, set)| *set).collect();
        let error = setting.ask(&section, &some).await.unwrap_err();
        assert!(error.ends_with(&format!("the role of this TKE pod: {} is not set", set[missing].0)), "{error}");
    }
    let options = json!({"source": "oidc", "sts_endpoint": "ADDRESS", "region": "ap-guangzhou", "role_arn": ROLE_ARN,
        "provider_id": PROVIDER_ID, "token_file": token});
    assert!(is_temporary(&setting.ask(&options, &[]).await.unwrap()));
    setting.home.write("token", "hunter2.hunter2");
    let error = setting.ask(&options, &[]).await.unwrap_err();
    assert!(error.starts_with("denied: InvalidParameter.WebIdentityTokenError: the token was refused"), "{error}");
    setting.home.write("token", "\n");
    assert!(setting.ask(&options, &[]).await.unwrap_err().ends_with("/token is empty; expected a token in it"));
}

#[tokio::test]
async fn a_file_of_the_command_line_may_stand_for_a_role() {
    let setting = Setting::of_demo().await;
    let section = json!({"source": "tccli", "metadata_endpoint": "ADDRESS", "sts_endpoint": "ADDRESS"});
    let cvm = r#"{"type": "cvm-role"}"#;
    setting.home.write(".tccli/default.credential", cvm);
    assert!(is_temporary(&setting.ask(&section, &[]).await.unwrap()));
    let keys = json!({"secretId": SECRET_ID, "secretKey": SECRET_KEY, "token": null});
    setting.home.write(".tccli/prod.credential", &keys.to_string());
    let prod = [("TCCLI_PROFILE", "prod")];
    assert_eq!(setting.ask(&section, &prod).await.unwrap(), [SECRET_ID, SECRET_KEY]);
    let role =
        [("TCCLI_PROFILE", "prod"), ("TENCENTCLOUD_ROLE_ARN", ROLE_ARN), ("TENCENTCLOUD_ROLE_SESSION_NAME", "me")];
    assert!(is_temporary(&setting.ask(&section, &role).await.unwrap()));
    let mut named = section;
    named["profile"] = "prod".into();
    let keys = setting.ask(&named, &role).await.unwrap();
    assert_eq!(keys, [SECRET_ID, SECRET_KEY], "a profile that is named is taken without the environment");
    let role = json!({"secretId": SECRET_ID, "secretKey": SECRET_KEY, "role-arn": ROLE_ARN, "role-session-name": "me"});
    setting.home.write(".tccli/prod.credential", &role.to_string());
    assert!(is_temporary(&setting.ask(&named, &[]).await.unwrap()));
    named["profile"] = "none".into();
    assert!(setting.ask(&named, &[]).await.unwrap_err().contains("there is no file "));
}

/// A metadata service that answers so: for the list of roles, and for a role.
struct Metadata(u16, &'static str, u16, Value);

impl Simulator for Metadata {
    fn answer(&self, asked: &Asked, now: Timestamp) -> Answered {
        let Self(list_status, list, status, document) = self;
        if asked.path.ends_with('/') {
            let body = (*list).to_owned();
            return Answered { status: *list_status, headers: Vec::new(), content_type: "text/plain", body };
        }
        assert_eq!(asked.path, "/latest/meta-data/cam/security-credentials/a%2Bb");
        Answered::json(*status, document).dated(now)
    }
}

fn document(change: &[(&str, Value)]) -> Value {
    let end = (crate::clock::now() + SignedDuration::from_hours(6)).as_second();
    let mut document = json!({"TmpSecretId": "AKIDhunter2", "TmpSecretKey": "hunter2", "Token": "hunter2",
        "ExpiredTime": end, "Expiration": "2026-01-01T00:00:00Z", "Code": "Success"});
    document.as_object_mut().unwrap().extend(change.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    document
}

#[tokio::test]
async fn the_role_of_a_machine_is_told_by_its_metadata_service() {
    let whole = |change: &[(&str, Value)]| Metadata(200, "a+b\n", 200, document(change));
    let section = json!({"source": "instance_role", "metadata_endpoint": "ADDRESS"});
    let keys = Setting::new(whole(&[])).await.ask(&section, &[]).await.unwrap();
    assert_eq!(keys, ["AKIDhunter2", "hunter2", "hunter2"]);
    for (service, expected) in [
        (
            Metadata(404, "", 200, json!({})),
            "denied: no credentials from the role of this CVM: no role is bound to this machine",
        ),
        (Metadata(200, "\n", 200, json!({})), "no role is bound to this machine"),
        (
            Metadata(200, "<html>a b</html>", 200, json!({})),
            "decode: what the metadata service answers is no name of a role",
        ),
        (Metadata(503, "", 200, json!({})), "transport: the metadata service answers with HTTP status 503"),
        (Metadata(200, "a+b", 404, json!({})), "denied: no role a+b is bound to this machine"),
        (Metadata(200, "a+b", 500, json!({})), "transport: the metadata service answers with HTTP status 500"),
        (
            whole(&[("Code", "Failed".into())]),
            "denied: the metadata service has no keys of the role a+b: Code is \"Failed\"",
        ),
        (whole(&[("Code", Value::Null)]), "decode: the answer cannot be read: it is not as documented at `Code`"),
        (whole(&[("ExpiredTime", Value::Null)]), "decode: the keys of the role have no `ExpiredTime`"),
        (whole(&[("ExpiredTime", 1_700_000_000.into())]), "decode: the temporary keys ended before they came"),
        (
            whole(&[("Token", json!(["hunter2"]))]),
            "decode: the answer cannot be read: it is not as documented at `Token`",
        ),
        (whole(&[("TmpSecretKey", " ".into())]), "decode: the temporary keys are not whole"),
    ] {
        let error = Setting::new(service).await.ask(&section, &[]).await.unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
    let nobody = json!({"source": "instance_role", "metadata_endpoint": "http://127.0.0.1:1"});
    let error = Setting::of_demo().await.ask(&nobody, &[]).await.unwrap_err();
    assert!(error.starts_with("transport: the metadata service 127.0.0.1:1 cannot be reached: "), "{error}");
}

#[tokio::test]
async fn the_chain_asks_in_the_sdks_order() {
    let setting = Setting::of_demo().await;
    let home = &setting.home;
    let section = json!({"source": "default", "metadata_endpoint": "ADDRESS", "sts_endpoint": "ADDRESS"});
    let variables = [("TENCENTCLOUD_SECRET_ID", "AKIDenv"), ("TENCENTCLOUD_SECRET_KEY", "k")];
    home.write(".tencentcloud/credentials", "[default]\nsecret_id = AKIDprofile\nsecret_key = k\n");
    home.write(".tccli/default.credential", r#"{"secretId": "AKIDtccli", "secretKey": "k"}"#);
    let first = async |set: &[(&'static str, &str)]| setting.ask(&section, set).await.map(|keys| keys[0].clone());
    assert_eq!(first(&variables).await.unwrap(), "AKIDenv");
    assert_eq!(first(&[]).await.unwrap(), "AKIDprofile");
    home.write(".tencentcloud/credentials", "[default]\nsecret_id =\n");
    assert_eq!(first(&[]).await.unwrap(), "AKIDtccli", "a profile without keys is passed over");
    std::fs::remove_file(home.0.join(".tccli/default.credential")).unwrap();
    assert!(first(&[]).await.unwrap().starts_with("AKIDtemporary"));
    let nobody = json!({"source": "default", "metadata_endpoint": "http://127.0.0.1:1", "sts_endpoint": "ADDRESS"});
    let token = home.write("token", WEB_IDENTITY_TOKEN);
    let pod = [
        ("TKE_REGION", "ap-guangzhou"),
        ("TKE_PROVIDER_ID", PROVIDER_ID),
        ("TKE_ROLE_ARN", ROLE_ARN),
        ("TKE_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
    ];
    assert!(setting.ask(&nobody, &pod).await.unwrap()[0].starts_with("AKIDtemporary"));
    let error = setting.ask(&nobody, &[]).await.unwrap_err();
    for expected in [
        "denied: no credentials from the vendor's default sources: the environment variables: TENCENTCLOUD_SECRET_ID is not set; ",
        "; the files of tccli: there is no file ",
        "; the role of this CVM: the metadata service 127.0.0.1:1 cannot be reached: ",
        "; the role of this TKE pod: TKE_REGION is not set",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn each_tools_name_of_the_token_is_known() {
    let setting = Setting::of_demo().await;
    let keys = [("TENCENTCLOUD_SECRET_ID", "AKIDenv"), ("TENCENTCLOUD_SECRET_KEY", "k")];
    let names = ["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"];
    for first in 0..names.len() {
        let tokens: Vec<_> = names[first..].iter().map(|name| (*name, *name)).collect();
        let set: Vec<_> = keys.iter().copied().chain(tokens).collect();
        let found = setting.ask(&json!({"source": "env"}), &set).await.unwrap();
        assert_eq!(found, ["AKIDenv", "k", names[first]]);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_renewed_are_kept_while_they_last() {
    let setting = Setting::of_demo().await;
    let path = setting.home.write("id", SECRET_ID);
    let own = json!({"secret_id": {"file": path}, "secret_key": {"env": "SECRET_KEY"}});
    let section = json!({"source": "assume_role", "role_arn": ROLE_ARN, "sts_endpoint": setting.address, "from": own});
    let section: Credentials = serde_json::from_value(section).unwrap();
    let keyring = check(Some(section), Some(&setting.environment(&[])), &mut Report::default()).unwrap();
    let client = client();
    let before = keyring.current(&client).await.unwrap();
    setting.home.write("id", "AKIDrefused");
    keyring.reread();
    let after = keyring.current(&client).await.unwrap();
    assert!(Arc::ptr_eq(&before, &after), "STS refused the other key, and nobody is worse off");
    setting.home.write("id", SECRET_ID);
}
