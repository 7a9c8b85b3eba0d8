//! The state file: what must outlive the process, in an embedded transactional store.
//!
//! `record` is what is written and how it reads, `file` the file itself, `keeper` when it is written. Only `file` knows
//! the store underneath: redb, because a commit is whole or not there whenever the process dies, every page has a checksum,
//! it is one file of a stable format, and it is Rust alone.

mod error;
mod file;
mod keeper;
mod record;
#[cfg(test)]
mod tests;

pub use error::StateError;
pub use file::StateFile;
pub use keeper::Keeper;
