//! A plain HTTP server on loopback for simulated clouds: whole requests in, whole answers out.

use crate::clock;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Larger requests are cut off, as the vendors do.
const MAX_REQUEST: usize = 1024 * 1024;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded as sent.
    pub path: String,
    /// What stands after `?`, as sent; empty without one.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// Names and values of the query, decoded.
    pub fn parameters(&self) -> Vec<(String, String)> {
        decode_form(&self.query)
    }

    /// A header as text; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Names and values of a query or a form, decoded. A name alone has an empty value.
pub(super) fn decode_form(text: &str) -> Vec<(String, String)> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

/// What a simulated cloud answers.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside `Content-Type`.
    pub headers: Vec<(&'static str, String)>,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answered {
    /// A JSON document with that status.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, headers: Vec::new(), content_type: "application/json", body: body.to_string() }
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the header `Date`, by which a client learns how far off its clock is. A time before year 0 has no such form.
    #[must_use]
    pub fn dated(self, now: Timestamp) -> Self {
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        self.with_header("date", date.unwrap_or_default())
    }
}

/// A simulated cloud.
pub trait Simulator: Send + Sync + 'static {
    /// Answers one request at that time.
    fn answer(&self, request: &Asked, now: Timestamp) -> Answered;
}

/// Serves a simulated cloud until `stop`.
pub async fn serve(listener: TcpListener, cloud: Arc<dyn Simulator>, tracker: TaskTracker, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a simulated cloud cannot take a connection");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        let cloud = Arc::clone(&cloud);
        let stop = stop.clone();
        tracker.spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&cloud), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                result = connection => if let Err(error) = result {
                    tracing::debug!(%error, "a connection to a simulated cloud ended early");
                },
            }
        });
    }
}

async fn respond(cloud: Arc<dyn Simulator>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(plain(413)),
    };
    let asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    let answered = cloud.answer(&asked, clock::now());
    let mut response = Response::builder().status(answered.status).header("content-type", answered.content_type);
    for (name, value) in answered.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(answered.body)).unwrap_or_else(|_| plain(500)))
}

fn plain(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        let pairs = decode_form("a=1+2%2B%263&&b&c=%C3%BC=&=d");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("a", "1 2+&3"), ("b", ""), ("c", "ü="), ("", "d")]);
        assert_eq!(decode_form(""), []);
    }
}
