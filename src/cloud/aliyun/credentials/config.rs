//! The `credentials` of an account in the config file: their shape, and what they become.
//!
//! Whether the values are sane is in `options`. Nothing is asked here.

use super::assume_role::{AssumeRole, Oidc};
use super::cli_profile::CliProfile;
use super::credentials_file::CredentialsFile;
use super::default_chain;
use super::environment_keys;
use super::instance_role::InstanceRole;
use super::options;
use super::process::Process;
use super::role::{RoleOptions, StsOptions};
use super::uri::CredentialsUri;
use crate::cloud::credentials::{Keyring, Named, Source};
use crate::cloud::settings::{Endpoint, Environment, Interval, NearbyEndpoint, Report, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Where the keys come from: an access key named here, or a `source` with its options. Left out altogether: the vendor's
/// default chain.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AliyunCredentials")]
pub(in crate::cloud::aliyun) struct Section {
    /// The id of the access key. Without `source`.
    pub(super) access_key_id: Option<SecretRef>,
    /// The secret of the access key. Without `source`.
    pub(super) access_key_secret: Option<SecretRef>,
    /// The token of temporary credentials; an environment variable that is not set means there is none. Without `source`.
    pub(super) security_token: Option<SecretRef>,
    /// Whom to ask for keys.
    pub(super) source: Option<SourceName>,
    /// Of `profile` and `credentials_file`: the file. Default: that of the vendor's tools.
    pub(super) file: Option<PathBuf>,
    /// Of `profile` and `credentials_file`: the profile's name. Default: ALIBABA_CLOUD_PROFILE, else the current profile or
    /// the section default.
    pub(super) profile: Option<String>,
    /// Of `instance_role`: the name of the machine's RAM role. Default: ALIBABA_CLOUD_ECS_METADATA, else the role it has.
    pub(super) role_name: Option<String>,
    /// Of `instance_role`: the metadata service. Default: `http://100.100.100.200`
    pub(super) metadata_endpoint: Option<NearbyEndpoint>,
    /// Of `instance_role`: never ask the older way, without a token. Default: ALIBABA_CLOUD_IMDSV1_DISABLED, else false.
    pub(super) require_token: Option<bool>,
    /// Of `oidc` and `assume_role`: the ARN of the RAM role. Default: ALIBABA_CLOUD_ROLE_ARN.
    pub(super) role_arn: Option<String>,
    /// Of `oidc` and `assume_role`: the session's name. Default: ALIBABA_CLOUD_ROLE_SESSION_NAME, else cloud-task-exporter.
    pub(super) role_session_name: Option<String>,
    /// Of `oidc` and `assume_role`: how long keys last, from 15m to what the role allows. Default: 1h.
    pub(super) duration: Option<Interval>,
    /// Of `oidc` and `assume_role`: a policy, as JSON, that leaves the session fewer permissions than the role has.
    pub(super) policy: Option<String>,
    /// Of `oidc` and `assume_role`: the security token service. Default: `https://sts.aliyuncs.com`, or that of
    /// ALIBABA_CLOUD_STS_REGION.
    pub(super) sts_endpoint: Option<Endpoint>,
    /// Of `oidc`: the ARN of the identity provider. Default: ALIBABA_CLOUD_OIDC_PROVIDER_ARN.
    pub(super) oidc_provider_arn: Option<String>,
    /// Of `oidc`: the file with the token. Default: ALIBABA_CLOUD_OIDC_TOKEN_FILE.
    pub(super) oidc_token_file: Option<PathBuf>,
    /// Of `assume_role`: the id that the role's owner asks for.
    pub(super) external_id: Option<String>,
    /// Of `assume_role`: whose keys ask for the role, in the form of `credentials` again. Default: the default chain.
    pub(super) from: Option<Box<Self>>,
    /// Of `uri`: the address that gives keys. Default: ALIBABA_CLOUD_CREDENTIALS_URI.
    pub(super) url: Option<String>,
    /// Of `process`: the program that prints keys, and its arguments. It is run without a shell.
    pub(super) command: Option<String>,
}

/// A source of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AliyunCredentialsSource")]
pub(super) enum SourceName {
    /// The default chain: `env`, `oidc`, `profile`, `credentials_file`, `instance_role`, `uri`; the first that has keys.
    Default,
    /// The environment variables ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
    /// ALIBABA_CLOUD_SECURITY_TOKEN.
    Env,
    /// A profile of the aliyun CLI, `~/.aliyun/config.json`.
    Profile,
    /// The ini file of the vendor's SDKs, `~/.alibabacloud/credentials`.
    CredentialsFile,
    /// The RAM role of the machine, from its metadata service.
    InstanceRole,
    /// A RAM role for the token of a service account (RRSA).
    Oidc,
    /// A RAM role on the word of other keys.
    AssumeRole,
    /// A service that gives keys at an address.
    Uri,
    /// A program that prints keys.
    Process,
}

impl Section {
    /// Checks the credentials, and reads what is named one by one at once, to find what is missing. The report is at the
    /// account. None also where there is no environment to look in.
    pub(in crate::cloud::aliyun) fn check(
        section: Option<Self>,
        environment: Option<&Environment>,
        report: &mut Report,
    ) -> Option<Keyring> {
        let source = match section {
            Some(section) => report.at("credentials", |report| section.source(environment, report)),
            None => environment.map(|environment| Box::new(default_chain(environment)) as Box<dyn Source>),
        };
        source.map(Keyring::new)
    }

    /// The source; the report is at the section.
    fn source(self, environment: Option<&Environment>, report: &mut Report) -> Option<Box<dyn Source>> {
        options::check(&self, environment, report);
        match self.source {
            None => self.named(environment, report),
            Some(source) => {
                let from = match self.from.clone() {
                    Some(from) => report.at("from", |report| from.source(environment, report)),
                    None => environment.map(|environment| Box::new(default_chain(environment)) as Box<dyn Source>),
                };
                Some(self.build(source, from?, environment?.clone()))
            }
        }
    }

    fn named(self, environment: Option<&Environment>, report: &mut Report) -> Option<Box<dyn Source>> {
        if self.access_key_id.is_none() && self.access_key_secret.is_none() && self.security_token.is_none() {
            // What goes with a source only is told already.
            return None;
        }
        let id = report.required("access_key_id", self.access_key_id, "{env: NAME}");
        let secret = report.required("access_key_secret", self.access_key_secret, "{env: NAME}");
        let named = Named { id: id?, secret: secret?, token: self.security_token, environment: environment?.clone() };
        let keys = ["access_key_id", "access_key_secret", "security_token"];
        named.check(keys, report).map(|named| Box::new(named) as Box<dyn Source>)
    }

    /// `from`: whose keys ask for a role.
    fn build(self, source: SourceName, from: Box<dyn Source>, environment: Environment) -> Box<dyn Source> {
        let role = self.role();
        let Self { file, profile, .. } = self;
        match source {
            SourceName::Default => Box::new(default_chain(&environment)),
            SourceName::Env => Box::new(environment_keys(&environment)),
            SourceName::Profile => Box::new(CliProfile { file, profile, environment }),
            SourceName::CredentialsFile => Box::new(CredentialsFile { file, profile, environment }),
            SourceName::InstanceRole => Box::new(InstanceRole {
                role_name: self.role_name,
                endpoint: self.metadata_endpoint,
                require_token: self.require_token,
                environment,
            }),
            SourceName::Oidc => Box::new(Oidc {
                role,
                provider_arn: self.oidc_provider_arn,
                token_file: self.oidc_token_file,
                environment,
            }),
            SourceName::AssumeRole => Box::new(AssumeRole { role, from, environment }),
            SourceName::Uri => Box::new(CredentialsUri { url: self.url, environment }),
            SourceName::Process => Box::new(Process { command: self.command.unwrap_or_default() }),
        }
    }

    fn role(&self) -> RoleOptions {
        let endpoint = self.sts_endpoint.as_ref().map(|endpoint| endpoint.url(""));
        RoleOptions {
            arn: self.role_arn.clone(),
            session_name: self.role_session_name.clone(),
            duration: self.duration.map(|Interval(duration)| duration),
            policy: self.policy.clone(),
            external_id: self.external_id.clone(),
            sts: StsOptions { endpoint, ..StsOptions::default() },
        }
    }
}
