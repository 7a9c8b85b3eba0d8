//! Which fields of the `credentials` go together, and what their values may be. Every mistake is told at its key.

use super::config::Section;
use crate::cloud::settings::{Interval, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

const SETS: &str = "expected one of {access_key, secret_key, security_token}, {user_name, password, domain}, {token} and \
                    a `source` with its options";
/// IAM and STS hand out no keys for a shorter time.
const SHORTEST: Duration = Duration::from_mins(15);

/// The name of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "HuaweiCredentialsSource")]
pub(super) enum SourceName {
    /// The default chain: `oidc`, `env`, `profile`, `pod_identity`, `instance_role`; the first that has keys.
    Default,
    /// Environment variables: HUAWEICLOUD_SDK_IDP_ID and HUAWEICLOUD_SDK_ID_TOKEN_FILE, else HUAWEICLOUD_SDK_AK,
    /// HUAWEICLOUD_SDK_SK and, with temporary keys, HUAWEICLOUD_SDK_SECURITY_TOKEN.
    Env,
    /// The file of the vendor's SDKs, section `[basic]`.
    Profile,
    /// The agency of the ECS, from its metadata service.
    InstanceRole,
    /// An agency for the token of an OIDC provider, from STS.
    Oidc,
    /// An identity provider's token, from IAM.
    Idp,
    /// The identity of a pod in CCE.
    PodIdentity,
    /// An agency that other keys may assume, from STS.
    AssumeRole,
}

/// Which of the sets of fields is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Key,
    User,
    Token,
    Source(SourceName),
}

/// A text without blanks: an id, a name, a URN.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct Word(pub(super) String);

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if (1..=1500).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} does not do; expected 1 to 1500 letters, digits and signs without a blank"))
        }
    }
}

impl SourceName {
    const ALL: [Self; 8] = [
        Self::Default,
        Self::Env,
        Self::Profile,
        Self::InstanceRole,
        Self::Oidc,
        Self::Idp,
        Self::PodIdentity,
        Self::AssumeRole,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Env => "env",
            Self::Profile => "profile",
            Self::InstanceRole => "instance_role",
            Self::Oidc => "oidc",
            Self::Idp => "idp",
            Self::PodIdentity => "pod_identity",
            Self::AssumeRole => "assume_role",
        }
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Default => &["metadata_endpoint", "sts_endpoint"],
            Self::Env => &[],
            Self::Profile => &["file"],
            Self::InstanceRole => &["metadata_endpoint"],
            Self::Oidc => &[
                "provider_urn",
                "agency_urn",
                "id_token_file",
                "agency_session_name",
                "duration",
                "policy",
                "policy_ids",
                "sts_endpoint",
            ],
            Self::Idp => &["idp_id", "id_token_file", "duration"],
            Self::PodIdentity => &["credentials_full_uri", "authorization_token_file"],
            Self::AssumeRole => &[
                "agency_urn",
                "agency_session_name",
                "external_id",
                "duration",
                "policy",
                "policy_ids",
                "sts_endpoint",
                "from",
            ],
        }
    }

    /// How long its keys may last at the most.
    const fn longest(self) -> Duration {
        if matches!(self, Self::Idp) { Duration::from_hours(24) } else { Duration::from_hours(12) }
    }
}

/// The one set that is there; the report is at the section.
pub(super) fn check(section: &Section, report: &mut Report) -> Option<Set> {
    let has_key = section.access_key.is_some() || section.secret_key.is_some() || section.security_token.is_some();
    let has_user = section.user_name.is_some() || section.password.is_some() || section.domain.is_some();
    let set = match (has_key, has_user, &section.token, section.source) {
        (true, false, None, None) => Set::Key,
        (false, true, None, None) => Set::User,
        (false, false, Some(_), None) => Set::Token,
        (false, false, None, Some(source)) => Set::Source(source),
        (false, false, None, None) => {
            if !check_options(None, section, report) {
                return None;
            }
            report.mistake(format!("no credentials are named; {SETS}"));
            return None;
        }
        _ => {
            report.mistake(format!("more than one set of credentials; {SETS}"));
            return None;
        }
    };
    let source = if let Set::Source(source) = set { Some(source) } else { None };
    check_options(source, section, report).then_some(set)
}

/// Whether every option goes with the source and may have its value.
fn check_options(source: Option<SourceName>, section: &Section, report: &mut Report) -> bool {
    let own = source.map(SourceName::options).unwrap_or_default();
    let misplaced: Vec<&str> = given(section).filter(|name| !own.contains(name)).collect();
    for name in &misplaced {
        report.mistake_at(name, misplacement(name, source));
    }
    let flaw = section.duration.zip(source).and_then(|(duration, source)| flaw_of_duration(duration, source.longest()));
    let policy = section.policy.as_deref().and_then(flaw_of_policy);
    let flaws = [("duration", flaw), ("policy", policy)];
    for (name, flaw) in flaws.iter().filter_map(|(name, flaw)| Some((name, flaw.as_ref()?))) {
        report.mistake_at(name, flaw.as_str());
    }
    misplaced.is_empty() && flaws.iter().all(|(_, flaw)| flaw.is_none())
}

/// The options that are there.
fn given(section: &Section) -> impl Iterator<Item = &'static str> {
    let all = [
        ("file", section.file.is_some()),
        ("metadata_endpoint", section.metadata_endpoint.is_some()),
        ("idp_id", section.idp_id.is_some()),
        ("id_token_file", section.id_token_file.is_some()),
        ("provider_urn", section.provider_urn.is_some()),
        ("agency_urn", section.agency_urn.is_some()),
        ("agency_session_name", section.agency_session_name.is_some()),
        ("duration", section.duration.is_some()),
        ("policy", section.policy.is_some()),
        ("policy_ids", section.policy_ids.is_some()),
        ("external_id", section.external_id.is_some()),
        ("sts_endpoint", section.sts_endpoint.is_some()),
        ("credentials_full_uri", section.credentials_full_uri.is_some()),
        ("authorization_token_file", section.authorization_token_file.is_some()),
        ("from", section.from.is_some()),
    ];
    all.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name)
}

fn misplacement(name: &str, source: Option<SourceName>) -> String {
    let Some(source) = source else {
        let owners = SourceName::ALL.iter().filter(|source| source.options().contains(&name));
        let owners: Vec<String> = owners.map(|source| format!("`source: {}`", source.as_str())).collect();
        return format!("goes with {} only; add the source, or remove the key", owners.join(" or "));
    };
    let expected = match source.options() {
        [] => "it has no options".to_owned(),
        options => format!("expected {}", options.join(", ")),
    };
    format!("does not go with `source: {}`; {expected}", source.as_str())
}

fn flaw_of_duration(Interval(duration): Interval, longest: Duration) -> Option<String> {
    let hours = longest.as_secs() / 3600;
    let fits = (SHORTEST..=longest).contains(&duration);
    (!fits).then(|| format!("keys last from 15m to {hours}h, for example 1h"))
}

fn flaw_of_policy(policy: &str) -> Option<String> {
    let is_document = serde_json::from_str::<serde_json::Map<_, _>>(policy).is_ok();
    let fits = is_document && policy.chars().count() <= 4096;
    (!fits).then(|| "is no policy; expected a JSON document of at most 4096 characters".to_owned())
}
