//! The body of `/metrics`: headers and kept samples, copied piece by piece; or protobuf, written piece by piece.
//!
//! It holds what it shows by reference count, so a scrape sees one instant however slowly it is read, waits for nobody and
//! needs one chunk of memory at a time.

use super::Format;
use super::catalogue::{self, Family};
use super::families::Families;
use super::fleet::{Census, Fleet};
use super::protobuf;
use super::task::{Identity, Poll, Sheet, State};
use super::write::push_header;
use bytes::Bytes;
use std::sync::Arc;

/// The usual size of a piece of the body.
const PIECE: usize = 128 * 1024;

/// The series of one task, as they are kept.
#[derive(Clone, Debug)]
pub struct Series {
    /// The identity labels of the task.
    pub identity: Identity,
    /// Its state; none while it is not known, or too old to show.
    pub state: Option<Arc<Sheet<State>>>,
    /// How polling it goes; none before its first poll.
    pub poll: Option<Arc<Sheet<Poll>>>,
}

impl Series {
    /// How many there are.
    pub fn count(&self) -> usize {
        let state = self.state.as_ref().map_or(0, |sheet| sheet.series());
        state + self.poll.as_ref().map_or(0, |sheet| sheet.series())
    }

    /// Appends those of the family at that place among the families of single tasks.
    fn push(&self, place: usize, format: Format, chunk: &mut Vec<u8>) {
        match (place.checked_sub(catalogue::TASK.len()), &self.state, &self.poll) {
            (None, Some(state), _) => state.push(place, &self.identity, format, chunk),
            (Some(place), _, Some(poll)) => poll.push(place, &self.identity, format, chunk),
            _ => {}
        }
    }
}

/// Everything a scrape shows, at one instant.
#[derive(Debug)]
pub struct Snapshot {
    /// Single tasks, in a stable order.
    pub tasks: Vec<Series>,
    /// The counters of groups.
    pub fleet: Fleet,
    /// The tasks of groups by phase.
    pub census: Census,
    /// The families of the exporter itself, rendered.
    pub own: Vec<u8>,
}

/// The body, as an iterator of its pieces.
#[derive(Debug)]
pub struct Body {
    format: Format,
    snapshot: Snapshot,
    /// The next family of single tasks, and the next task to copy for it.
    family: usize,
    task: usize,
    /// A piece is about so large, in bytes.
    piece: usize,
    ended: bool,
}

impl Body {
    /// The body of a snapshot in that format. `snapshot.own` is in the same format.
    pub const fn new(snapshot: Snapshot, format: Format) -> Self {
        Self::in_pieces(snapshot, format, PIECE)
    }

    pub(super) const fn in_pieces(snapshot: Snapshot, format: Format, piece: usize) -> Self {
        Self { format, snapshot, family: 0, task: 0, piece, ended: false }
    }

    /// Writes what stands before the tasks of the current family.
    fn begin(&self, family: &Family, chunk: &mut Vec<u8>) {
        if self.format == Format::Protobuf {
            return protobuf::push_head(chunk, family, self.length());
        }
        let mut header = String::new();
        push_header(&mut header, self.format, family);
        chunk.extend_from_slice(header.as_bytes());
    }

    /// How long the metrics of the current family are in protobuf, which its reader is told before them. They are written
    /// twice rather than all held in memory.
    fn length(&self) -> usize {
        let mut metrics = Vec::new();
        let lengths = self.snapshot.tasks.iter().map(|series| {
            metrics.clear();
            series.push(self.family, self.format, &mut metrics);
            metrics.len()
        });
        lengths.sum()
    }

    /// Copies tasks of the current family, one at least, until the chunk is full; whether it got to the family's end.
    fn copy_tasks(&mut self, chunk: &mut Vec<u8>) -> bool {
        for series in self.snapshot.tasks.iter().skip(self.task) {
            self.task += 1;
            series.push(self.family, self.format, chunk);
            if chunk.len() >= self.piece {
                return false;
            }
        }
        true
    }

    fn rest(&mut self, chunk: &mut Vec<u8>) {
        let mut families = Families::new(self.format);
        self.snapshot.fleet.push(&self.snapshot.census, &mut families);
        chunk.append(&mut families.into_bytes());
        chunk.append(&mut self.snapshot.own);
        if self.format == Format::OpenMetrics {
            chunk.extend_from_slice(b"# EOF\n");
        }
        self.ended = true;
    }
}

impl Iterator for Body {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut chunk = Vec::with_capacity(self.piece + self.piece / 8);
        while let Some(family) = catalogue::TASK.iter().chain(catalogue::POLL).nth(self.family) {
            if self.task == 0 {
                self.begin(family, &mut chunk);
            }
            if !self.copy_tasks(&mut chunk) {
                return Some(chunk.into());
            }
            self.family += 1;
            self.task = 0;
        }
        self.rest(&mut chunk);
        Some(chunk.into())
    }
}
