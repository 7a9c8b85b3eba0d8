//! What a profile of the aliyun CLI means: for each of its modes, the source that keys come from.

use super::Fixed;
use super::assume_role::{AssumeRole, Oidc};
use super::cli_profile::Profiles;
use super::cloud_sso::CloudSso;
use super::instance_role::InstanceRole;
use super::process::Process;
use super::role::{RoleOptions, StsOptions};
use super::temporary::key;
use super::uri::CredentialsUri;
use crate::clock;
use crate::cloud::credentials::{Given, Keys, Source};
use crate::cloud::settings::Environment;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// The modes that do, in the CLI's words.
const MODES: &str = "AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn, CloudSSO, External, \
                     CredentialsURI and OAuth";

/// One profile, as the file has it. It is never shown.
pub(super) struct Profile(pub(super) Map<String, Value>);

/// The source of the profile of that name.
///
/// # Errors
/// What is wrong with it, or with one that it builds on.
pub(super) fn source_of(profiles: &Profiles, name: &str, environment: &Environment) -> Result<Box<dyn Source>, String> {
    Resolver { profiles, environment, seen: Vec::new() }.source(name)
}

struct Resolver<'a> {
    profiles: &'a Profiles,
    environment: &'a Environment,
    /// Profiles on the way here, each building on the next.
    seen: Vec<String>,
}

impl Resolver<'_> {
    fn source(mut self, name: &str) -> Result<Box<dyn Source>, String> {
        if self.seen.iter().any(|seen| seen == name) {
            return Err(format!("the profiles {} and {name} build on each other", self.seen.join(", ")));
        }
        self.seen.push(name.to_owned());
        let profile = self.profiles.named(name)?;
        let mode = profile.mode();
        let source = match mode.to_ascii_lowercase().as_str() {
            "chainableramrolearn" => {
                let from = profile.required("source_profile").and_then(|source| {
                    let (profiles, environment) = (self.profiles, self.environment);
                    Resolver { profiles, environment, seen: self.seen }.source(&source)
                })?;
                profile.assuming(from, self.environment)
            }
            _ => profile.source(&mode, self.environment),
        };
        source.map_err(|why| format!("profile {name:?}: {why}"))
    }
}

impl Profile {
    /// A field that has a value; numbers count as their digits.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<String, String> {
        self.text(name).ok_or_else(|| format!("`{name}` is missing"))
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.text(name).is_some())
    }

    /// The mode it says, else the one the CLI would guess.
    fn mode(&self) -> String {
        let guess = || match () {
            () if self.has(&["access_key_id", "access_key_secret", "sts_token"]) => "StsToken",
            () if self.has(&["access_key_id", "access_key_secret", "ram_role_arn"]) => "RamRoleArn",
            () if self.has(&["access_key_id", "access_key_secret"]) => "AK",
            () if self.has(&["private_key", "key_pair_name"]) => "RsaKeyPair",
            () if self.has(&["ram_role_name"]) => "EcsRamRole",
            () if self.has(&["process_command"]) => "External",
            () if self.has(&["oidc_provider_arn", "oidc_token_file", "ram_role_arn"]) => "OIDC",
            () if self.has(&["cloud_sso_sign_in_url"]) => "CloudSSO",
            () => "",
        };
        self.text("mode").unwrap_or_else(|| guess().to_owned())
    }

    fn source(&self, mode: &str, environment: &Environment) -> Result<Box<dyn Source>, String> {
        let environment = environment.clone();
        Ok(match mode.to_ascii_lowercase().as_str() {
            "ak" => Box::new(Fixed::lasting(self.keys(false)?)),
            "ststoken" => Box::new(Fixed::lasting(self.keys(true)?)),
            "ramrolearn" => {
                // Temporary keys may ask for a role as well.
                let is_temporary = self.text("access_key_id").is_some_and(|id| id.starts_with("STS."));
                return self.assuming(Box::new(Fixed::lasting(self.keys(is_temporary)?)), &environment);
            }
            "ecsramrole" => {
                let role_name = self.text("ram_role_name");
                Box::new(InstanceRole { role_name, endpoint: None, require_token: None, environment })
            }
            "oidc" => Box::new(Oidc {
                role: self.role()?,
                provider_arn: self.text("oidc_provider_arn"),
                token_file: self.text("oidc_token_file").map(PathBuf::from),
                environment,
            }),
            "cloudsso" => Box::new(self.cloud_sso()?),
            "external" => Box::new(Process { command: self.required("process_command")? }),
            "credentialsuri" => Box::new(CredentialsUri { url: self.text("credentials_uri"), environment }),
            "oauth" => Box::new(self.oauth()?),
            "" => return Err(format!("it has no `mode`; expected one of {MODES}")),
            _ => return Err(format!("the mode {mode:?} is not supported; expected one of {MODES}")),
        })
    }

    fn keys(&self, is_temporary: bool) -> Result<Keys, String> {
        let part = |name: &str| key(name, self.text(name).as_deref()).map_err(|error| error.to_string());
        let token = if is_temporary { Some(part("sts_token")?) } else { None };
        Ok(Keys { id: part("access_key_id")?, secret: part("access_key_secret")?, token })
    }

    /// The role that the profile names, asked for with those keys.
    fn assuming(&self, from: Box<dyn Source>, environment: &Environment) -> Result<Box<dyn Source>, String> {
        Ok(Box::new(AssumeRole { role: self.role()?, from, environment: environment.clone() }))
    }

    fn role(&self) -> Result<RoleOptions, String> {
        let seconds = self.number("expired_seconds")?.filter(|seconds| *seconds != 0);
        let duration = seconds.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
        Ok(RoleOptions {
            arn: self.text("ram_role_arn"),
            // One SDK reads the one name, one the other.
            session_name: self.text("ram_session_name").or_else(|| self.text("role_session_name")),
            duration,
            policy: self.text("policy"),
            external_id: self.text("external_id"),
            sts: StsOptions {
                endpoint: self.text("sts_endpoint"),
                region: self.text("sts_region"),
                vpc: self.0.get("enable_vpc").and_then(Value::as_bool),
            },
        })
    }

    fn cloud_sso(&self) -> Result<CloudSso, String> {
        const SIGN_IN: &str = "; sign in with the aliyun CLI";
        let signed_in = |missing: String| format!("{missing}{SIGN_IN}");
        Ok(CloudSso {
            sign_in_url: self.required("cloud_sso_sign_in_url")?,
            account_id: self.required("cloud_sso_account_id")?,
            access_configuration: self.required("cloud_sso_access_config")?,
            access_token: self.required("access_token").map(SecretString::from).map_err(signed_in)?,
            ends_at: self.number("cloud_sso_access_token_expire")?.unwrap_or_default(),
        })
    }

    /// The temporary keys the CLI got last. To get others is the CLI's business: each use changes its file.
    fn oauth(&self) -> Result<Fixed, String> {
        let renew = "only the aliyun CLI can renew them: use it, or give the exporter keys of its own";
        let end = self.number("sts_expiration")?.and_then(|second| Timestamp::from_second(second).ok());
        let end = end.ok_or_else(|| format!("it has no keys yet; {renew}"))?;
        let (keys, now) = (self.keys(true)?, clock::now());
        if end <= now {
            return Err(format!("the keys of the OAuth session have ended, and {renew}"));
        }
        Ok(Fixed(Given::until(keys, end, now)))
    }

    fn number(&self, name: &str) -> Result<Option<i64>, String> {
        let text = self.text(name);
        text.map(|text| text.parse().map_err(|_| format!("`{name}` is no whole number"))).transpose()
    }
}
