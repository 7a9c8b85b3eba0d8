//! Keys of an agency for the token of an OIDC provider, handed out by STS.
//!
//! Options that are left out come from the variables that `OidcStsCredentialProvider` of `huaweicloudsdkcore` 3.1.219
//! reads. Unlike there, the token's file is read anew each time.

use super::Surroundings;
use super::sts::{AssumeAgencyWithOidc, Session};
use crate::cloud::credentials::{Found, Source, Stamp, read_token};
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROVIDER_URN: &str = "HUAWEICLOUD_OIDC_PROVIDER_URN";
const AGENCY_URN: &str = "HUAWEICLOUD_OIDC_AGENCY_URN";
const ID_TOKEN: &str = "HUAWEICLOUD_OIDC_ID_TOKEN";
const TOKEN_FILE: &str = "HUAWEICLOUD_OIDC_TOKEN_FILE";
const SESSION_NAME: &str = "HUAWEICLOUD_OIDC_SESSION_NAME";
const DURATION_SECONDS: &str = "HUAWEICLOUD_OIDC_DURATION_SECONDS";
const POLICY: &str = "HUAWEICLOUD_OIDC_POLICY";
const POLICY_IDS: &str = "HUAWEICLOUD_OIDC_POLICY_IDS";

/// An agency that trusts an OIDC provider.
#[derive(Debug)]
pub(super) struct Oidc {
    pub(super) provider_urn: Option<String>,
    pub(super) agency_urn: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) session_name: Option<String>,
    pub(super) duration: Option<Duration>,
    pub(super) policy: Option<String>,
    pub(super) policy_ids: Option<Vec<String>>,
    pub(super) surroundings: Surroundings,
}

impl Oidc {
    /// As the variables have it.
    pub(super) fn from_variables(surroundings: &Surroundings) -> Self {
        Self {
            provider_urn: None,
            agency_urn: None,
            token_file: None,
            session_name: None,
            duration: None,
            policy: None,
            policy_ids: None,
            surroundings: surroundings.clone(),
        }
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let unset = |name: &str| Ok(Found::Nothing(format!("{name} is not set")));
        let Some(provider_urn) = self.or_variable(self.provider_urn.as_ref(), PROVIDER_URN) else {
            return unset(PROVIDER_URN);
        };
        let Some(agency_urn) = self.or_variable(self.agency_urn.as_ref(), AGENCY_URN) else {
            return unset(AGENCY_URN);
        };
        let Some((id_token, stamp)) = self.id_token()? else {
            return Ok(Found::Nothing(format!("neither {ID_TOKEN} nor {TOKEN_FILE} is set")));
        };
        let session = self.session(agency_urn)?;
        let sts = &self.surroundings.sts;
        let call = AssumeAgencyWithOidc { sts, session: &session, provider_urn: &provider_urn, id_token: &id_token };
        client.announce::<AssumeAgencyWithOidc<'_>>();
        let given = client.call_for_keys(&call).await?;
        self.surroundings.note_project_of_environment()?;
        Ok(Found::Keys(given.read_from(stamp)))
    }

    fn id_token(&self) -> Result<Option<(SecretString, Option<Stamp>)>, Error> {
        let read = |path: &Path| read_token(path).map(|(token, stamp)| Some((token, Some(stamp))));
        if let Some(path) = &self.token_file {
            return read(path);
        }
        let environment = &self.surroundings.environment;
        match (environment.get(ID_TOKEN), environment.get(TOKEN_FILE)) {
            (Some(token), _) => Ok(Some((token.trim().into(), None))),
            (None, Some(path)) => read(Path::new(&path)),
            (None, None) => Ok(None),
        }
    }

    fn session(&self, agency_urn: String) -> Result<Session, Error> {
        let listed =
            |ids: String| ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        let from_variable = || self.surroundings.environment.get(POLICY_IDS).map(listed);
        let name = self.or_variable(self.session_name.as_ref(), SESSION_NAME);
        Ok(Session {
            agency_urn,
            name: name.unwrap_or_else(|| "oidc-sts-session".to_owned()),
            duration: self.duration()?,
            policy: self.or_variable(self.policy.as_ref(), POLICY),
            policy_ids: self.policy_ids.clone().or_else(from_variable).unwrap_or_default(),
        })
    }

    fn duration(&self) -> Result<u64, Error> {
        match (self.duration, self.surroundings.environment.get(DURATION_SECONDS)) {
            (Some(duration), _) => Ok(duration.as_secs()),
            (None, None) => Ok(3600),
            (None, Some(text)) => text.trim().parse().map_err(|_| {
                Error::new(Reason::Denied, format!("{DURATION_SECONDS} is {text:?}; expected seconds, such as 3600"))
            }),
        }
    }

    fn or_variable(&self, option: Option<&String>, name: &str) -> Option<String> {
        option.cloned().or_else(|| self.surroundings.environment.get(name))
    }
}

impl Source for Oidc {
    fn describe(&self) -> String {
        "the OIDC provider's token".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
