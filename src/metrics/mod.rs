//! From what is known to what Prometheus reads: the catalogue of metrics, the rendering of series, the body of `/metrics`.
//!
//! It reads no clock, asks no cloud and decides nothing about tasks.

mod body;
pub mod catalogue;
mod codes;
mod families;
mod fleet;
mod format;
mod own;
mod protobuf;
mod sample;
mod task;
#[cfg(test)]
mod tests;
mod write;

pub use body::{Body, Series, Snapshot};
pub use fleet::{Census, Counts, Fleet, Group};
pub use format::{Format, negotiate};
pub use own::Own;
pub use task::{Identity, Poll, Sheet, State, identity};
