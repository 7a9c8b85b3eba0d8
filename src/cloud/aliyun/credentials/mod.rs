//! Where an account's keys come from: the sources of the vendor's own tools, and their default chain.
//!
//! Each file owns one source, or one exchange that several share. When to ask a source again is not decided here.
//! Facts: the SDK alibabacloud-credentials 1.0.12 (Python) and its Go sister, the aliyun CLI's `config` package.

mod assume_role;
mod cli_profile;
mod cloud_sso;
mod config;
mod credentials_file;
mod instance_role;
mod options;
mod process;
mod profile;
mod role;
mod sts;
mod temporary;
mod uri;
mod variables;

pub(super) use config::Section;

use crate::cloud::credentials::{Chain, Found, Given, Keys, Source, Variables};
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error};
use assume_role::Oidc;
use cli_profile::CliProfile;
use credentials_file::CredentialsFile;
use futures_util::future::{BoxFuture, FutureExt};
use instance_role::InstanceRole;
use uri::CredentialsUri;

/// The sources of the vendor's SDKs, in their order. Each looks at the environment when it is asked.
fn default_chain(environment: &Environment) -> Chain {
    Chain::new(vec![
        Box::new(environment_keys(environment)),
        Box::new(Oidc::of_variables(environment)),
        Box::new(CliProfile { file: None, profile: None, environment: environment.clone() }),
        Box::new(CredentialsFile { file: None, profile: None, environment: environment.clone() }),
        Box::new(InstanceRole::of_variables(environment)),
        Box::new(CredentialsUri { url: None, environment: environment.clone() }),
    ])
}

/// The keys in the environment variables.
fn environment_keys(environment: &Environment) -> Variables {
    Variables {
        id: variables::ACCESS_KEY_ID,
        secret: variables::ACCESS_KEY_SECRET,
        token: &[variables::SECURITY_TOKEN],
        environment: environment.clone(),
    }
}

/// Keys that stand in a file somebody else has read.
#[derive(Debug)]
struct Fixed(Given);

impl Fixed {
    /// Keys without an end.
    const fn lasting(keys: Keys) -> Self {
        Self(Given::lasting(keys))
    }
}

impl Source for Fixed {
    fn describe(&self) -> String {
        "keys in a file".to_owned()
    }

    fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        async move { Ok(Found::Keys(self.0.clone())) }.boxed()
    }
}

#[cfg(test)]
mod tests;
