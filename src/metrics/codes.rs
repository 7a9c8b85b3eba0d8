//! Which error codes of a cloud are told apart as label values: what answers say must not make series without end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// How many different codes of one provider are told apart.
const MAX_CODES: usize = 50;
/// The longest code, in bytes; no documented one comes near.
const MAX_CODE: usize = 128;

/// The codes seen so far, by provider.
#[derive(Debug, Default)]
pub(super) struct Codes {
    known: Mutex<HashMap<&'static str, BTreeSet<Box<str>>>>,
}

impl Codes {
    /// The code itself, or `other` once a provider has shown too many. A label value is cut when it is written: a code that
    /// would be is none of a vendor's, and two of them must not become one series twice.
    pub(super) fn bounded<'a>(&self, provider: &'static str, code: &'a str) -> &'a str {
        if code.len() > MAX_CODE || code.contains(char::is_control) {
            return "other";
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(provider).or_default();
        if known.contains(code) {
            return code;
        }
        if known.len() >= MAX_CODES {
            return "other";
        }
        known.insert(code.into());
        code
    }
}
