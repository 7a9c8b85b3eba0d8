//! A connection that gives up on a peer who sends a request too slowly, or who has stopped reading.
//!
//! It knows nothing of HTTP: what is read belongs to one request until something is written. How long a connection may be
//! idle between requests hyper watches itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A byte stream that fails once a request has gone unanswered, or a write has made no progress, for a time.
#[derive(Debug)]
pub(super) struct Stall<Io> {
    io: Io,
    /// From the start, a request that is expected, or the first byte that is read after a write, to the next write.
    request: Timer,
    /// From the first write that has to wait to the next one that goes through.
    write: Timer,
}

#[derive(Debug)]
struct Timer {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    is_running: bool,
}

impl Timer {
    fn new(limit: Duration, is_running: bool) -> Self {
        Self { limit, sleep: Box::pin(sleep(limit)), is_running }
    }

    fn start(&mut self) {
        if !self.is_running {
            self.is_running = true;
            self.sleep.as_mut().reset(Instant::now() + self.limit);
        }
    }

    /// Pending until the time is over, for ever if it does not run.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_running { self.sleep.as_mut().poll(context) } else { Poll::Pending }
    }
}

fn too_late<T>(message: &'static str) -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
}

impl<Io> Stall<Io> {
    /// Bounds the time a request on `io` may take to be sent and get the first of its answer, and the time a write may
    /// wait.
    pub(super) fn new(io: Io, request: Duration, write: Duration) -> Self {
        Self { io, request: Timer::new(request, true), write: Timer::new(write, false) }
    }

    /// A request must follow now, as at the start.
    pub(super) fn expect_request(&mut self) {
        self.request.is_running = false;
        self.request.start();
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write.is_running = false;
            return written;
        }
        self.write.start();
        ready!(self.write.poll(context));
        too_late("the peer has stopped reading")
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Stall<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.request.poll(context).is_ready() {
            return too_late("the peer sends its request too slowly");
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.request.start();
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Stall<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.request.is_running = false;
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.request.is_running = false;
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_write_nobody_reads_fails_after_the_limit() {
        let (near, _far) = duplex(16);
        let start = Instant::now();
        let error = Stall::new(near, LIMIT, LIMIT).write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_kept() {
        let (near, mut far) = duplex(16);
        let mut near = Stall::new(near, LIMIT, LIMIT);
        let read = async {
            let mut buffer = [0; 16];
            for _ in 0..10 {
                sleep(LIMIT / 2).await;
                far.read_exact(&mut buffer).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(near.write_all(&[0; 160]), read);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_in_fails_after_the_limit() {
        let (near, mut far) = duplex(16);
        let mut near = Stall::new(near, LIMIT, LIMIT);
        let trickle = async {
            while far.write_all(b"x").await.is_ok() {
                sleep(LIMIT / 10).await;
            }
        };
        let start = Instant::now();
        let read = async {
            let error = near.read_to_end(&mut Vec::new()).await.unwrap_err();
            drop(near);
            error
        };
        let (error, ()) = tokio::join!(read, trickle);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((LIMIT..LIMIT * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_after_an_answer_counts_for_no_request() {
        let (near, mut far) = duplex(16);
        let mut near = Stall::new(near, LIMIT, LIMIT);
        for _ in 0..3 {
            far.write_all(b"?").await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), b'?');
            near.write_all(b"!").await.unwrap();
            assert_eq!(far.read_u8().await.unwrap(), b'!');
            tokio::time::timeout(LIMIT * 4, near.read_u8()).await.expect_err("there is nothing to read");
        }
    }
}
