//! The files of the vendor's tools and the `credentials` of a config, without a network.

use super::*;
use crate::clock;
use crate::cloud::chain;
use crate::cloud::credentials::tests::client;
use crate::cloud::settings::{Mistake, Report};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is no other test's.
fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("aliyun-credentials-{}-{number}", std::process::id()));
    std::fs::create_dir_all(folder.join(".aliyun")).unwrap();
    std::fs::create_dir_all(folder.join(".alibabacloud")).unwrap();
    folder
}

fn environment(home: &std::path::Path, variables: &'static [(&str, &str)]) -> Environment {
    let home = home.display().to_string();
    Environment::from_fn(move |name| match name {
        "HOME" => Some(home.clone()),
        _ => variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
    })
}

/// The keys a source has, or what it says instead.
async fn ask(source: &dyn Source) -> Result<Vec<String>, String> {
    match source.keys(&client()).await {
        Ok(Found::Keys(given)) => Ok(given.keys().secrets().into_iter().map(str::to_owned).collect()),
        Ok(Found::Nothing(why)) => Err(why),
        Err(error) => Err(chain(&error)),
    }
}

/// What the profile `current` of a CLI file with those profiles gives.
async fn profile(profiles: Value, variables: &'static [(&str, &str)]) -> Result<Vec<String>, String> {
    let home = folder();
    let file = json!({"current": "current", "profiles": profiles, "meta_path": ""});
    std::fs::write(home.join(".aliyun/config.json"), file.to_string()).unwrap();
    let source = CliProfile { file: None, profile: None, environment: environment(&home, variables) };
    let result = ask(&source).await;
    std::fs::remove_dir_all(home).unwrap();
    result
}

/// The same for one profile.
async fn fields(mut fields: Value) -> Result<Vec<String>, String> {
    fields["name"] = "current".into();
    profile(json!([{"name": "other"}, fields]), &[]).await
}

#[tokio::test]
async fn modes_that_hold_their_keys() {
    let ak = json!({"mode": "AK", "access_key_id": "a", "access_key_secret": "b", "sts_token": "left over"});
    assert_eq!(fields(ak).await.unwrap(), ["a", "b"]);
    let sts = json!({"mode": "ststoken", "access_key_id": "a", "access_key_secret": "b", "sts_token": "c"});
    assert_eq!(fields(sts).await.unwrap(), ["a", "b", "c"]);
    let end = clock::now().as_second() + 1000;
    let oauth = json!({
        "mode": "OAuth", "oauth_site_type": "CN", "oauth_refresh_token": "r", "access_key_id": "a",
        "access_key_secret": "b", "sts_token": "c", "sts_expiration": end,
    });
    assert_eq!(fields(oauth).await.unwrap(), ["a", "b", "c"]);
    let command = r#"echo '{"mode": "AK", "access_key_id": "a", "access_key_secret": "b"}'"#;
    assert_eq!(fields(json!({"mode": "External", "process_command": command})).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn an_empty_mode_is_guessed() {
    let ak = json!({"mode": "", "access_key_id": "a", "access_key_secret": "b"});
    assert_eq!(fields(ak).await.unwrap(), ["a", "b"]);
    let sts = json!({"access_key_id": "a", "access_key_secret": "b", "sts_token": "c", "ram_role_arn": "d"});
    assert_eq!(fields(sts).await.unwrap(), ["a", "b", "c"]);
    let command = r#"echo '{"access_key_id": "a", "access_key_secret": "b"}'"#;
    assert_eq!(fields(json!({"process_command": command})).await.unwrap(), ["a", "b"]);
    for (guess, said) in [
        (json!({"private_key": "k", "key_pair_name": "n"}), "the mode \"RsaKeyPair\" is not supported"),
        (json!({"cloud_sso_sign_in_url": "https://u"}), "`cloud_sso_account_id` is missing"),
        (json!({}), "it has no `mode`; expected one of AK, "),
    ] {
        let error = fields(guess).await.unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_profile_is_said_without_its_secrets() {
    for (wrong, said) in [
        (json!({"mode": "BearerToken", "bearer_token": "hunter2"}), "expected one of AK, StsToken, RamRoleArn"),
        (json!({"mode": "AK", "access_key_id": "hunter2"}), "`access_key_secret` is missing"),
        (json!({"mode": "AK", "access_key_id": "a", "access_key_secret": "hunter2 b"}), "a blank or another"),
        (json!({"mode": "StsToken", "access_key_id": "hunter2", "access_key_secret": "b"}), "`sts_token` is missing"),
        (json!({"mode": "ChainableRamRoleArn", "source_profile": "current"}), "build on each other"),
        (json!({"mode": "ChainableRamRoleArn", "source_profile": "nobody"}), "it has no profile \"nobody\""),
        (json!({"mode": "ChainableRamRoleArn"}), "`source_profile` is missing"),
        (json!({"mode": "RamRoleArn", "access_key_id": "a", "access_key_secret": "hunter2"}), "no role is named"),
        (
            json!({"mode": "RamRoleArn", "access_key_id": "a", "access_key_secret": "hunter2", "ram_role_arn": "r",
                   "expired_seconds": 60}),
            "expected from 900 to 43200",
        ),
        (json!({"mode": "OIDC", "ram_role_arn": "r"}), "ALIBABA_CLOUD_OIDC_PROVIDER_ARN is not set"),
        (
            json!({"mode": "OIDC", "ram_role_arn": "r", "oidc_provider_arn": "p", "oidc_token_file": "/no/token"}),
            "the file /no/token does not exist; expected a token in it",
        ),
        (json!({"mode": "CredentialsURI"}), "ALIBABA_CLOUD_CREDENTIALS_URI is not set"),
        (json!({"mode": "External"}), "`process_command` is missing"),
        (
            json!({"mode": "OAuth", "access_key_id": "a", "access_key_secret": "hunter2", "sts_token": "hunter2",
                   "sts_expiration": 1_700_000_000}),
            "only the aliyun CLI can renew them",
        ),
        (json!({"mode": "OAuth", "oauth_refresh_token": "hunter2"}), "it has no keys yet"),
        (
            json!({"mode": "CloudSSO", "cloud_sso_sign_in_url": "https://u/hunter2", "cloud_sso_account_id": "1",
                   "cloud_sso_access_config": "c", "access_token": "hunter2", "cloud_sso_access_token_expire": 1}),
            "the CloudSSO session has ended",
        ),
        (
            json!({"mode": "CloudSSO", "cloud_sso_sign_in_url": "https://u/", "cloud_sso_account_id": "1",
                   "cloud_sso_access_config": "c"}),
            "`access_token` is missing; sign in",
        ),
    ] {
        let error = fields(wrong.clone()).await.unwrap_err();
        assert!(error.contains(said) && !error.contains("hunter2"), "{wrong}: {error}");
    }
    let chained = json!([
        {"name": "current", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": "r"},
        {"name": "b", "mode": "ChainableRamRoleArn", "source_profile": "c", "ram_role_arn": "r"},
        {"name": "c", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": "r"},
    ]);
    assert!(profile(chained, &[]).await.unwrap_err().contains("current, b, c and b build on each other"));
}

#[tokio::test]
async fn a_profile_is_chosen_by_the_variable_and_the_file_may_be_no_ones() {
    let profiles = json!([
        {"name": "current", "mode": "AK", "access_key_id": "a", "access_key_secret": "b"},
        {"name": "mine", "mode": "AK", "access_key_id": "c", "access_key_secret": "d"},
    ]);
    assert_eq!(profile(profiles.clone(), &[(variables::PROFILE, "mine")]).await.unwrap(), ["c", "d"]);
    let error = profile(profiles.clone(), &[(variables::PROFILE, "nobody")]).await.unwrap_err();
    assert!(error.ends_with("config.json: it has no profile \"nobody\""), "{error}");
    let disabled = profile(profiles, &[(variables::CLI_PROFILE_DISABLED, "True")]).await.unwrap_err();
    assert_eq!(disabled, "ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true");
    let home = folder();
    let source = CliProfile { file: None, profile: None, environment: environment(&home, &[]) };
    assert!(ask(&source).await.unwrap_err().ends_with(".aliyun/config.json does not exist"));
    for (text, said) in [
        ("hunter2", "not as the aliyun CLI writes it, at line 1 column 1"),
        ("{}", "it has no list `profiles`"),
        (r#"{"profiles": []}"#, "no profile is current"),
    ] {
        std::fs::write(home.join(".aliyun/config.json"), text).unwrap();
        let error = ask(&source).await.unwrap_err();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    }
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn the_ini_file_in_every_type() {
    let home = folder();
    let source = |variables| CredentialsFile { file: None, profile: None, environment: environment(&home, variables) };
    let said = ask(&source(&[])).await.unwrap_err();
    assert!(said.starts_with("none of ") && said.ends_with(".alibabacloud/credentials exists"), "{said}");
    let text = "[default]\ntype = access_key # the usual\nAccess_Key_Id = a\naccess_key_secret = b#c\n\
                [role]\ntype = ram_role_arn\naccess_key_id = a\naccess_key_secret = hunter2\n\
                [token]\ntype = oidc_role_arn\nrole_arn = r\noidc_provider_arn = p\noidc_token_file_path = /no/token\n\
                [pair]\ntype = rsa_key_pair\npublic_key_id = hunter2\n[half]\ntype = access_key\naccess_key_id = hunter2\n\
                [none]\naccess_key_id = hunter2\n";
    std::fs::write(home.join(".alibabacloud/credentials"), text).unwrap();
    assert_eq!(ask(&source(&[])).await.unwrap(), ["a", "b"]);
    let cases: &[(&'static [(&str, &str)], &str)] = &[
        (&[(variables::PROFILE, "role")], "no role is named and ALIBABA_CLOUD_ROLE_ARN is not set"),
        (&[(variables::PROFILE, "token")], "the file /no/token does not exist; expected a token in it"),
        (
            &[(variables::PROFILE, "pair")],
            "\"rsa_key_pair\" is not supported; expected one of access_key, ram_role_arn",
        ),
        (&[(variables::PROFILE, "half")], "section [half]: `access_key_secret` is missing"),
        (&[(variables::PROFILE, "none")], "`type` is missing"),
        (&[(variables::PROFILE, "nobody")], "it has no section [nobody]"),
        (&[(variables::CREDENTIALS_FILE, "/no/file")], "/no/file does not exist"),
    ];
    for (variables, said) in cases {
        let error = ask(&source(variables)).await.unwrap_err();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    }
    // The Python SDK's name goes first.
    std::fs::write(home.join(".alibabacloud/credentials.ini"), text.replace("= a\n", "= z\n")).unwrap();
    assert_eq!(ask(&source(&[])).await.unwrap(), ["z", "b"]);
    std::fs::remove_dir_all(home).unwrap();
}

/// What the check of `credentials` says, with that environment or with none.
fn mistakes(section: Value, environment: Option<&Environment>) -> Vec<String> {
    let section: Section = serde_json::from_value(section).unwrap();
    let mut report = Report::default();
    let keyring = Section::check(Some(section), environment, &mut report);
    assert!(keyring.is_some() == environment.is_some() || !report.is_clean(), "{report:?}");
    report.into_mistakes().iter().map(Mistake::to_string).collect()
}

#[test]
fn every_source_is_taken_with_its_options() {
    let nothing = Environment::from_fn(|_| None);
    for section in [
        json!({"source": "default"}),
        json!({"source": "env"}),
        json!({"source": "profile", "file": "/f", "profile": "p"}),
        json!({"source": "credentials_file", "file": "/f", "profile": "p"}),
        json!({"source": "instance_role", "role_name": "exporter", "metadata_endpoint": "http://100.100.100.200",
               "require_token": true}),
        json!({"source": "oidc", "role_arn": "acs:ram::1:role/a", "oidc_provider_arn": "acs:ram::1:oidc-provider/p",
               "oidc_token_file": "/t", "role_session_name": "me", "duration": "15m", "policy": "{}",
               "sts_endpoint": "https://sts.example"}),
        json!({"source": "assume_role", "role_arn": "acs:ram::1:role/a", "external_id": "e", "duration": "12h",
               "from": {"source": "assume_role", "role_arn": "acs:ram::1:role/b", "from": {"source": "env"}}}),
        json!({"source": "uri", "url": "http://127.0.0.1:1/k"}),
        json!({"source": "process", "command": "keys --json"}),
    ] {
        assert_eq!(mistakes(section.clone(), Some(&nothing)), [""; 0], "{section}");
        assert_eq!(mistakes(section, None), [""; 0]);
    }
}

#[test]
fn what_neither_an_option_nor_a_variable_says_is_missing() {
    let nothing = Environment::from_fn(|_| None);
    let everything = Environment::from_fn(|name| Some(format!("of {name}")));
    for (source, count) in [("oidc", 3), ("assume_role", 1), ("uri", 1)] {
        let section = json!({"source": source});
        let told = mistakes(section.clone(), Some(&nothing));
        assert!(told.len() == count && told[0].starts_with("credentials: missing `"), "{told:?}");
        assert_eq!(mistakes(section.clone(), Some(&everything)), [""; 0]);
        assert_eq!(mistakes(section, None), [""; 0]);
    }
    assert_eq!(
        mistakes(json!({"source": "assume_role", "from": {"source": "uri"}}), Some(&nothing))[1],
        "credentials.from: missing `url`, and ALIBABA_CLOUD_CREDENTIALS_URI is not set; for example \
         `url: http://127.0.0.1:8080/keys`"
    );
}

#[test]
fn other_options_are_told_and_no_secret_is() {
    let nothing = Environment::from_fn(|_| None);
    let shown = |section: Value| {
        let section: Section = serde_json::from_value(section).unwrap();
        Section::check(Some(section), Some(&nothing), &mut Report::default()).unwrap().settings()
    };
    let role = |more: Value| json!({"source": "assume_role", "role_arn": "acs:ram::1:role/a", "from": more});
    let sections = [
        json!({"source": "env"}),
        json!({"source": "profile"}),
        json!({"source": "profile", "profile": "p"}),
        json!({"source": "profile", "file": "/f"}),
        json!({"source": "credentials_file", "file": "/f"}),
        json!({"source": "instance_role"}),
        json!({"source": "instance_role", "require_token": true}),
        json!({"source": "uri", "url": "http://127.0.0.1/hunter2"}),
        json!({"source": "uri", "url": "http://127.0.0.1/hunter22"}),
        json!({"source": "process", "command": "keys --password=hunter2"}),
        json!({"source": "process", "command": "keys --password=hunter22"}),
        role(json!({"source": "env"})),
        role(json!({"source": "uri", "url": "http://127.0.0.1/hunter2"})),
        role(json!({"source": "uri", "url": "http://127.0.0.1/hunter22"})),
    ];
    let all: std::collections::HashSet<String> = sections.iter().map(|section| shown(section.clone())).collect();
    assert_eq!(all.len(), sections.len(), "{all:#?}");
    assert!(!format!("{all:?}").contains("hunter"), "{all:#?}");
    assert_eq!(shown(sections[7].clone()), shown(sections[7].clone()));
}

#[test]
fn the_chain_is_the_sdks() {
    let shown = format!("{:?}", default_chain(&Environment::from_fn(|_| None)));
    let order = ["Variables", "Oidc {", "CliProfile", "CredentialsFile", "InstanceRole", "CredentialsUri"];
    let places: Vec<_> = order.iter().map(|name| shown.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{shown}");
}
