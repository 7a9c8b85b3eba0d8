//! A mistake before its line is known: a path into the document and what is wrong there.

use crate::cloud::settings::{Mistake, Step};

/// Something wrong at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where, from the root of the document.
    pub(super) path: Vec<Step>,
    /// What of that place is meant.
    pub(super) part: Part,
    /// What is wrong and what would be right.
    pub(super) message: String,
}

/// What of a place in a document is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The value.
    Value,
    /// The key before it.
    Key,
    /// The same key where it stands for the second time.
    SecondKey,
}

impl From<Mistake> for Found {
    fn from(Mistake { path, message }: Mistake) -> Self {
        Self { path, part: Part::Value, message }
    }
}
