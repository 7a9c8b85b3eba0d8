//! Which options go with which source of credentials, and what each may be. Every mistake is told at its key.

use super::config::{Section, SourceName};
use super::instance_role::flaw_of_role;
use super::role::{LONGEST, SHORTEST};
use super::{process, uri, variables};
use crate::cloud::settings::{Environment, Interval, Report};
use serde_json::{Map, Value};
use std::path::Path;

/// Characters of a session policy at the most.
const LONGEST_POLICY: usize = 2048;

const ALL: [SourceName; 9] = [
    SourceName::Default,
    SourceName::Env,
    SourceName::Profile,
    SourceName::CredentialsFile,
    SourceName::InstanceRole,
    SourceName::Oidc,
    SourceName::AssumeRole,
    SourceName::Uri,
    SourceName::Process,
];

impl SourceName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Env => "env",
            Self::Profile => "profile",
            Self::CredentialsFile => "credentials_file",
            Self::InstanceRole => "instance_role",
            Self::Oidc => "oidc",
            Self::AssumeRole => "assume_role",
            Self::Uri => "uri",
            Self::Process => "process",
        }
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Default | Self::Env => &[],
            Self::Profile | Self::CredentialsFile => &["file", "profile"],
            Self::InstanceRole => &["role_name", "metadata_endpoint", "require_token"],
            Self::Oidc => &[
                "role_arn",
                "role_session_name",
                "duration",
                "policy",
                "sts_endpoint",
                "oidc_provider_arn",
                "oidc_token_file",
            ],
            Self::AssumeRole => {
                &["role_arn", "role_session_name", "duration", "policy", "sts_endpoint", "external_id", "from"]
            }
            Self::Uri => &["url"],
            Self::Process => &["command"],
        }
    }
}

/// Checks what is there and what goes with it; the report is at the section. Variables that stand in for what is left out
/// are looked for where there is an environment.
pub(super) fn check(section: &Section, environment: Option<&Environment>, report: &mut Report) {
    let given = given(section);
    match section.source {
        None => check_without_source(&given, report),
        Some(source) => check_options(source, &given, report),
    }
    let (role_arn, provider) = (section.role_arn.as_deref(), section.oidc_provider_arn.as_deref());
    at(report, "profile", section.profile.as_deref().and_then(flaw_of_name));
    at(report, "role_name", section.role_name.as_deref().and_then(|name| flaw_of_role(name).map(str::to_owned)));
    at(report, "role_arn", role_arn.and_then(|arn| flaw_of_arn(arn, ":role/", "role/exporter")));
    at(
        report,
        "oidc_provider_arn",
        provider.and_then(|arn| flaw_of_arn(arn, ":oidc-provider/", "oidc-provider/ack-rrsa")),
    );
    at(report, "role_session_name", section.role_session_name.as_deref().and_then(flaw_of_session));
    at(report, "duration", section.duration.and_then(flaw_of_duration));
    at(report, "policy", section.policy.as_deref().and_then(flaw_of_policy));
    at(report, "external_id", section.external_id.as_deref().and_then(flaw_of_name));
    at(report, "url", section.url.as_deref().and_then(|url| uri::parse(url).err()));
    at(report, "command", section.command.as_deref().and_then(|command| process::words(command).err()));
    at(report, "file", section.file.as_deref().and_then(flaw_of_path));
    at(report, "oidc_token_file", section.oidc_token_file.as_deref().and_then(flaw_of_path));
    check_missing(section.source, &given, environment, report);
}

/// The options that are there, beside `source`.
fn given(section: &Section) -> Vec<&'static str> {
    let all = [
        ("access_key_id", section.access_key_id.is_some()),
        ("access_key_secret", section.access_key_secret.is_some()),
        ("security_token", section.security_token.is_some()),
        ("file", section.file.is_some()),
        ("profile", section.profile.is_some()),
        ("role_name", section.role_name.is_some()),
        ("metadata_endpoint", section.metadata_endpoint.is_some()),
        ("require_token", section.require_token.is_some()),
        ("role_arn", section.role_arn.is_some()),
        ("role_session_name", section.role_session_name.is_some()),
        ("duration", section.duration.is_some()),
        ("policy", section.policy.is_some()),
        ("sts_endpoint", section.sts_endpoint.is_some()),
        ("oidc_provider_arn", section.oidc_provider_arn.is_some()),
        ("oidc_token_file", section.oidc_token_file.is_some()),
        ("external_id", section.external_id.is_some()),
        ("from", section.from.is_some()),
        ("url", section.url.is_some()),
        ("command", section.command.is_some()),
    ];
    all.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
}

fn is_key(name: &str) -> bool {
    ["access_key_id", "access_key_secret", "security_token"].contains(&name)
}

fn check_without_source(given: &[&str], report: &mut Report) {
    if given.is_empty() {
        report.mistake(
            "nothing is named; expected `access_key_id` and `access_key_secret`, or `source`, for example \
             `source: instance_role`",
        );
    }
    for name in given.iter().filter(|name| !is_key(name)) {
        let owners = ALL.iter().filter(|source| source.options().contains(name));
        let owners: Vec<String> = owners.map(|source| format!("`source: {}`", source.as_str())).collect();
        report.mistake_at(name, format!("goes with {} only; add the source, or remove the key", owners.join(" or ")));
    }
}

fn check_options(source: SourceName, given: &[&str], report: &mut Report) {
    let own = source.options();
    for name in given.iter().filter(|name| !own.contains(name)) {
        let source = source.as_str();
        let expected = match own {
            [] => "it has no options".to_owned(),
            _ => format!("expected {}", own.join(", ")),
        };
        report.mistake_at(name, format!("does not go with `source: {source}`; {expected}"));
    }
}

/// What a source cannot do without, and no variable stands in for.
fn check_missing(source: Option<SourceName>, given: &[&str], environment: Option<&Environment>, report: &mut Report) {
    let needs: &[(&str, &str, &str)] = match source {
        Some(SourceName::Oidc) => &[
            ("role_arn", variables::ROLE_ARN, "acs:ram::1234567890123456:role/exporter"),
            ("oidc_provider_arn", variables::OIDC_PROVIDER_ARN, "acs:ram::1234567890123456:oidc-provider/ack-rrsa"),
            ("oidc_token_file", variables::OIDC_TOKEN_FILE, "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token"),
        ],
        Some(SourceName::AssumeRole) => &[("role_arn", variables::ROLE_ARN, "acs:ram::1234567890123456:role/exporter")],
        Some(SourceName::Uri) => &[("url", variables::CREDENTIALS_URI, "http://127.0.0.1:8080/keys")],
        Some(SourceName::Process) => {
            if !given.contains(&"command") {
                report.mistake("missing `command`, for example `command: /usr/local/bin/keys --json`");
            }
            return;
        }
        _ => return,
    };
    let Some(environment) = environment else { return };
    for (name, variable, example) in needs {
        if !given.contains(name) && environment.get(variable).is_none() {
            report.mistake(format!("missing `{name}`, and {variable} is not set; for example `{name}: {example}`"));
        }
    }
}

fn at(report: &mut Report, key: &str, flaw: Option<String>) {
    if let Some(flaw) = flaw {
        report.mistake_at(key, flaw);
    }
}

fn flaw_of_name(text: &str) -> Option<String> {
    let fits = !text.trim().is_empty() && !text.chars().any(char::is_control) && text.len() <= 1224;
    (!fits).then(|| "this is no name; expected a text on one line, or leave it out".to_owned())
}

fn flaw_of_path(path: &Path) -> Option<String> {
    path.as_os_str().is_empty().then(|| "an empty path; expected one, or remove the key".to_owned())
}

fn flaw_of_arn(arn: &str, kind: &str, example: &str) -> Option<String> {
    let rest = arn.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(kind));
    let fits = rest.is_some_and(|(owner, name)| {
        !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()
    });
    let is_plain = arn.bytes().all(|byte| byte.is_ascii_graphic());
    (!fits || !is_plain)
        .then(|| format!("this is no such ARN; expected one such as acs:ram::1234567890123456:{example}"))
}

fn flaw_of_session(name: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
    let is_name = (2..=64).contains(&name.len()) && name.bytes().all(fits);
    (!is_name).then(|| "expected 2 to 64 letters, digits or any of . @ - _, such as cloud-task-exporter".to_owned())
}

fn flaw_of_duration(Interval(duration): Interval) -> Option<String> {
    let fits = (SHORTEST..=LONGEST).contains(&duration);
    (!fits).then(|| "keys for a role last from 15m to 12h; expected a length of time such as 1h".to_owned())
}

fn flaw_of_policy(policy: &str) -> Option<String> {
    let is_policy = policy.len() <= LONGEST_POLICY && serde_json::from_str::<Map<String, Value>>(policy).is_ok();
    (!is_policy).then(|| format!("this is no policy; expected a JSON object of at most {LONGEST_POLICY} characters"))
}
