//! The body of a scrape: what the source has in pieces of any size, in frames of one size.
//!
//! Memory stays flat however long the answer: a frame is made when the connection can take one.

use super::fair::BoxError;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Body, Frame};
use std::iter::Fuse;
use tokio::sync::OwnedSemaphorePermit;

/// Large enough that the frame's own header and a turn of the executor cost nothing beside it, small enough that
/// compressing one does not hold up other connections.
const FRAME: usize = 64 * 1024;

/// A body of these pieces, that keeps its place among the running scrapes until it has been sent or dropped.
pub(super) fn body(
    pieces: Box<dyn Iterator<Item = Bytes> + Send>,
    place: OwnedSemaphorePermit,
) -> impl Body<Data = Bytes, Error = BoxError> + Send {
    let frames = Frames { pieces: pieces.fuse(), rest: Bytes::new() }.map(move |frame| {
        // Moves the place into the body.
        let _held = &place;
        Ok(Frame::data(frame))
    });
    StreamBody::new(stream::iter(frames))
}

/// The same bytes as `pieces`, [`FRAME`] at a time.
struct Frames<I> {
    pieces: Fuse<I>,
    /// What is left of the last piece.
    rest: Bytes,
}

impl<I: Iterator<Item = Bytes>> Iterator for Frames<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.rest.len() >= FRAME {
            return Some(self.rest.split_to(FRAME));
        }
        let mut frame = BytesMut::with_capacity(FRAME);
        while frame.len() < FRAME {
            let room = FRAME.saturating_sub(frame.len());
            frame.extend_from_slice(&self.rest.split_to(room.min(self.rest.len())));
            if self.rest.is_empty() {
                let Some(piece) = self.pieces.next() else { break };
                self.rest = piece;
            }
        }
        (!frame.is_empty()).then(|| frame.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_are_the_pieces(sizes in prop::collection::vec(0usize..3 * FRAME, 0..8), small in 0usize..300) {
            let sizes = sizes.into_iter().chain(std::iter::repeat_n(7, small));
            let piece = |(index, size)| Bytes::from(vec![u8::try_from(index % 251_usize).unwrap(); size]);
            let pieces: Vec<Bytes> = sizes.enumerate().map(piece).collect();
            let frames: Vec<Bytes> =
                Frames { pieces: pieces.clone().into_iter().fuse(), rest: Bytes::new() }.collect();
            prop_assert!(frames.concat() == pieces.concat());
            let (last, full) = frames.split_last().map_or((None, &[][..]), |(last, full)| (Some(last), full));
            prop_assert!(full.iter().all(|frame| frame.len() == FRAME));
            prop_assert!(last.is_none_or(|frame| (1..=FRAME).contains(&frame.len())));
        }
    }
}
