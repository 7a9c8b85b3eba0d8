//! The ini file of the vendor's SDKs, `~/.alibabacloud/credentials`: found, read, and what a section's type means.

use super::Fixed;
use super::assume_role::{AssumeRole, Oidc};
use super::instance_role::InstanceRole;
use super::role::RoleOptions;
use super::temporary::key;
use super::variables::{self, or_variable};
use crate::cloud::credentials::{Found, Keys, Source, home, ini, read_file};
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::HashMap;
use std::path::PathBuf;

/// The name of the Python SDK, then that of the Go SDK and the vendor's tools.
const DEFAULTS: [&str; 2] = [".alibabacloud/credentials.ini", ".alibabacloud/credentials"];
const DEFAULT_SECTION: &str = "default";
/// The types that do, in the vendor's words.
const TYPES: &str = "access_key, ram_role_arn, oidc_role_arn and ecs_ram_role";

/// The file and one of its sections.
#[derive(Debug)]
pub(super) struct CredentialsFile {
    /// Left out: the variable's, else the SDKs' own.
    pub(super) file: Option<PathBuf>,
    /// Left out: the variable's, else `default`.
    pub(super) profile: Option<String>,
    pub(super) environment: Environment,
}

/// A section. It is never shown.
struct Section(HashMap<String, String>);

impl CredentialsFile {
    async fn read(&self, client: &Client) -> Result<Found, Error> {
        let paths = self.paths();
        let mut found = None;
        for path in &paths {
            found = read_file(path)?.map(|(text, stamp)| (path, text, stamp));
            if found.is_some() {
                break;
            }
        }
        let Some((path, text, stamp)) = found else { return Ok(Found::Nothing(absent(&paths))) };
        let wrong = |why: String| Error::new(Reason::Denied, format!("{}: {why}", path.display()));
        let name = or_variable(self.profile.as_ref(), &self.environment, variables::PROFILE);
        let name = name.unwrap_or_else(|| DEFAULT_SECTION.to_owned());
        let section = ini(path, &text)?.remove(&name);
        let section = section.ok_or_else(|| wrong(format!("it has no section [{name}]")))?;
        let source = Section::of(section).source(&self.environment);
        let source = source.map_err(|why| wrong(format!("section [{name}]: {why}")))?;
        match source.keys(client).await {
            Ok(Found::Keys(given)) => Ok(Found::Keys(given.read_from([stamp]))),
            Ok(Found::Nothing(why)) => Ok(Found::Nothing(format!("section [{name}] of {}: {why}", path.display()))),
            Err(error) => Err(error),
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        let named = self.file.clone().or_else(|| self.environment.get(variables::CREDENTIALS_FILE).map(PathBuf::from));
        match named {
            Some(path) => vec![path],
            None => {
                home(&self.environment).map(|home| DEFAULTS.map(|name| home.join(name)).to_vec()).unwrap_or_default()
            }
        }
    }
}

fn absent(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    match names.as_slice() {
        [] => "HOME is not set".to_owned(),
        [name] => format!("{name} does not exist"),
        _ => format!("none of {} exists", names.join(", ")),
    }
}

impl Source for CredentialsFile {
    fn describe(&self) -> String {
        "the credentials file".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.read(client).boxed()
    }
}

impl Section {
    /// Keys in any case, values up to a `#`, both as the SDK reads them.
    fn of(section: HashMap<String, String>) -> Self {
        let plain = |value: String| value.split('#').next().unwrap_or_default().trim().to_owned();
        let fields = section.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), plain(value)));
        Self(fields.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn source(&self, environment: &Environment) -> Result<Box<dyn Source>, String> {
        let environment = environment.clone();
        let kind = self.text("type").ok_or_else(|| format!("`type` is missing; expected one of {TYPES}"))?;
        Ok(match kind.as_str() {
            "access_key" => Box::new(self.keys()?),
            "ram_role_arn" => Box::new(AssumeRole { role: self.role(), from: Box::new(self.keys()?), environment }),
            "oidc_role_arn" => Box::new(Oidc {
                role: self.role(),
                provider_arn: self.text("oidc_provider_arn"),
                token_file: self.text("oidc_token_file_path").map(PathBuf::from),
                environment,
            }),
            "ecs_ram_role" => {
                let role_name = self.text("role_name");
                Box::new(InstanceRole { role_name, endpoint: None, require_token: None, environment })
            }
            kind => return Err(format!("the type {kind:?} is not supported; expected one of {TYPES}")),
        })
    }

    fn keys(&self) -> Result<Fixed, String> {
        let part = |name: &str| key(name, self.text(name).as_deref()).map_err(|error| error.to_string());
        Ok(Fixed::lasting(Keys { id: part("access_key_id")?, secret: part("access_key_secret")?, token: None }))
    }

    fn role(&self) -> RoleOptions {
        RoleOptions {
            arn: self.text("role_arn"),
            session_name: self.text("role_session_name"),
            policy: self.text("policy"),
            ..RoleOptions::default()
        }
    }
}
