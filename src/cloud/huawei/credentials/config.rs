//! The `credentials` of an account in the config file: one of three sets of fields, or a source with its options.
//!
//! Whether options go with the source is in `options`. What is named one by one is read at once, to find what is missing;
//! nothing is asked here.

use super::agency::AssumedAgency;
use super::environment::EnvironmentKeys;
use super::federation::IdentityProvider;
use super::given_token::GivenToken;
use super::instance_role::{InstanceRole, METADATA};
use super::oidc::Oidc;
use super::options::{self, Set, SourceName, Word};
use super::pod_identity::{AgentUri, PodIdentity};
use super::profile::Profile;
use super::sts::Session;
use super::user::User;
use super::{Aside, Carries, Credentials, Surroundings};
use crate::cloud::credentials::{Named, Source};
use crate::cloud::huawei::api::Site;
use crate::cloud::settings::{Endpoint, Environment, Interval, NearbyEndpoint, Report, SecretRef, TextOrRef};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

const STS_ENDPOINT: &str = "HUAWEICLOUD_SDK_STS_ENDPOINT";

/// Who asks: an access key, a user name and a password, a token, or whatever a `source` has. Left out altogether: the
/// vendor's default chain.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HuaweiCredentials")]
pub(in crate::cloud::huawei) struct Section {
    /// The access key (AK).
    pub(super) access_key: Option<SecretRef>,
    /// The secret key (SK).
    pub(super) secret_key: Option<SecretRef>,
    /// What comes with a temporary access key.
    pub(super) security_token: Option<SecretRef>,
    /// Name of an IAM user, for which a token is made and renewed.
    pub(super) user_name: Option<TextOrRef>,
    /// The user's password.
    pub(super) password: Option<SecretRef>,
    /// Name of the account (domain) the user belongs to.
    pub(super) domain: Option<TextOrRef>,
    /// An IAM token for the project. Its file is read again when it changes.
    pub(super) token: Option<SecretRef>,
    /// Where else the keys are.
    pub(super) source: Option<SourceName>,
    /// Of `profile`: the file. Default: HUAWEICLOUD_SDK_CREDENTIALS_FILE, else ~/.huaweicloud/credentials.
    pub(super) file: Option<PathBuf>,
    /// Of `instance_role` and `default`: the metadata service. Default: `http://169.254.169.254`
    pub(super) metadata_endpoint: Option<NearbyEndpoint>,
    /// Of `idp`: the id of the identity provider. Default: HUAWEICLOUD_SDK_IDP_ID.
    pub(super) idp_id: Option<Word>,
    /// Of `idp` and `oidc`: the file with the identity provider's token. Default: HUAWEICLOUD_SDK_ID_TOKEN_FILE, and
    /// HUAWEICLOUD_OIDC_ID_TOKEN or HUAWEICLOUD_OIDC_TOKEN_FILE.
    pub(super) id_token_file: Option<PathBuf>,
    /// Of `oidc`: the URN of the OIDC provider. Default: HUAWEICLOUD_OIDC_PROVIDER_URN.
    pub(super) provider_urn: Option<Word>,
    /// Of `oidc` and `assume_role`: the URN of the agency; for `oidc` by default HUAWEICLOUD_OIDC_AGENCY_URN.
    pub(super) agency_urn: Option<Word>,
    /// Of `oidc` and `assume_role`: the name audit logs show. Default: cloud-task-exporter; for `oidc`
    /// HUAWEICLOUD_OIDC_SESSION_NAME, else oidc-sts-session.
    pub(super) agency_session_name: Option<Word>,
    /// Of `idp`, `oidc` and `assume_role`: how long keys last, from 15m to 12h (`idp`: 24h). Default: 1h (`idp`: 6h).
    /// They are renewed before.
    pub(super) duration: Option<Interval>,
    /// Of `oidc` and `assume_role`: a policy, as JSON, that leaves the session fewer permissions than the agency has.
    pub(super) policy: Option<String>,
    /// Of `oidc` and `assume_role`: ids of policies that do the same.
    pub(super) policy_ids: Option<Vec<Word>>,
    /// Of `assume_role`: the id that the agency's owner asks for.
    pub(super) external_id: Option<Word>,
    /// Of `oidc`, `assume_role` and `default`: the security token service. Default: HUAWEICLOUD_SDK_STS_ENDPOINT, else the
    /// region's own, else `https://sts.cn-north-4.myhuaweicloud.com`
    pub(super) sts_endpoint: Option<Endpoint>,
    /// Of `pod_identity`: the agent's address. Default: HC_CONTAINER_CREDENTIALS_FULL_URI.
    pub(super) credentials_full_uri: Option<AgentUri>,
    /// Of `pod_identity`: the file with the pod's token. Default: HC_CONTAINER_AUTHORIZATION_TOKEN_FILE.
    pub(super) authorization_token_file: Option<PathBuf>,
    /// Of `assume_role`: whose keys assume the agency, in the form of `credentials` again. Default: the default chain.
    pub(super) from: Option<Box<Self>>,
}

/// What of the account the sources need.
#[derive(Clone, Debug)]
pub(in crate::cloud::huawei) struct Surrounded<'a> {
    pub(in crate::cloud::huawei) site: &'a Site,
    /// The config says where IAM is.
    pub(in crate::cloud::huawei) iam_is_given: bool,
    /// Where the config says it.
    pub(in crate::cloud::huawei) project_id: Option<Arc<str>>,
    /// None to leave secrets unread.
    pub(in crate::cloud::huawei) environment: Option<&'a Environment>,
}

impl Section {
    /// Checks the credentials. The report is at the account. None also where there is no environment to look in.
    pub(in crate::cloud::huawei) fn check(
        section: Option<Self>,
        account: &Surrounded<'_>,
        report: &mut Report,
    ) -> Option<Credentials> {
        let section = section.unwrap_or(Self { source: Some(SourceName::Default), ..Self::default() });
        report.at("credentials", |report| section.credentials(account, report))
    }

    fn credentials(self, account: &Surrounded<'_>, report: &mut Report) -> Option<Credentials> {
        let set = options::check(&self, report)?;
        let aside = Arc::<Aside>::default();
        let (source, carries): (Box<dyn Source>, _) = match set {
            Set::Token => {
                let token = GivenToken { token: self.token?, environment: account.environment?.clone() };
                (Box::new(token.check(report)?), Carries::Token)
            }
            Set::User => (Box::new(self.user(account, &aside, report)?), Carries::TokenOfProject),
            Set::Key | Set::Source(_) => (self.source_of(set, account, &aside, report)?, Carries::Signature),
        };
        Some(Credentials { source, carries, aside })
    }

    fn user(self, account: &Surrounded<'_>, aside: &Arc<Aside>, report: &mut Report) -> Option<User> {
        let name = report.required("user_name", self.user_name, "exporter");
        let password = report.required("password", self.password, "{file: /run/secrets/huawei_password}");
        let domain = report.required("domain", self.domain, "my-company");
        let user = User {
            name: name?,
            password: password?,
            domain: domain?,
            project_id: account.project_id.clone(),
            site: account.site.clone(),
            environment: account.environment?.clone(),
            aside: Arc::clone(aside),
        };
        user.check(report)
    }

    /// A source of keys.
    fn source_of(
        self,
        set: Set,
        account: &Surrounded<'_>,
        aside: &Arc<Aside>,
        report: &mut Report,
    ) -> Option<Box<dyn Source>> {
        match set {
            Set::Source(SourceName::AssumeRole) => self.assumed(account, aside, report),
            Set::Source(name) => self.simple(name, account, aside, report),
            Set::Key | Set::User | Set::Token => self.named(account.environment, report),
        }
    }

    fn named(self, environment: Option<&Environment>, report: &mut Report) -> Option<Box<dyn Source>> {
        let id = report.required("access_key", self.access_key, "{env: HUAWEICLOUD_SDK_AK}");
        let secret = report.required("secret_key", self.secret_key, "{env: HUAWEICLOUD_SDK_SK}");
        let named = Named { id: id?, secret: secret?, token: self.security_token, environment: environment?.clone() };
        Some(Box::new(named.check(["access_key", "secret_key", "security_token"], report)?))
    }

    fn assumed(self, account: &Surrounded<'_>, aside: &Arc<Aside>, report: &mut Report) -> Option<Box<dyn Source>> {
        let agency_urn =
            report.required("agency_urn", self.agency_urn.clone(), "iam::0123456789abcdef:agency:exporter");
        // Whoever has an STS of their own asks it for everything.
        let default = || {
            let sts_endpoint = self.sts_endpoint.clone();
            Box::new(Self { source: Some(SourceName::Default), sts_endpoint, ..Self::default() })
        };
        let from = self.from.clone().unwrap_or_else(default);
        let from = report.at("from", |report| {
            let set = options::check(&from, report)?;
            if matches!(set, Set::User | Set::Token) {
                report
                    .mistake("an agency is assumed with a key, not with a token; expected an access key or a `source`");
                return None;
            }
            from.source_of(set, account, aside, report)
        });
        let surroundings = self.surroundings(account, aside, report)?;
        let session = Session {
            agency_urn: agency_urn?.0,
            name: self.agency_session_name.map_or_else(|| "cloud-task-exporter".to_owned(), |name| name.0),
            duration: self.duration.map_or(3600, |Interval(duration)| duration.as_secs()),
            policy: self.policy,
            policy_ids: words(self.policy_ids).unwrap_or_default(),
        };
        let external_id = self.external_id.map(|id| id.0);
        Some(Box::new(AssumedAgency { session, external_id, sts: surroundings.sts, from: from? }))
    }

    /// A source that needs no other.
    fn simple(
        self,
        name: SourceName,
        account: &Surrounded<'_>,
        aside: &Arc<Aside>,
        report: &mut Report,
    ) -> Option<Box<dyn Source>> {
        let surroundings = self.surroundings(account, aside, report)?;
        let duration = self.duration.map(|Interval(duration)| duration);
        Some(match name {
            SourceName::Default | SourceName::AssumeRole => Box::new(surroundings.default_chain()),
            SourceName::Env => Box::new(EnvironmentKeys { surroundings }),
            SourceName::Profile => Box::new(Profile { file: self.file, surroundings }),
            SourceName::InstanceRole => Box::new(InstanceRole { metadata: surroundings.metadata }),
            SourceName::Idp => {
                let (idp_id, id_token_file) = (self.idp_id.map(|id| id.0), self.id_token_file);
                Box::new(IdentityProvider { idp_id, id_token_file, duration, surroundings })
            }
            SourceName::Oidc => Box::new(Oidc {
                provider_urn: self.provider_urn.map(|urn| urn.0),
                agency_urn: self.agency_urn.map(|urn| urn.0),
                token_file: self.id_token_file,
                session_name: self.agency_session_name.map(|name| name.0),
                duration,
                policy: self.policy,
                policy_ids: words(self.policy_ids),
                surroundings,
            }),
            SourceName::PodIdentity => Box::new(PodIdentity {
                uri: self.credentials_full_uri,
                token_file: self.authorization_token_file,
                environment: surroundings.environment,
            }),
        })
    }

    fn surroundings(&self, account: &Surrounded<'_>, aside: &Arc<Aside>, report: &mut Report) -> Option<Surroundings> {
        let environment = account.environment?.clone();
        let sts = match &self.sts_endpoint {
            Some(given) => Some(given.clone()),
            None => endpoint_in(STS_ENDPOINT, &environment, report)
                .or_else(|| Endpoint::https(&sts_host(&account.site.region)).ok()),
        };
        let metadata = self.metadata_endpoint.clone();
        Some(Surroundings {
            environment,
            site: account.site.clone(),
            iam_is_given: account.iam_is_given,
            sts: sts?,
            metadata: metadata.or_else(|| NearbyEndpoint::try_from(METADATA.to_owned()).ok())?,
            aside: Arc::clone(aside),
        })
    }
}

/// The address that a variable of the vendor's SDK holds; a mistake where it is none.
pub(in crate::cloud::huawei) fn endpoint_in(
    name: &str,
    environment: &Environment,
    report: &mut Report,
) -> Option<Endpoint> {
    let address = Endpoint::try_from(environment.get(name)?.trim().to_owned());
    address.map_err(|message| report.mistake(format!("the environment variable {name}: {message}"))).ok()
}

/// Where STS is, by `StsHelper` of `huaweicloudsdkcore` 3.1.219: not every region has one, and any serves all. Huawei Cloud
/// Europe has accounts of its own.
fn sts_host(region: &str) -> String {
    const WITH_STS: [&str; 12] = [
        "cn-north-4",
        "cn-south-1",
        "cn-east-3",
        "cn-southwest-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "sa-brazil-1",
        "la-south-2",
        "af-south-1",
        "tr-west-1",
    ];
    if region.starts_with("eu-west-1") {
        return format!("sts.{region}.myhuaweicloud.eu");
    }
    let region = if WITH_STS.contains(&region) { region } else { "cn-north-4" };
    format!("sts.{region}.myhuaweicloud.com")
}

fn words(words: Option<Vec<Word>>) -> Option<Vec<String>> {
    words.map(|words| words.into_iter().map(|word| word.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_without_sts_asks_that_of_another() {
        assert_eq!(sts_host("ap-southeast-3"), "sts.ap-southeast-3.myhuaweicloud.com");
        assert_eq!(sts_host("cn-east-5"), "sts.cn-north-4.myhuaweicloud.com");
        assert_eq!(sts_host("eu-west-101"), "sts.eu-west-101.myhuaweicloud.eu");
    }
}
