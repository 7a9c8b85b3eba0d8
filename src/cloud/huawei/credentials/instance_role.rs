//! Keys of the agency that is bound to this ECS, from the machine's metadata service.
//!
//! Asked as `MetadataAccessor` of `huaweicloudsdkcore` 3.1.219 does: with a token where the service has such, else without.
//! The project is not taken from there: a machine may poll another region than its own.

use super::temporary;
use crate::cloud::credentials::{Found, Source};
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::NearbyEndpoint;
use crate::cloud::{Answer, Client, Error};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderValue, Request, StatusCode};
use std::time::Duration;

pub(super) const METADATA: &str = "http://169.254.169.254";
const TOKEN_PATH: &str = "/meta-data/latest/api/token";
const KEYS_PATH: &str = "/openstack/latest/securitykey";
/// How long a token is asked for, in seconds.
const TOKEN_LIFE: &str = "21600";
/// The service is beside the machine and answers at once, or is not there at all.
const LIMIT: Duration = Duration::from_secs(3);
/// What it says, with status 401, where no agency is bound.
const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

/// The agency of this machine.
#[derive(Debug)]
pub(super) struct InstanceRole {
    pub(super) metadata: NearbyEndpoint,
}

impl InstanceRole {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let token = self.token(client).await?;
        let mut answer = self.keys_with(token.as_ref(), client).await?;
        if answer.status == StatusCode::UNAUTHORIZED && !says_no_agency(&answer) {
            // Tokens may have been switched on just now, or this one off.
            let refused =
                || Error::new(Reason::Denied, "the metadata service takes no request without a token and gives none");
            let token = self.token(client).await?.ok_or_else(refused)?;
            answer = self.keys_with(Some(&token), client).await?;
        }
        match answer.status {
            status if status.is_success() => temporary::keys(&answer).map(Found::Keys),
            _ if says_no_agency(&answer) => {
                Ok(Found::Nothing("no agency is bound to this machine; bind one to the ECS".to_owned()))
            }
            status => Err(answered(status)),
        }
    }

    /// A token; none where the service has no such thing.
    async fn token(&self, client: &Client) -> Result<Option<HeaderValue>, Error> {
        let request =
            Request::put(self.metadata.endpoint().url(TOKEN_PATH)).header("x-metadata-token-ttl-seconds", TOKEN_LIFE);
        let answer = self.exchange(request.body(Bytes::new()).map_err(unsendable)?, client).await?;
        match answer.status {
            StatusCode::OK => {
                let text = std::str::from_utf8(&answer.body).unwrap_or_default().trim();
                Ok(Some(text).filter(|text| !text.is_empty()).map(secret_value).transpose()?)
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::SERVICE_UNAVAILABLE => Ok(None),
            status => Err(answered(status)),
        }
    }

    async fn keys_with(&self, token: Option<&HeaderValue>, client: &Client) -> Result<Answer, Error> {
        let mut request = Request::get(self.metadata.endpoint().url(KEYS_PATH));
        if let Some(token) = token {
            request = request.header("x-metadata-token", token);
        }
        self.exchange(request.body(Bytes::new()).map_err(unsendable)?, client).await
    }

    async fn exchange(&self, request: Request<Bytes>, client: &Client) -> Result<Answer, Error> {
        client.fetch(request, LIMIT).await.map_err(|error| {
            let message = format!("the metadata service {} cannot be reached", self.metadata.endpoint().authority());
            Error::new(error.reason(), message).with_source(error)
        })
    }
}

fn says_no_agency(answer: &Answer) -> bool {
    answer.status == StatusCode::UNAUTHORIZED && String::from_utf8_lossy(&answer.body).contains(NO_AGENCY)
}

fn answered(status: StatusCode) -> Error {
    let reason = if status.is_server_error() { Reason::Transport } else { Reason::Denied };
    Error::new(reason, format!("the metadata service answers with HTTP status {}", status.as_u16()))
}

impl Source for InstanceRole {
    fn describe(&self) -> String {
        "the agency of this ECS".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
