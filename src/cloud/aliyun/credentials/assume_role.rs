//! Keys for a role, from the security token service: on the word of other keys, or of a token of a cluster (RRSA).

use super::role::RoleOptions;
use super::sts::{AssumeRoleCall, AssumeRoleWithOidcCall};
use super::variables::{self, or_variable};
use crate::cloud::credentials::{Found, Source, read_token};
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error};
use futures_util::future::{BoxFuture, FutureExt};
use std::path::PathBuf;

/// AssumeRole with the keys of another source.
#[derive(Debug)]
pub(super) struct AssumeRole {
    pub(super) role: RoleOptions,
    pub(super) from: Box<dyn Source>,
    pub(super) environment: Environment,
}

/// AssumeRoleWithOIDC with a token in a file.
#[derive(Debug)]
pub(super) struct Oidc {
    pub(super) role: RoleOptions,
    pub(super) provider_arn: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) environment: Environment,
}

impl AssumeRole {
    /// Other keys for the role are fetched each time: they are asked for once an hour.
    async fn assume(&self, client: &Client) -> Result<Found, Error> {
        let role = match self.role.resolve(&self.environment) {
            Ok(role) => role,
            Err(why) => return Ok(Found::Nothing(why)),
        };
        let base = match self.from.keys(client).await? {
            Found::Keys(given) => given,
            Found::Nothing(why) => {
                return Ok(Found::Nothing(format!(
                    "no keys to ask for the role with: {}: {why}",
                    self.from.describe()
                )));
            }
        };
        let given = client.call_for_keys(&AssumeRoleCall { role: &role, keys: base.keys() }).await?;
        Ok(Found::Keys(given.got_with(base)))
    }
}

impl Source for AssumeRole {
    fn describe(&self) -> String {
        "the role".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.assume(client).boxed()
    }
}

impl Oidc {
    /// The source of the default chain.
    pub(super) fn of_variables(environment: &Environment) -> Self {
        Self { role: RoleOptions::default(), provider_arn: None, token_file: None, environment: environment.clone() }
    }

    async fn assume(&self, client: &Client) -> Result<Found, Error> {
        let unset = |what: &str, name: &str| Ok(Found::Nothing(format!("no {what} is named and {name} is not set")));
        let role = match self.role.resolve(&self.environment) {
            Ok(role) => role,
            Err(why) => return Ok(Found::Nothing(why)),
        };
        let provider = or_variable(self.provider_arn.as_ref(), &self.environment, variables::OIDC_PROVIDER_ARN);
        let Some(provider_arn) = provider else { return unset("OIDC provider", variables::OIDC_PROVIDER_ARN) };
        let variable = || self.environment.get(variables::OIDC_TOKEN_FILE).map(PathBuf::from);
        let Some(file) = self.token_file.clone().or_else(variable) else {
            return unset("token file", variables::OIDC_TOKEN_FILE);
        };
        // Read anew each time: the cluster replaces it every hour.
        let (token, stamp) = read_token(&file)?;
        let call = AssumeRoleWithOidcCall { role: &role, provider_arn: &provider_arn, token: &token };
        Ok(Found::Keys(client.call_for_keys(&call).await?.read_from([stamp])))
    }
}

impl Source for Oidc {
    fn describe(&self) -> String {
        "OIDC (RRSA)".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.assume(client).boxed()
    }
}
