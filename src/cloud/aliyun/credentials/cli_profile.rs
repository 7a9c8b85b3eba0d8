//! The profiles of the aliyun CLI: `~/.aliyun/config.json` found and read, and the profile that counts.
//!
//! What a profile's mode means is in `profile`.

use super::profile::{Profile, source_of};
use super::variables::{self, is_true, or_variable};
use crate::cloud::credentials::{Found, Source, home, read_file};
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The CLI's file and one of its profiles.
#[derive(Debug)]
pub(super) struct CliProfile {
    /// Left out: the variable's, else the CLI's own.
    pub(super) file: Option<PathBuf>,
    /// Left out: the variable's, else the current one.
    pub(super) profile: Option<String>,
    pub(super) environment: Environment,
}

/// The profiles of a file, as read.
pub(super) struct Profiles {
    all: Vec<Profile>,
    current: Option<String>,
}

impl CliProfile {
    async fn read(&self, client: &Client) -> Result<Found, Error> {
        if is_true(&self.environment, variables::CLI_PROFILE_DISABLED) {
            return Ok(Found::Nothing(format!("{} is true", variables::CLI_PROFILE_DISABLED)));
        }
        let Some(path) = self.path() else { return Ok(Found::Nothing("HOME is not set".to_owned())) };
        let Some((text, stamp)) = read_file(&path)? else {
            return Ok(Found::Nothing(format!("{} does not exist", path.display())));
        };
        let wrong = |why: String| Error::new(Reason::Denied, format!("{}: {why}", path.display()));
        let profiles = Profiles::of(&text).map_err(wrong)?;
        let name =
            or_variable(self.profile.as_ref(), &self.environment, variables::PROFILE).or(profiles.current.clone());
        let name = name.ok_or_else(|| wrong("no profile is current; choose one with `aliyun configure`".to_owned()))?;
        let source = source_of(&profiles, &name, &self.environment).map_err(wrong)?;
        match source.keys(client).await {
            Ok(Found::Keys(given)) => Ok(Found::Keys(given.read_from([stamp]))),
            Ok(Found::Nothing(why)) => Ok(Found::Nothing(format!("profile {name:?} of {}: {why}", path.display()))),
            Err(error) => Err(error),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        let variable = || self.environment.get(variables::CONFIG_FILE).map(PathBuf::from);
        let default = || home(&self.environment).map(|home| home.join(Path::new(".aliyun/config.json")));
        self.file.clone().or_else(variable).or_else(default)
    }
}

impl Source for CliProfile {
    fn describe(&self) -> String {
        "the aliyun CLI's profile".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.read(client).boxed()
    }
}

impl Profiles {
    /// What the file's text says.
    ///
    /// # Errors
    /// When it is not the CLI's; the place is named, the text is not shown.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let mut file: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            format!("not as the aliyun CLI writes it, at line {} column {}", error.line(), error.column())
        })?;
        let current = file.get("current").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned);
        let Some(Value::Array(profiles)) = file.remove("profiles") else {
            return Err("it has no list `profiles`; make one with `aliyun configure`".to_owned());
        };
        let object = |value| if let Value::Object(fields) = value { Some(Profile(fields)) } else { None };
        Ok(Self { all: profiles.into_iter().filter_map(object).collect(), current })
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn named(&self, name: &str) -> Result<&Profile, String> {
        let named = self.all.iter().find(|profile| profile.text("name").is_some_and(|known| known == name));
        named.ok_or_else(|| format!("it has no profile {name:?}"))
    }
}
