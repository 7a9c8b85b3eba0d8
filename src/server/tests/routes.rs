//! Routes, methods and headers, over real sockets.

use super::*;
use crate::server::security::Security;
use crate::server::{Limits, page, serve};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

const PIECES: usize = 5000;

/// A server, for as long as it is held.
pub(super) struct Served {
    address: SocketAddr,
    source: Arc<Fake>,
    _stop: DropGuard,
}

impl Served {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (source, _) = Fake::new(Length::Of(PIECES));
        let stop = CancellationToken::new();
        TaskTracker::new().spawn(serve(
            listener,
            Arc::clone(&source) as Arc<dyn Source>,
            Arc::new(Security::none()),
            Limits::default(),
            stop.clone(),
        ));
        Self { address, source, _stop: stop.drop_guard() }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.request(method, format!("http://{}{path}", self.address))
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Sends bytes as they are and reads until the server hangs up.
    pub(super) async fn raw(&self, bytes: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has seen enough hangs up before everything is sent.
        stream.write_all(bytes.as_bytes()).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        answer
    }
}

pub(super) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_scrape_is_text_unless_another_format_is_asked_for() {
    let served = Served::start().await;
    let text = served.get("/metrics?collect=all").await;
    assert_eq!(text.status(), StatusCode::OK);
    assert_eq!(header(&text, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(header(&text, "vary"), "Accept, Accept-Encoding");
    assert_eq!(header(&text, "cache-control"), "no-store");
    assert_eq!(text.text().await.unwrap(), scraped(Format::Text, PIECES));

    let asked = served.request(Method::GET, "/metrics");
    let asked =
        asked.header("accept", "text/plain;q=0.3").header("accept", "application/openmetrics-text;version=1.0.0");
    let open_metrics = asked.send().await.unwrap();
    assert_eq!(header(&open_metrics, "content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(open_metrics.text().await.unwrap(), scraped(Format::OpenMetrics, PIECES));

    let protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    let answer = served.request(Method::GET, "/metrics").header("accept", protobuf).send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), protobuf);
    assert_eq!(answer.text().await.unwrap(), scraped(Format::Protobuf, PIECES));
}

#[tokio::test]
async fn encodings_are_as_asked() {
    let served = Served::start().await;
    let rows = [
        ("", ""),
        ("Accept-Encoding: identity\r\n", ""),
        ("Accept-Encoding: br, zstd\r\n", ""),
        ("Accept-Encoding: gzip\r\n", "gzip"),
        ("Accept-Encoding: gzip;q=0\r\n", ""),
        ("Accept-Encoding: identity;q=0, gzip\r\n", "gzip"),
        (
            "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n\
             Accept-Encoding: gzip\r\n",
            "gzip",
        ),
    ];
    for (asked, encoding) in rows {
        let answer = served.raw(&format!("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{asked}\r\n")).await;
        let head_length = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let (head, body) = answer.split_at(head_length);
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        assert_eq!(head.contains("content-encoding: gzip\r\n"), encoding == "gzip", "{asked}{head}");
        let chunk = body.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
        assert_eq!(body[chunk..].starts_with(&[0x1f, 0x8b]), encoding == "gzip", "{asked}");
    }
    let neither = served.request(Method::GET, "/metrics").header("accept-encoding", "identity;q=0").send().await;
    assert_eq!(neither.unwrap().status(), StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_packed_scrape_unpacks_to_the_same() {
    let served = Served::start().await;
    let packed = served.get("/metrics").await.text().await.unwrap();
    let plain = served.request(Method::GET, "/metrics").header("accept-encoding", "identity").send().await.unwrap();
    assert_eq!(packed, plain.text().await.unwrap());
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let served = Served::start().await;
    for (path, content_type) in
        [("/metrics", "text/plain; version=0.0.4"), ("/", "text/html"), ("/-/healthy", "text/plain")]
    {
        let answer = served.raw(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(&format!("content-type: {content_type}")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.matches("\r\n\r\n").count(), 1, "{answer}");
    }
}

#[tokio::test]
async fn health_and_readiness() {
    let served = Served::start().await;
    let healthy = served.get("/-/healthy").await;
    assert_eq!(healthy.status(), StatusCode::OK);
    assert_eq!(healthy.text().await.unwrap(), "cloud-task-exporter is healthy\n");

    *served.source.unpolled.lock().unwrap() = vec![key(TENCENT, "prod"), key(HUAWEI, "cce")];
    let unready = served.get("/-/ready").await;
    assert_eq!(unready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let reason = "cloud-task-exporter is not ready: no poll has ended yet of tencent/prod, huawei/cce\n";
    assert_eq!(unready.text().await.unwrap(), reason);

    served.source.unpolled.lock().unwrap().clear();
    let ready = served.get("/-/ready").await;
    assert_eq!(ready.status(), StatusCode::OK);
    assert_eq!(ready.text().await.unwrap(), "cloud-task-exporter is ready\n");
}

#[tokio::test]
async fn unknown_routes_are_told_the_known_ones() {
    let served = Served::start().await;
    for path in ["/targets", "/metrics/", "/probe", "//", "/-/reload/", "/%2e%2e/etc/passwd"] {
        let answer = served.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let known = "not found; there are /, /metrics, /dashboards, /-/healthy, /-/ready, /-/reload, /dashboards/overview.json, ";
        assert!(answer.text().await.unwrap().starts_with(known), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let served = Served::start().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let answer = served.request(method, "/metrics").body("x".repeat(1024 * 1024)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header(&answer, "allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn a_reload_is_asked_for_by_post_where_that_is_allowed() {
    let served = Served::start().await;
    for method in [Method::POST, Method::PUT] {
        let refused = served.request(method, "/-/reload").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(refused.text().await.unwrap().contains("--web.enable-lifecycle"));
    }
    let wrong = served.get("/-/reload").await;
    assert_eq!((wrong.status(), header(&wrong, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST, PUT"));

    *served.source.reloaded.lock().unwrap() = Some(Ok(()));
    let taken = served.request(Method::POST, "/-/reload").body("ignored").send().await.unwrap();
    assert_eq!(taken.status(), StatusCode::OK);
    *served.source.reloaded.lock().unwrap() = Some(Err("a.yaml:1:1: one\na.yaml:2:1: two".to_owned()));
    let refused = served.request(Method::PUT, "/-/reload").send().await.unwrap();
    assert_eq!(
        (refused.status(), header(&refused, "content-type")),
        (StatusCode::BAD_REQUEST, "text/plain; charset=utf-8")
    );
    assert_eq!(refused.text().await.unwrap(), "a.yaml:1:1: one\na.yaml:2:1: two\n");
}

#[tokio::test]
async fn the_landing_page_is_strict_html() {
    let served = Served::start().await;
    let page = served.get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    assert_eq!(header(&page, "cache-control"), "no-store");
    let policy = header(&page, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), "{policy}");
    assert!(page.text().await.unwrap().contains("<h1>cloud-task-exporter</h1>"));
}

#[test]
fn the_landing_page_escapes_what_it_is_given() {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let page = page::landing(&overview(now), now).unwrap();
    for hostile in ["<script", "<img", "<b>", "<verify>"] {
        assert!(!page.contains(hostile), "{hostile}");
    }
    insta::assert_snapshot!("landing_page", page);
}

#[test]
fn the_landing_page_of_an_exporter_that_knows_nothing_yet() {
    let page = page::landing(&Overview::default(), Timestamp::UNIX_EPOCH).unwrap();
    for sentence in ["No task is known yet.", "No task is failing.", "No task is stale.", "No account is configured."] {
        assert!(page.contains(sentence), "{sentence}");
    }
}

#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let served = Served::start().await;
    let long = "x".repeat(64 * 1024);
    let garbage = served.raw("\x16\x03\x01\x02 not HTTP at all\r\n\r\n").await;
    assert!(garbage.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    let rows = [
        (format!("GET /metrics HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n"), "HTTP/1.1 431 "),
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 4"),
    ];
    for (request, status) in rows {
        let answer = String::from_utf8(served.raw(&request).await).unwrap();
        // The reset that follows what was left unread may overtake the refusal.
        assert!(answer.is_empty() || answer.starts_with(status), "{answer}");
    }
    assert_eq!(served.get("/-/healthy").await.status(), StatusCode::OK);
}

/// hyper takes a hundred headers.
#[tokio::test]
async fn too_many_headers_are_refused() {
    let served = Served::start().await;
    let with = |count| format!("GET /-/healthy HTTP/1.1\r\nConnection: close\r\n{}\r\n", "A: 1\r\n".repeat(count));
    assert!(served.raw(&with(99)).await.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(served.raw(&with(100)).await.starts_with(b"HTTP/1.1 431 "));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let served = Served::start().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let last = "GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let requests = [&*request("/-/healthy"), &request("/nowhere"), &request("/-/healthy"), last].concat();
    let answers = String::from_utf8(served.raw(&requests).await).unwrap();
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.split(' ').next()).collect();
    assert_eq!(statuses, ["200", "404", "200", "200"]);
    assert!(answers.ends_with("ready\n"), "{answers}");
}

/// The answer does not wait for a body, and the connection does not outlive one that is not there yet.
#[tokio::test]
async fn a_body_is_neither_read_nor_waited_for() {
    let served = Served::start().await;
    for (method, length) in [
        ("GET", "Content-Length: 1000000000"),
        ("GET", "Transfer-Encoding: chunked"),
        ("POST", "Content-Length: 1000000000"),
        ("POST", "Content-Length: 10\r\nExpect: 100-continue"),
    ] {
        let answer = served.raw(&format!("{method} /-/healthy HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n")).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = if method == "GET" { "HTTP/1.1 200 OK\r\n" } else { "HTTP/1.1 405 " };
        assert!(answer.starts_with(status), "{method} {length}: {answer}");
    }
}
