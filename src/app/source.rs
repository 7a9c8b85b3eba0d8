//! What the server shows, taken from the store and the exporter's own counters.

use super::reload::Requests;
use crate::clock;
use crate::metrics::{Body, Format, Own};
use crate::model::AccountKey;
use crate::model::Phase;
use crate::schedule::Lag;
use crate::server::{AccountLine, AccountState, Listing, Overview, Source, TaskLine};
use crate::store::{AccountRow, Store, TaskRow};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::time::Instant;

/// The one source of the server.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) store: Arc<Store>,
    pub(super) own: Arc<Own>,
    pub(super) lags: Arc<Lags>,
    /// None where nobody may ask for a reload over HTTP.
    pub(super) reloads: Option<Requests>,
}

/// How late the polls of each account are.
#[derive(Debug, Default)]
pub(super) struct Lags(RwLock<BTreeMap<AccountKey, Arc<Lag>>>);

impl Lags {
    pub(super) fn insert(&self, account: &AccountKey, lag: Arc<Lag>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), lag);
    }

    /// Once this returns, nothing is told of the account any more.
    pub(super) fn remove(&self, account: &AccountKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(account);
    }

    fn tell(&self, own: &Own) {
        for (account, lag) in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            own.set_lag(account, lag.at(Instant::now()).as_secs_f64());
        }
    }
}

impl Source for Known {
    fn scrape(&self, format: Format) -> Box<dyn Iterator<Item = Bytes> + Send> {
        self.lags.tell(&self.own);
        let mut snapshot = self.store.snapshot(clock::now());
        snapshot.own = self.own.render(format);
        Box::new(Body::new(snapshot, format))
    }

    fn overview(&self, now: Timestamp) -> Overview {
        let tasks = self.store.tasks(now);
        let mut overview = Overview {
            version: super::VERSION.to_owned(),
            revision: super::REVISION.to_owned(),
            failing: listing(&tasks, |row| row.shown_phase() == Some(Phase::Failed), failing_line),
            stale: listing(&tasks, |row| row.is_stale || never_read(row), stale_line),
            accounts: self.store.accounts().into_iter().map(account_line).collect(),
            ..Overview::default()
        };
        // The latest failure first; what is stale longest first.
        overview.failing.tasks.sort_by_key(|line| Reverse(line.since));
        overview.stale.tasks.sort_by_key(|line| line.since);
        overview.failing.tasks.truncate(Listing::SHOWN);
        overview.stale.tasks.truncate(Listing::SHOWN);
        for row in &tasks {
            if let Some(phase) = row.shown_phase() {
                *overview.phases.entry(row.target.key.account.provider).or_default().entry(phase).or_default() += 1;
            }
        }
        overview
    }

    fn unpolled_accounts(&self) -> Vec<AccountKey> {
        self.store.pending_accounts()
    }

    fn reload(&self) -> Option<BoxFuture<'static, Result<(), String>>> {
        self.reloads.clone().map(|requests| requests.ask().boxed())
    }
}

/// A task that polls have failed for and that was never read.
fn never_read(row: &TaskRow) -> bool {
    row.task.is_none() && row.failure.is_some()
}

fn listing(tasks: &[TaskRow], is_of: impl Fn(&TaskRow) -> bool, line: impl Fn(&TaskRow) -> TaskLine) -> Listing {
    let tasks: Vec<TaskLine> = tasks.iter().filter(|row| is_of(row)).map(line).collect();
    Listing { total: tasks.len(), tasks }
}

fn failing_line(row: &TaskRow) -> TaskLine {
    let task = row.task.as_deref();
    TaskLine {
        key: row.target.key.clone(),
        group: Arc::clone(&row.target.group),
        detail: task.map(|task| task.provider_state.to_string()).unwrap_or_default(),
        since: task.and_then(|task| task.finished),
    }
}

fn stale_line(row: &TaskRow) -> TaskLine {
    TaskLine {
        key: row.target.key.clone(),
        group: Arc::clone(&row.target.group),
        detail: row.failure.as_ref().map(|failure| failure.message.to_string()).unwrap_or_default(),
        since: row.last_success,
    }
}

fn account_line(row: AccountRow) -> AccountLine {
    let state = match row.problem {
        Some((at, failure)) => AccountState::Trouble { reason: failure.reason, message: failure.message.into(), at },
        None if row.polled => AccountState::Well,
        None => AccountState::Unpolled,
    };
    AccountLine { key: row.key, cloud_region: row.cloud_region, tasks: row.tasks, state }
}
