//! Connections: taken, bounded in number and patience, ended in good order.
//!
//! What is said over them is not its business.

use super::route::Routes;
use super::security::Security;
use super::source::Source;
use super::stall::Stall;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest request line with headers that is read; also what hyper keeps of an answer that waits to be sent.
const MAX_HEAD: usize = 32 * 1024;

/// Between two attempts to accept while the process can take no connection.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Between two lines of the log about that.
const COMPLAINT_PAUSE: Duration = Duration::from_mins(1);

/// How much the server takes upon itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; further ones wait in the system's accept queue.
    pub connections: usize,
    /// Answers to scrapes under way at a time.
    pub scrapes: usize,
    /// How long a further scrape waits before it is refused.
    pub scrape_wait: Duration,
    /// For a TLS handshake, from the first byte to the last.
    pub handshake_timeout: Duration,
    /// For an answer to begin, counted from the connection's start, the end of its handshake, or the first byte of the request; longer than
    /// `scrape_wait`.
    pub request_timeout: Duration,
    /// For the next request to arrive on a connection; longer than scrapers pause.
    pub idle_timeout: Duration,
    /// For a reader to take anything at all of its answer.
    pub write_timeout: Duration,
    /// For open answers to end once the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            scrapes: 8,
            // Prometheus gives up after ten seconds by default; the refusal is to reach it before.
            scrape_wait: Duration::from_secs(8),
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_mins(2),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves what `source` shows, to whom and over what `security` says, until `stop`; returns once the last connection has
/// ended.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn Source>,
    security: Arc<Security>,
    limits: Limits,
    stop: CancellationToken,
) {
    let routes = Routes::new(source, Arc::clone(&security), limits.scrapes, limits.scrape_wait);
    tokio::join!(accept(listener, routes, limits, stop.clone()), security.watch(stop));
}

/// Where connections come from: the network, or a test.
pub(super) trait Listen {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection; may be dropped before it comes.
    fn next(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn next(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection's small packets are held back");
        }
        Ok(stream)
    }
}

/// [`serve`], wherever the connections come from.
pub(super) async fn accept(mut listener: impl Listen, routes: Arc<Routes>, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let mut told: Option<Instant> = None;
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok((listener.next().await?, place))
        };
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
        };
        match next {
            Ok((io, place)) => {
                let (routes, stop) = (Arc::clone(&routes), stop.clone());
                connections.spawn(async move {
                    welcome(io, &routes, limits, stop).await;
                    drop(place);
                });
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                // Where descriptors are short, one that comes free is taken at once, and the next is missing again.
                if told.is_none_or(|at| at.elapsed() >= COMPLAINT_PAUSE) {
                    tracing::error!(%error, "no connection can be accepted; trying again every second");
                    told = Some(Instant::now());
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Errors of `accept` that say nothing of the next connection.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, from its first byte to its last.
async fn welcome<Io>(io: Io, routes: &Arc<Routes>, limits: Limits, stop: CancellationToken)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Below TLS, where a byte that the peer takes is seen as such.
    let io = Stall::new(io, limits.request_timeout, limits.write_timeout);
    let Some(tls) = routes.rules().tls.clone() else {
        return converse(io, routes, limits, stop).await;
    };
    let handshake = timeout(limits.handshake_timeout, tls.accept(io));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(mut io))) => {
            io.get_mut().0.expect_request();
            converse(io, routes, limits, stop).await;
        }
        Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
        None => {}
    }
}

/// A connection, from its first request to its last answer.
async fn converse<Io>(io: Io, routes: &Arc<Routes>, limits: Limits, stop: CancellationToken)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(routes.service()));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.drain_timeout, connection).await.ok()
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(?error, "a connection ended early"),
        None => tracing::warn!("an answer was cut off because its reader did not finish in time"),
    }
}
