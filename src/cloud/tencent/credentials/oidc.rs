//! Keys of the role of a pod in TKE, for the token its cluster gives it, as `DefaultTkeOIDCRoleArnProvider` of the vendor's
//! SDKs gets them.

use super::Surroundings;
use super::sts::{AssumeRoleWithWebIdentity, Role};
use super::values::{KeyLife, RoleArn, SessionName};
use crate::cloud::credentials::{Found, Source, read_token};
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use std::path::PathBuf;

/// What the cluster puts into a pod's environment; each option comes before its variable.
#[derive(Clone, Debug)]
pub(super) struct Oidc {
    pub(super) region: Option<String>,
    pub(super) provider_id: Option<String>,
    pub(super) role_arn: Option<RoleArn>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) session_name: SessionName,
    pub(super) life: KeyLife,
    pub(super) surroundings: Surroundings,
}

/// A variable that is not set.
struct Unset(&'static str);

/// Everything there is to be known before the token is read.
struct Identity {
    region: String,
    provider_id: String,
    token_file: PathBuf,
    role_arn: String,
}

impl Oidc {
    /// As the environment says.
    pub(super) fn from_variables(surroundings: &Surroundings) -> Self {
        Self {
            region: None,
            provider_id: None,
            role_arn: None,
            token_file: None,
            session_name: SessionName::default(),
            life: KeyLife::default(),
            surroundings: surroundings.clone(),
        }
    }

    fn identity(&self) -> Result<Identity, Unset> {
        let or_variable = |option: Option<String>, name| {
            option.or_else(|| self.surroundings.environment.get(name)).ok_or(Unset(name))
        };
        Ok(Identity {
            region: or_variable(self.region.clone(), "TKE_REGION")?,
            provider_id: or_variable(self.provider_id.clone(), "TKE_PROVIDER_ID")?,
            token_file: match &self.token_file {
                Some(path) => path.clone(),
                None => or_variable(None, "TKE_WEB_IDENTITY_TOKEN_FILE")?.into(),
            },
            role_arn: or_variable(self.role_arn.as_ref().map(ToString::to_string), "TKE_ROLE_ARN")?,
        })
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let Identity { region, provider_id, token_file, role_arn } = match self.identity() {
            Ok(identity) => identity,
            Err(Unset(name)) => return Ok(Found::Nothing(format!("{name} is not set"))),
        };
        let no_role = |message| Error::new(Reason::Denied, format!("TKE_ROLE_ARN: {message}"));
        let arn = RoleArn::try_from(role_arn).map_err(no_role)?;
        let role = Role { arn, session_name: self.session_name.clone(), life: self.life };
        // The token there is now: the cluster writes a new one long before the old one ends.
        let (token, stamp) = read_token(&token_file)?;
        let sts = &self.surroundings.sts;
        let call =
            AssumeRoleWithWebIdentity { sts, region: &region, provider_id: &provider_id, token: &token, role: &role };
        Ok(Found::Keys(client.call_for_keys(&call).await?.read_from([stamp])))
    }
}

impl Source for Oidc {
    fn describe(&self) -> String {
        "the role of this TKE pod".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
