//! A response body that lets other connections have their turn.
//!
//! It stands outside the compression: an encoder answers a pause of its input by flushing and asks again at once, so a
//! pause inside of it would never reach the executor.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What can go wrong within a body.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that yields to the executor after every frame; without that a fast reader of a long answer would keep a
/// worker to itself, for neither hyper nor the encoder ever has to wait.
pub(super) struct Fair {
    body: UnsyncBoxBody<Bytes, BoxError>,
    pause: Option<BoxFuture<'static, ()>>,
}

impl Fair {
    /// Spreads a body out.
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        use http_body_util::BodyExt;
        Self { body: UnsyncBoxBody::new(body.map_err(Into::into)), pause: None }
    }
}

impl fmt::Debug for Fair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fair").field("is_pausing", &self.pause.is_some()).finish_non_exhaustive()
    }
}

impl Body for Fair {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_unpin(context));
        }
        self.pause = None;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.pause = Some(tokio::task::yield_now().boxed());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full, StreamBody};

    #[tokio::test]
    async fn every_frame_is_followed_by_a_pause() {
        let frames = futures_util::stream::repeat(Bytes::from_static(b"x"));
        let frames = futures_util::StreamExt::map(frames, |bytes| Ok::<_, BoxError>(Frame::data(bytes)));
        let mut body = Fair::new(StreamBody::new(frames));
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().unwrap().is_data());
            assert!(body.frame().now_or_never().is_none(), "a second frame at once");
        }
    }

    #[test]
    fn the_length_of_a_whole_body_stays_known() {
        let body = Fair::new(Full::new(Bytes::from_static(b"four")));
        assert_eq!(body.size_hint().exact(), Some(4));
    }
}
