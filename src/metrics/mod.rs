//! What a scrape answers: the formats it can be asked for.
//!
//! It knows no connection and no request.

mod format;

pub use format::{Format, negotiate};
