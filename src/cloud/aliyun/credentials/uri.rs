//! A credentials URI: a service of the user's own that gives temporary keys to whoever may ask it.
//!
//! The address may hold a secret in its path or query, so it is never shown.

use super::temporary::read_flat;
use super::variables::{self, or_variable};
use crate::cloud::credentials::{Found, Source};
use crate::cloud::header::unsendable;
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error, mark};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Uri};
use std::time::Duration;

/// As long as the SDK waits for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The service.
pub(super) struct CredentialsUri {
    /// Left out: the variable's.
    pub(super) url: Option<String>,
    pub(super) environment: Environment,
}

/// Two are equal if they show the same; a changed config is told by that.
impl std::fmt::Debug for CredentialsUri {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.url.as_ref().map(|url| mark(&[url]));
        formatter.debug_struct("CredentialsUri").field("url", &url).finish_non_exhaustive()
    }
}

impl CredentialsUri {
    async fn fetch(&self, client: &Client) -> Result<Found, Error> {
        let Some(url) = or_variable(self.url.as_ref(), &self.environment, variables::CREDENTIALS_URI) else {
            return Ok(Found::Nothing(format!("{} is not set", variables::CREDENTIALS_URI)));
        };
        let uri = parse(&url).map_err(|why| Error::new(Reason::Denied, why))?;
        let request = Request::get(uri).header("accept", "application/json").body(Bytes::new()).map_err(unsendable)?;
        let answer = client.fetch(request, LIMIT).await?;
        Ok(Found::Keys(read_flat(&answer, "the credentials URI")?))
    }
}

/// The address, if it is one.
///
/// # Errors
/// What would be right; nothing of the text.
pub(super) fn parse(text: &str) -> Result<Uri, String> {
    const EXPECTED: &str = "this is no address of a service; expected one such as http://127.0.0.1:8080/keys";
    let uri: Uri = text.trim().parse().map_err(|_| EXPECTED.to_owned())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if is_http && is_plain { Ok(uri) } else { Err(EXPECTED.to_owned()) }
}

impl Source for CredentialsUri {
    fn describe(&self) -> String {
        "the credentials URI".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.fetch(client).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_and_shows_nothing() {
        for good in ["http://127.0.0.1:8080/keys?a=b", "https://keys.example", " http://keys.default/ "] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["hunter2", "/hunter2", "ftp://hunter2/", "http://hunter2@host/", "", "http://host /hunter2"] {
            assert!(!parse(bad).unwrap_err().contains("hunter2"), "{bad}");
        }
    }
}
