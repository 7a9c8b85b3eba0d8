//! When the state file is written: twice a second what has changed since, and once more at the end.
//!
//! Neither a poll nor a scrape waits for the disk: values are copied out under the store's lock and written without it, on
//! a thread of their own. What cannot be written is kept in mind and written when that works again.

use super::super::changes::Batch;
use super::super::{StateFile, Store};
use super::error::StateError;
use super::record;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How long what is new may stay unwritten: with the time a write takes, less than a second.
const PACE: Duration = Duration::from_millis(500);
/// After a write that failed: opening the file anew reads all of it.
const PACE_IN_TROUBLE: Duration = Duration::from_secs(5);

/// Keeps a state file up to what its store knows.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<Store>,
    file: Mutex<StateFile>,
    now: fn() -> Timestamp,
    /// When the file is next written, while it cannot be.
    trouble: Mutex<Option<Instant>>,
}

impl Keeper {
    /// A keeper of the file that the store was restored from.
    pub fn new(store: Arc<Store>, file: StateFile, now: fn() -> Timestamp) -> Self {
        Self { store, file: Mutex::new(file), now, trouble: Mutex::default() }
    }

    /// Writes what changes, until `stop`, and then what is left.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(pace.tick()).await.is_some() {
            let next = *self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            if next.is_none_or(|next| next <= Instant::now()) {
                self.write().await;
            }
        }
        self.write().await;
    }

    /// Writes what is left when nothing changes any more.
    pub async fn finish(self: &Arc<Self>) {
        if !self.write().await {
            tracing::error!("the state file is not whole: what could not be written is lost");
        }
    }

    /// Writes what has changed since the last time; whether that was possible.
    pub async fn write(self: &Arc<Self>) -> bool {
        let keeper = Arc::clone(self);
        spawn_blocking(move || keeper.write_now()).await.unwrap_or_else(|error| {
            tracing::error!(%error, "writing the state file ended by a bug; going on");
            false
        })
    }

    fn write_now(&self) -> bool {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Now is before what is taken: it is not to be claimed of later changes.
        let now = (self.now)();
        let written = self.store.take_changes().map_or(Ok(()), |batch| {
            let result = write(&mut file, &batch);
            if result.is_err() {
                self.store.put_back(batch);
            }
            result
        });
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, is_written) = (file.path().display(), written.is_ok());
        match written {
            Ok(()) => {
                self.store.own.state_written(now);
                if trouble.take().is_some() {
                    tracing::info!(%path, "the state file is written again");
                }
            }
            Err(error) => {
                self.store.own.state_write_failed();
                if trouble.replace(Instant::now() + PACE_IN_TROUBLE).is_none() {
                    let error = error.cause();
                    tracing::warn!(%path, error, "the state file cannot be written; a restart would lose what happens now");
                }
            }
        }
        is_written
    }
}

fn write(file: &mut StateFile, batch: &Batch) -> Result<(), StateError> {
    let lines = record::lines(batch)
        .map_err(|error| StateError::Unusable { path: file.path().to_owned(), source: error.into() })?;
    file.write(&lines)
}
