//! One exchange over HTTP: a request out, a whole answer in, within a time and a size.
//!
//! The one owner of `reqwest`. TLS is always verified and redirects are never followed: a signed request must not be sent
//! on to somebody else. Proxies are an account's own, or taken from the environment.

use super::settings::{Outgoing, is_loopback};
use super::{Error, Retry};
use crate::clock;
use crate::model::Reason;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;

/// No answer larger than this is read, in bytes.
pub const MAX_BODY: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A whole answer of a cloud. It may hold a token, so it is never shown.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`MAX_BODY`] bytes.
    pub body: Bytes,
}

/// A pool of connections.
#[derive(Clone, Debug)]
pub(super) struct Http {
    anywhere: reqwest::Client,
    /// For this machine and the metadata services beside it, which no proxy can reach.
    nearby: reqwest::Client,
}

impl Http {
    /// An empty pool.
    ///
    /// # Errors
    /// When the TLS roots, the system's or the account's own, cannot be read, or the proxy's address cannot.
    pub(super) fn new(way: &Outgoing) -> Result<Self, Error> {
        let anywhere = match way.proxy() {
            Some(proxy) => trusting(client_builder(), way)?.proxy(proxy_at(proxy)?),
            None => trusting(client_builder(), way)?,
        };
        Ok(Self { anywhere: build(anywhere)?, nearby: build(trusting(client_builder(), way)?.no_proxy())? })
    }

    /// Sends a request and reads the whole answer within `limit`.
    ///
    /// # Errors
    /// [`Reason::Timeout`], [`Reason::Transport`], or [`Reason::Decode`] for half an answer or one that is too large.
    pub(super) async fn exchange(&self, request: Request<Bytes>, limit: Duration) -> Result<Answer, Error> {
        match timeout(limit, self.send(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(Reason::Timeout, format!("no whole answer within {limit:?}"))),
        }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Answer, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let client = self.client_for(request.uri());
        let request = reqwest::Request::try_from(request).map_err(|error| {
            Error::new(Reason::Rejected, "the request cannot be built").with_source(error.without_url())
        })?;
        let mut response = client.execute(request).await.map_err(|error| {
            Error::new(reason_of(&error), format!("no answer from {host}")).with_source(error.without_url())
        })?;
        let body = read_body(&mut response).await?;
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }

    /// Only what is nearby is ever asked without encryption.
    fn client_for(&self, uri: &http::Uri) -> &reqwest::Client {
        let is_plain = uri.scheme() == Some(&http::uri::Scheme::HTTP);
        if is_plain || uri.host().is_some_and(is_loopback) { &self.nearby } else { &self.anywhere }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Answer {{ status: {}, body: {} bytes }}", self.status.as_u16(), self.body.len())
    }
}

impl Answer {
    /// The cloud's time, by the `Date` header.
    pub fn date(&self) -> Option<Timestamp> {
        jiff::fmt::rfc2822::parse(self.header("date")?).ok().map(|date| date.timestamp())
    }

    /// When the cloud answered, by its own clock where it says so.
    pub fn told_at(&self) -> Timestamp {
        self.date().unwrap_or_else(clock::now)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn read_body(response: &mut reqwest::Response) -> Result<Bytes, Error> {
    let too_large = || Error::new(Reason::Decode, format!("the answer is larger than {} MiB", MAX_BODY / 1024 / 1024));
    let announced = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > MAX_BODY {
        return Err(too_large());
    }
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(piece) = response.chunk().await.map_err(broken_off)? {
        length += piece.len();
        if length > MAX_BODY {
            return Err(too_large());
        }
        pieces.push(piece);
    }
    // Most answers are one piece, and are not copied.
    Ok(if pieces.len() == 1 { pieces.remove(0) } else { pieces.concat().into() })
}

fn reason_of(error: &reqwest::Error) -> Reason {
    if error.is_timeout() { Reason::Timeout } else { Reason::Transport }
}

/// Half an answer cannot be read; the next may be whole.
fn broken_off(error: reqwest::Error) -> Error {
    Error::new(Reason::Decode, "the answer broke off").with_retry(Retry::Later).with_source(error.without_url())
}

fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("cloud-task-exporter/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
}

/// With the account's own certificate authorities.
fn trusting(builder: reqwest::ClientBuilder, way: &Outgoing) -> Result<reqwest::ClientBuilder, Error> {
    let Some(authorities) = way.authorities() else { return Ok(builder) };
    let wrong = |error| Error::new(Reason::Transport, "the certificates of ca_file cannot be used").with_source(error);
    Ok(builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(authorities).map_err(wrong)?))
}

fn proxy_at(url: &str) -> Result<reqwest::Proxy, Error> {
    // Its address may hold a password.
    let wrong = |error: reqwest::Error| {
        Error::new(Reason::Transport, "the proxy cannot be used").with_source(error.without_url())
    };
    reqwest::Proxy::all(url).map_err(wrong)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    let no_client = |error| Error::new(Reason::Transport, "the HTTP client cannot be set up").with_source(error);
    builder.build().map_err(no_client)
}
