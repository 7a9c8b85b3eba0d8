//! Keys for a signed-in user of CloudSSO, on the word of the access token that the aliyun CLI keeps in its profile.
//!
//! The token ends after some hours; only a person can get another, with the CLI.

use super::role::address;
use super::temporary::{TemporaryKeys, check_status};
use crate::clock;
use crate::cloud::credentials::{Found, Source};
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Client, Error, json};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// As long as the SDK waits for an answer.
const LIMIT: Duration = Duration::from_secs(10);
const ASKED: &str = "CloudSSO";

/// A session.
#[derive(Debug)]
pub(super) struct CloudSso {
    /// Where the user signs in. Its host gives the keys.
    pub(super) sign_in_url: String,
    pub(super) account_id: String,
    pub(super) access_configuration: String,
    pub(super) access_token: SecretString,
    /// In seconds since 1970.
    pub(super) ends_at: i64,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "CloudCredential")]
    credential: Option<TemporaryKeys>,
}

impl CloudSso {
    async fn fetch(&self, client: &Client) -> Result<Found, Error> {
        if self.ends_at <= clock::now().as_second() {
            let message = "the CloudSSO session has ended; sign in again with the aliyun CLI";
            return Err(Error::new(Reason::Denied, message));
        }
        let body = json!({"AccountId": self.account_id, "AccessConfigurationId": self.access_configuration});
        let authorization = format!("Bearer {}", self.access_token.expose_secret());
        let request = Request::post(self.endpoint()?.url("/cloud-credentials"))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("authorization", secret_value(&authorization)?)
            .body(Bytes::from(body.to_string()))
            .map_err(unsendable)?;
        let answer = client.fetch(request, LIMIT).await?;
        check_status(&answer, ASKED)?;
        let Reply { credential } = json::read(&answer.body, "")?;
        let missing = || Error::new(Reason::Decode, "the answer has no `CloudCredential`");
        Ok(Found::Keys(credential.ok_or_else(missing)?.given(answer.told_at())?))
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let wrong = || Error::new(Reason::Denied, "`cloud_sso_sign_in_url` is no address");
        let uri: Uri = self.sign_in_url.parse().map_err(|_| wrong())?;
        let (scheme, host) = (uri.scheme_str().ok_or_else(wrong)?, uri.authority().ok_or_else(wrong)?);
        address(&format!("{scheme}://{host}")).map_err(|why| wrong().with_source(why))
    }
}

impl Source for CloudSso {
    fn describe(&self) -> String {
        ASKED.to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.fetch(client).boxed()
    }
}
