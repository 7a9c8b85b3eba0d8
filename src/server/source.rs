//! What the server shows, as plain data, and the trait it gets it from.
//!
//! No judgement here: which task is stale and which account is in trouble the source has decided.

use crate::metrics::Format;
use crate::model::{AccountKey, Phase, Provider, Reason, TaskKey};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the server takes its answers from. Every method but the last answers at once from memory.
pub trait Source: Send + Sync + 'static {
    /// The body of a scrape in pieces of any size, end marker included. It is pulled on the executor as fast as the
    /// reader takes it: the iterator copies memory and does nothing else.
    fn scrape(&self, format: Format) -> Box<dyn Iterator<Item = Bytes> + Send>;
    /// What the landing page shows at that time.
    fn overview(&self, now: Timestamp) -> Overview;
    /// Accounts that have not had their first poll yet; the exporter is ready when there is none.
    fn unpolled_accounts(&self) -> Vec<AccountKey>;
    /// Has the config loaded anew: done when the new one is in force, or with every mistake, each on a line, when the one
    /// before stays. None where nobody may ask for that over HTTP. This one takes as long as it takes.
    fn reload(&self) -> Option<BoxFuture<'static, Result<(), String>>> {
        None
    }
}

/// The state of everything at a glance.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The exporter's version.
    pub version: String,
    /// The revision it was built from.
    pub revision: String,
    /// Number of tasks by cloud and phase; a phase without a task may be left out.
    pub phases: BTreeMap<Provider, BTreeMap<Phase, u64>>,
    /// Tasks in the phase failed, the latest first.
    pub failing: Listing,
    /// Tasks whose last good poll is too long ago, the longest first.
    pub stale: Listing,
    /// Every account.
    pub accounts: Vec<AccountLine>,
}

/// Some tasks of a kind.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// How many there are.
    pub total: usize,
    /// The foremost of them; no more than [`Listing::SHOWN`] are shown.
    pub tasks: Vec<TaskLine>,
}

impl Listing {
    /// How many tasks of a listing the landing page shows.
    pub const SHOWN: usize = 20;
}

/// A task on the landing page.
#[derive(Clone, Debug)]
pub struct TaskLine {
    /// Which task.
    pub key: TaskKey,
    /// The user's name for what it belongs to.
    pub group: Arc<str>,
    /// What there is to say: the provider's word for a failed task's state, the last error of a stale one.
    pub detail: String,
    /// Since when it has failed; when it was last polled well. None: unknown, or never.
    pub since: Option<Timestamp>,
}

/// An account on the landing page.
#[derive(Clone, Debug)]
pub struct AccountLine {
    /// Which account.
    pub key: AccountKey,
    /// The cloud's region.
    pub cloud_region: Arc<str>,
    /// How many tasks it has.
    pub tasks: usize,
    /// How it is doing.
    pub state: AccountState,
}

/// How an account is doing.
#[derive(Clone, Debug)]
pub enum AccountState {
    /// No poll has ended yet.
    Unpolled,
    /// Its polls succeed.
    Well,
    /// Its last poll failed.
    Trouble {
        /// The kind of failure.
        reason: Reason,
        /// What happened, free of secrets.
        message: String,
        /// When it happened.
        at: Timestamp,
    },
}
