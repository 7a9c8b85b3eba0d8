//! Keys of a pod in CCE, from the agent of its node, for the token in a file.
//!
//! Asked as `PodIdentityAccessor` of `huaweicloudsdkcore` 3.1.219 does; the variables are set in the pod by CCE.

use super::temporary;
use crate::cloud::credentials::{Found, Source, read_token};
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::{Environment, NearbyEndpoint};
use crate::cloud::{Client, Error};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Uri};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

const FULL_URI: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const LIMIT: Duration = Duration::from_secs(5);

/// The pod's identity; options that are left out come from the variables.
#[derive(Debug)]
pub(super) struct PodIdentity {
    pub(super) uri: Option<AgentUri>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) environment: Environment,
}

/// Where the agent is. Plain HTTP is taken for addresses beside this machine only: a token is sent there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", description = "Address of the agent of CCE pod identity, with its path.")]
pub(super) struct AgentUri(String);

impl TryFrom<String> for AgentUri {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            "is no address of an agent, https:// or beside this machine; \
             expected one such as http://169.254.170.23/v1/credentials"
                .to_owned()
        };
        let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(wrong)?;
        let origin = NearbyEndpoint::try_from(format!("{scheme}://{authority}")).map_err(|_| wrong())?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self(origin.endpoint().url(path)))
    }
}

impl PodIdentity {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let unset = |name: &str| Ok(Found::Nothing(format!("{name} is not set")));
        let Some(uri) = self.uri()? else { return unset(FULL_URI) };
        let file = self.token_file.clone().or_else(|| self.environment.get(TOKEN_FILE).map(PathBuf::from));
        let Some(file) = file else { return unset(TOKEN_FILE) };
        let (token, stamp) = read_token(&file)?;
        let request = Request::post(uri.0)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, secret_value(token.expose_secret())?);
        let request = request.body(Bytes::from_static(b"{}")).map_err(unsendable)?;
        let unreachable =
            |error: Error| Error::new(error.reason(), "the agent of pod identity cannot be reached").with_source(error);
        let answer = client.fetch(request, LIMIT).await.map_err(unreachable)?;
        if !answer.status.is_success() {
            let reason = if answer.status.is_server_error() { Reason::Transport } else { Reason::Denied };
            let status = answer.status.as_u16();
            return Err(Error::new(reason, format!("the agent of pod identity answers with HTTP status {status}")));
        }
        Ok(Found::Keys(temporary::keys(&answer)?.read_from([stamp])))
    }

    fn uri(&self) -> Result<Option<AgentUri>, Error> {
        if let Some(uri) = &self.uri {
            return Ok(Some(uri.clone()));
        }
        let set = self.environment.get(FULL_URI).map(AgentUri::try_from).transpose();
        set.map_err(|message| Error::new(Reason::Denied, format!("{FULL_URI} {message}")))
    }
}

impl Source for PodIdentity {
    fn describe(&self) -> String {
        "CCE pod identity".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_nearby_or_asked_over_tls() {
        let uri = |text: &str| AgentUri::try_from(text.to_owned());
        assert_eq!(
            uri("http://169.254.170.23/v1/credentials?a=b").unwrap().0,
            "http://169.254.170.23/v1/credentials?a=b"
        );
        assert_eq!(uri("https://agent.example").unwrap().0, "https://agent.example/");
        for wrong in ["http://agent.example/v1", "/v1", "agent", "ftp://127.0.0.1/", "http://u:hunter2@127.0.0.1/"] {
            let message = uri(wrong).unwrap_err();
            assert!(message.contains("expected one such as") && !message.contains("hunter2"), "{message}");
        }
    }
}
