//! The words of the project as types: who is asked, what was answered, how it went.
//!
//! Pure data with the rules that make it consistent. It uses nothing else of the crate, reads no clock and does no I/O.

mod failure;
mod histogram;
mod identity;
mod label;
mod memory;
mod native;
mod observe;
mod phase;
mod requests;
mod task;

pub use failure::Reason;
pub use histogram::{BUCKETS, Histogram};
pub use identity::{AccountKey, Labels, Provider, Target, TaskKey};
pub use label::{LabelText, MAX_LABEL};
pub use memory::Memory;
pub use native::{Native, SCHEMA, ZERO_THRESHOLD};
pub use observe::Observe;
pub use phase::{Outcome, Phase};
pub use requests::Requests;
pub use task::{Exits, Facts, INSTANCE_STATES, Instances, MAX_EXIT_CODES, Reading, Task};
