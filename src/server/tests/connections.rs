//! Patience, places and the end, in paused time over connections in memory: exact, and no slower than the machine.

use super::*;
use crate::server::Limits;
use crate::server::listen::{Listen, accept};
use crate::server::route::Routes;
use crate::server::security::Security;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) const HEALTH: &str = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
pub(super) const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
pub(super) const LIMITS: fn() -> Limits = Limits::default;

/// Connections as the test dials them.
struct Dialed(mpsc::UnboundedReceiver<io::Result<DuplexStream>>);

impl Listen for Dialed {
    type Io = DuplexStream;

    async fn next(&mut self) -> io::Result<DuplexStream> {
        match self.0.recv().await {
            Some(dialed) => dialed,
            None => std::future::pending().await,
        }
    }
}

pub(super) struct Served {
    pub(super) dial: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    pub(super) stop: CancellationToken,
    pub(super) server: JoinHandle<()>,
}

impl Served {
    pub(super) fn start(source: Arc<dyn Source>, limits: Limits) -> Self {
        Self::guarded(source, Security::none(), limits)
    }

    pub(super) fn guarded(source: Arc<dyn Source>, security: Security, limits: Limits) -> Self {
        let routes = Routes::new(source, Arc::new(security), limits.scrapes, limits.scrape_wait);
        let (dial, dialed) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let server = TaskTracker::new().spawn(accept(Dialed(dialed), routes, limits, stop.clone()));
        Self { dial, stop, server }
    }

    pub(super) fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(16 * 1024);
        self.dial.send(Ok(far)).unwrap();
        near
    }

    pub(super) async fn ask(&self, request: &str) -> DuplexStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads up to the end of an answer without a body of unknown length.
pub(super) async fn read_answer(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let byte = stream.read_u8().await.unwrap();
        answer.push(char::from(byte));
    }
    answer
}

pub(super) async fn read_rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    rest
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_arrive_ends_the_connection() {
    let served = Served::start(Fake::new(Length::Of(1)).0, LIMITS());
    for beginning in ["", "GET /-/healthy HTTP/1.1\r\nHost: x\r\n"] {
        let start = Instant::now();
        assert_eq!(read_rest(&mut served.ask(beginning).await).await, "");
        assert_eq!(start.elapsed().as_secs(), LIMITS().request_timeout.as_secs(), "{beginning}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_further_request_that_trickles_in_ends_the_connection() {
    let served = Served::start(Fake::new(Length::Of(1)).0, LIMITS());
    let mut stream = served.ask(HEALTH).await;
    read_answer(&mut stream, "healthy\n").await;
    tokio::time::sleep(LIMITS().idle_timeout / 2).await;
    let start = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(start.elapsed().as_secs(), LIMITS().request_timeout.as_secs() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_further_requests_and_ended_when_idle() {
    let served = Served::start(Fake::new(Length::Of(1)).0, LIMITS());
    let mut stream = served.ask(HEALTH).await;
    read_answer(&mut stream, "healthy\n").await;
    for _ in 0..3 {
        tokio::time::sleep(LIMITS().idle_timeout / 2).await;
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(read_answer(&mut stream, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let start = Instant::now();
    assert_eq!(read_rest(&mut stream).await, "");
    assert_eq!(start.elapsed().as_secs(), LIMITS().idle_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_reading_is_dropped() {
    let (source, mut ends) = Fake::new(Length::Endless);
    let served = Served::start(source, LIMITS());
    let start = Instant::now();
    let _stuck = served.ask(SCRAPE).await;
    ends.recv().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), LIMITS().write_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_hangs_up_ends_its_scrape() {
    let (source, mut ends) = Fake::new(Length::Endless);
    let served = Served::start(source, LIMITS());
    let start = Instant::now();
    let mut stream = served.ask(SCRAPE).await;
    read_answer(&mut stream, PIECE).await;
    drop(stream);
    ends.recv().await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn scrapes_beyond_the_limit_wait_and_are_refused() {
    let (source, mut ends) = Fake::new(Length::Endless);
    let served = Served::start(source, Limits { scrapes: 1, ..LIMITS() });
    let mut first = served.ask(SCRAPE).await;
    read_answer(&mut first, PIECE).await;
    let start = Instant::now();
    let refusal = read_answer(&mut served.ask(SCRAPE).await, "under way\n").await;
    assert!(refusal.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refusal}");
    assert!(refusal.contains("retry-after: 10\r\n"), "{refusal}");
    assert_eq!(start.elapsed().as_secs(), LIMITS().scrape_wait.as_secs());
    assert!(read_answer(&mut served.ask(HEALTH).await, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));

    drop(first);
    ends.recv().await.unwrap();
    assert!(read_answer(&mut served.ask(SCRAPE).await, PIECE).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let served = Served::start(Fake::new(Length::Of(1)).0, Limits { connections: 1, ..LIMITS() });
    let mut first = served.ask(HEALTH).await;
    read_answer(&mut first, "healthy\n").await;
    let mut second = served.ask(HEALTH).await;
    timeout(Duration::from_secs(1), second.read_u8()).await.expect_err("an answer beside a full house");
    drop(first);
    assert!(read_answer(&mut second, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test(start_paused = true)]
async fn open_answers_are_finished_after_the_stop() {
    let pieces = 20_000;
    let served = Served::start(Fake::new(Length::Of(pieces)).0, LIMITS());
    let mut stream = served.ask(SCRAPE).await;
    let mut answer = read_answer(&mut stream, PIECE).await;
    served.stop.cancel();
    answer.push_str(&read_rest(&mut stream).await);
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "the answer was cut off");
    let whole = scraped(Format::Text, pieces).len();
    assert!(answer.len() > whole, "{} of {whole} bytes", answer.len());
    served.server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_nobody_reads_are_cut_off_after_the_stop() {
    let served = Served::start(Fake::new(Length::Endless).0, LIMITS());
    let mut stuck = served.ask(SCRAPE).await;
    read_answer(&mut stuck, PIECE).await;
    let start = Instant::now();
    served.stop.cancel();
    served.server.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), LIMITS().drain_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn idle_connections_do_not_hold_up_the_stop() {
    let served = Served::start(Fake::new(Length::Of(1)).0, LIMITS());
    let _fresh = served.connect();
    let mut kept = served.ask(HEALTH).await;
    read_answer(&mut kept, "healthy\n").await;
    let start = Instant::now();
    served.stop.cancel();
    served.server.await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_own_connection_only() {
    let served = Served::start(Arc::new(Broken), LIMITS());
    for path in ["/metrics", "/"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(read_rest(&mut served.ask(&request).await).await, "");
    }
    assert!(read_answer(&mut served.ask(HEALTH).await, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

/// Counts the error events of this thread.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<usize>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Errors {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::ERROR {
            *self.0.lock().unwrap() += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_to_accept_are_told_once_and_tried_again_after_a_pause() {
    use tracing_subscriber::layer::SubscriberExt;
    let errors = Errors::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(errors.clone()));
    let served = Served::start(Fake::new(Length::Of(1)).0, LIMITS());
    let start = Instant::now();
    for _ in 0..3 {
        // EMFILE: too many open files.
        served.dial.send(Err(io::Error::from_raw_os_error(24))).unwrap();
    }
    served.dial.send(Err(io::ErrorKind::ConnectionAborted.into())).unwrap();
    assert!(read_answer(&mut served.ask(HEALTH).await, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(*errors.0.lock().unwrap(), 1);
}
