//! The `credentials` of an account, and what can be wrong with them: keys named one by one, or a source with its options.

use super::Surroundings;
use super::instance_role::InstanceRole;
use super::oidc::Oidc;
use super::profile::Profile;
use super::role::AssumedRole;
use super::sts::Role;
use super::tccli::Tccli;
use super::values::{KeyLife, PlainName, RoleArn, SessionName};
use crate::cloud::credentials::{Keyring, Named, Source};
use crate::cloud::settings::{Endpoint, Environment, Interval, NearbyEndpoint, RegionName, Report, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// Roles may be assumed through so many others.
const MOST_ROLES: usize = 3;

/// Where the keys of an account are: SecretId and SecretKey one by one, or a source.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TencentCredentials")]
pub(in crate::cloud::tencent) struct Section {
    /// SecretId.
    secret_id: Option<SecretRef>,
    /// SecretKey.
    secret_key: Option<SecretRef>,
    /// Token of temporary keys.
    token: Option<SecretRef>,
    /// Where else the keys are.
    source: Option<SourceWord>,
    /// Of `profile`: the file; by default what TENCENTCLOUD_CREDENTIALS_FILE names, else ~/.tencentcloud/credentials, else
    /// /etc/tencentcloud/credentials.
    file: Option<PathBuf>,
    /// Of `tccli`: the profile; by default what TCCLI_PROFILE names, else `default`.
    profile: Option<PlainName>,
    /// Of `tccli`: the folder of its files; ~/.tccli by default.
    folder: Option<PathBuf>,
    /// Of `instance_role`: the role; by default the one the metadata service names.
    role_name: Option<PlainName>,
    /// Address of the CVM's metadata service; `http://metadata.tencentyun.com` by default.
    metadata_endpoint: Option<NearbyEndpoint>,
    /// Of `oidc`: the identity provider; by default what TKE_PROVIDER_ID says.
    provider_id: Option<PlainName>,
    /// Of `oidc`: the file with the pod's token; by default what TKE_WEB_IDENTITY_TOKEN_FILE says.
    token_file: Option<PathBuf>,
    /// Of `oidc`: the region to ask STS in; by default what TKE_REGION says.
    region: Option<RegionName>,
    /// The role to assume, such as qcs::cam::uin/100000000001:roleName/exporter; for `oidc` by default what TKE_ROLE_ARN
    /// says.
    role_arn: Option<RoleArn>,
    /// The name audit logs show for what is done under the role; `cloud-task-exporter` by default.
    role_session_name: Option<SessionName>,
    /// How long keys of the role last, from 1m to 12h; 2h by default. They are renewed before.
    duration: Option<Interval>,
    /// Address of STS; `https://sts.tencentcloudapi.com` by default.
    sts_endpoint: Option<Endpoint>,
    /// Of `assume_role`: where the keys are that may assume the role; `{source: default}` by default.
    from: Option<Box<Self>>,
}

/// The name of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TencentCredentialsSource")]
enum SourceWord {
    /// The default chain: `env`, `profile`, `tccli`, `instance_role`, `oidc`; the first that has keys.
    Default,
    /// Environment variables: TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY and, with temporary keys,
    /// TENCENTCLOUD_SESSION_TOKEN, TENCENTCLOUD_TOKEN or TENCENTCLOUD_SECURITY_TOKEN.
    Env,
    /// The profile file of the vendor's SDKs.
    Profile,
    /// The files of tccli, the vendor's command line.
    Tccli,
    /// The role of the CVM, from its metadata service.
    InstanceRole,
    /// The role of a pod in TKE.
    Oidc,
    /// A role that other keys may assume.
    AssumeRole,
}

use SourceWord::{
    AssumeRole, Default as DefaultChain, Env, Oidc as OidcWord, Profile as ProfileWord, Tccli as TccliWord,
};

impl fmt::Display for SourceWord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Default => "default",
            Self::Env => "env",
            Self::Profile => "profile",
            Self::Tccli => "tccli",
            Self::InstanceRole => "instance_role",
            Self::Oidc => "oidc",
            Self::AssumeRole => "assume_role",
        })
    }
}

/// Where the keys come from; none where there is no environment to look in, or something is wrong.
pub(in crate::cloud::tencent) fn check(
    section: Option<Section>,
    environment: Option<&Environment>,
    report: &mut Report,
) -> Option<Keyring> {
    let section = section.unwrap_or(Section { source: Some(DefaultChain), ..Section::default() });
    let source = report.at("credentials", |report| section.source(environment, MOST_ROLES, report))?;
    Some(Keyring::new(source))
}

impl Section {
    /// `roles`: so many roles may be assumed one through the other.
    fn source(self, environment: Option<&Environment>, roles: usize, report: &mut Report) -> Option<Box<dyn Source>> {
        let fits = self.refuse_misplaced(report);
        let source = match self.source {
            Some(word) => self.of_word(word, environment, roles, report),
            None if fits => self.named(environment, report),
            None => None,
        };
        source.filter(|_| fits)
    }

    /// The source of that name, with its options.
    fn of_word(
        self,
        word: SourceWord,
        environment: Option<&Environment>,
        roles: usize,
        report: &mut Report,
    ) -> Option<Box<dyn Source>> {
        let life = self.duration.map_or_else(|| Ok(KeyLife::default()), KeyLife::try_from);
        let life = life.map_err(|mistake| report.mistake_at("duration", mistake)).ok();
        if word == AssumeRole {
            return self.assumed_role(environment, life, roles, report);
        }
        let surroundings = Surroundings::new(environment?.clone(), self.metadata_endpoint, self.sts_endpoint)?;
        Some(match word {
            DefaultChain | AssumeRole => Box::new(surroundings.default_chain()),
            Env => Box::new(surroundings.variables()),
            ProfileWord => Box::new(Profile { file: self.file, environment: surroundings.environment }),
            TccliWord => Box::new(Tccli { profile: self.profile, folder: self.folder, surroundings }),
            SourceWord::InstanceRole => {
                Box::new(InstanceRole { role_name: self.role_name, metadata: surroundings.metadata })
            }
            OidcWord => Box::new(Oidc {
                region: self.region.map(|RegionName(region)| region.as_ref().to_owned()),
                provider_id: self.provider_id.map(|name| name.0),
                role_arn: self.role_arn,
                token_file: self.token_file,
                session_name: self.role_session_name.unwrap_or_default(),
                life: life?,
                surroundings,
            }),
        })
    }

    /// Keys whose places are named one by one; they are read at once, to find what is missing.
    fn named(self, environment: Option<&Environment>, report: &mut Report) -> Option<Box<dyn Source>> {
        let id = report.required("secret_id", self.secret_id, "{env: TENCENTCLOUD_SECRET_ID}");
        let secret = report.required("secret_key", self.secret_key, "{env: TENCENTCLOUD_SECRET_KEY}");
        let named = Named { id: id?, secret: secret?, token: self.token, environment: environment?.clone() };
        let named = named.check(["secret_id", "secret_key", "token"], report)?;
        Some(Box::new(named))
    }

    fn assumed_role(
        self,
        environment: Option<&Environment>,
        life: Option<KeyLife>,
        roles: usize,
        report: &mut Report,
    ) -> Option<Box<dyn Source>> {
        let example = "qcs::cam::uin/100000000001:roleName/exporter";
        let arn = report.required("role_arn", self.role_arn, example);
        // Whoever has an STS of their own asks it for everything.
        let from = match self.from {
            Some(from) => *from,
            None => Self { source: Some(DefaultChain), sts_endpoint: self.sts_endpoint.clone(), ..Self::default() },
        };
        let from = report.at("from", |report| {
            let Some(roles) = roles.checked_sub(1) else {
                report.mistake(format!(
                    "more than {MOST_ROLES} roles, one through the other; assume the last one directly"
                ));
                return None;
            };
            from.source(environment, roles, report)
        });
        let surroundings = Surroundings::new(environment?.clone(), None, self.sts_endpoint)?;
        let role = Role { arn: arn?, session_name: self.role_session_name.unwrap_or_default(), life: life? };
        Some(Box::new(AssumedRole { role, sts: surroundings.sts, from: from? }))
    }

    /// Notes what does not go with the source; whether everything does.
    fn refuse_misplaced(&self, report: &mut Report) -> bool {
        let options = self.options();
        let set: Vec<_> = options.into_iter().filter(|(_, is_set, _)| *is_set).collect();
        let Some(source) = self.source else {
            return match set.iter().find(|(_, _, sources)| !sources.is_empty()) {
                Some((key, _, sources)) => {
                    let (words, first) = (either(sources), sources.first().unwrap_or(&DefaultChain));
                    let message = format!("missing `source`, for example `source: {first}`; `{key}` goes with {words}");
                    report.mistake(message);
                    false
                }
                None if set.is_empty() => {
                    report.mistake(
                        "missing `source`, for example `source: default`; or name `secret_id` and `secret_key`",
                    );
                    false
                }
                None => true,
            };
        };
        let misplaced: Vec<_> = set.into_iter().filter(|(_, _, sources)| !sources.contains(&source)).collect();
        for (key, _, sources) in &misplaced {
            let message = if sources.is_empty() {
                format!("keys or a source, not both; leave `{key}` out, or `source: {source}`")
            } else {
                format!("no option of source {source}; `{key}` goes with {}", either(sources))
            };
            report.mistake_at(key, message);
        }
        misplaced.is_empty()
    }

    /// Each key, whether it is there, and the sources it belongs to; none for the keys themselves.
    const fn options(&self) -> [(&'static str, bool, &'static [SourceWord]); 16] {
        use SourceWord::InstanceRole;
        [
            ("secret_id", self.secret_id.is_some(), &[]),
            ("secret_key", self.secret_key.is_some(), &[]),
            ("token", self.token.is_some(), &[]),
            ("file", self.file.is_some(), &[ProfileWord]),
            ("profile", self.profile.is_some(), &[TccliWord]),
            ("folder", self.folder.is_some(), &[TccliWord]),
            ("role_name", self.role_name.is_some(), &[InstanceRole]),
            ("metadata_endpoint", self.metadata_endpoint.is_some(), &[InstanceRole, TccliWord, DefaultChain]),
            ("provider_id", self.provider_id.is_some(), &[OidcWord]),
            ("token_file", self.token_file.is_some(), &[OidcWord]),
            ("region", self.region.is_some(), &[OidcWord]),
            ("role_arn", self.role_arn.is_some(), &[AssumeRole, OidcWord]),
            ("role_session_name", self.role_session_name.is_some(), &[AssumeRole, OidcWord]),
            ("duration", self.duration.is_some(), &[AssumeRole, OidcWord]),
            ("sts_endpoint", self.sts_endpoint.is_some(), &[AssumeRole, OidcWord, TccliWord, DefaultChain]),
            ("from", self.from.is_some(), &[AssumeRole]),
        ]
    }
}

fn either(sources: &[SourceWord]) -> String {
    sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
