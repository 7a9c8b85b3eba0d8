//! The body of `/metrics`: headers and kept samples, copied piece by piece.
//!
//! It holds what it shows by reference count, so a scrape sees one instant however slowly it is read, waits for nobody and
//! needs one chunk of memory at a time.

use super::Format;
use super::catalogue::{self, Family};
use super::fleet::{Census, Fleet};
use super::task::Sheet;
use super::write::push_header;
use bytes::Bytes;
use std::sync::Arc;

/// A piece of the body is about so large, in bytes.
const CHUNK: usize = 128 * 1024;

/// The series of one task, as they are kept.
#[derive(Clone, Debug)]
pub struct Series {
    /// The identity labels of the task.
    pub identity: Arc<str>,
    /// Its state; none while it is not known, or too old to show.
    pub state: Option<Arc<Sheet>>,
    /// How polling it goes; none before its first poll.
    pub poll: Option<Arc<Sheet>>,
}

impl Series {
    /// How many there are.
    pub fn count(&self) -> usize {
        [&self.state, &self.poll].into_iter().flatten().map(|sheet| sheet.series()).sum()
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
    pub own: String,
}

/// The body, as an iterator of its pieces.
#[derive(Debug)]
pub struct Body {
    format: Format,
    snapshot: Snapshot,
    /// The next family of single tasks, and the next task to copy for it.
    family: usize,
    task: usize,
    ended: bool,
}

impl Body {
    /// The body of a snapshot in that format. `snapshot.own` is in the same format.
    pub const fn new(snapshot: Snapshot, format: Format) -> Self {
        Self { format, snapshot, family: 0, task: 0, ended: false }
    }

    /// Copies tasks of the current family until the chunk is full; whether it got to the family's end.
    fn copy_tasks(&mut self, family: &Family, chunk: &mut Vec<u8>) -> bool {
        let (index, of_poll) = match self.family.checked_sub(catalogue::TASK.len()) {
            None => (self.family, false),
            Some(index) => (index, true),
        };
        for series in self.snapshot.tasks.iter().skip(self.task) {
            if chunk.len() >= CHUNK {
                return false;
            }
            self.task += 1;
            let sheet = if of_poll { &series.poll } else { &series.state };
            if let Some(sheet) = sheet {
                sheet.copy(index, family.name, &series.identity, chunk);
            }
        }
        true
    }

    fn rest(&mut self, chunk: &mut Vec<u8>) {
        let mut text = String::new();
        self.snapshot.fleet.push(&self.snapshot.census, self.format, &mut text);
        text.push_str(&self.snapshot.own);
        if self.format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        chunk.extend_from_slice(text.as_bytes());
        self.ended = true;
    }
}

impl Iterator for Body {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 8);
        while let Some(family) = catalogue::TASK.iter().chain(catalogue::POLL).nth(self.family) {
            if self.task == 0 {
                let mut header = String::new();
                push_header(&mut header, self.format, family);
                chunk.extend_from_slice(header.as_bytes());
            }
            if !self.copy_tasks(family, &mut chunk) {
                return Some(chunk.into());
            }
            self.family += 1;
            self.task = 0;
        }
        self.rest(&mut chunk);
        Some(chunk.into())
    }
}
