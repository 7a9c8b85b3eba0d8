//! What a cloud has told once and need not be asked again, as a trait: the clouds remember, the store keeps it.

use super::AccountKey;
use std::fmt;
use std::sync::Arc;

/// A memory that may outlive the process. Not for secrets: it is written to a file as it is.
pub trait Memory: Send + Sync + fmt::Debug {
    /// What was last remembered of an account under that name.
    fn recall(&self, account: &AccountKey, name: &str) -> Option<Arc<str>>;
    /// Remembers something of an account, in place of what was remembered under that name before.
    fn remember(&self, account: &AccountKey, name: &str, value: &str);
}
