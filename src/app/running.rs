//! What runs: a loop for each account of the config in force, and how the next config takes its place.
//!
//! All or nothing: everything new is built before anything changes.

use super::pulse::Pulses;
use super::source::Lags;
use crate::cloud::{self, Account, Cloud, Prepared, Shared};
use crate::config::Config;
use crate::metrics::{Group, Own};
use crate::model::{AccountKey, Memory, Observe};
use crate::poll::{Changes, Handle, Loop};
use crate::store::{Rules, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The loops of the accounts.
#[derive(Debug)]
pub(super) struct Running {
    store: Arc<Store>,
    own: Arc<Own>,
    lags: Arc<Lags>,
    pulses: Pulses,
    shared: Shared,
    stop: CancellationToken,
    accounts: BTreeMap<AccountKey, Polling>,
    loops: JoinSet<()>,
    /// The state file of the first config, which is kept to the end.
    state_path: Option<PathBuf>,
}

/// One account.
#[derive(Debug)]
struct Polling {
    /// [`Prepared::settings`] of what its cloud was built from.
    settings: String,
    cloud: Arc<dyn Cloud>,
    handle: Handle,
    stop: CancellationToken,
}

/// What a new config changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Difference {
    pub(super) accounts_added: usize,
    pub(super) accounts_removed: usize,
    /// Accounts that are asked in another way.
    pub(super) accounts_changed: usize,
    pub(super) of_accounts: Changes,
}

impl Running {
    /// Nothing runs yet; what will, ends with `stop`.
    pub(super) fn new(
        store: Arc<Store>,
        own: Arc<Own>,
        lags: Arc<Lags>,
        pulses: Pulses,
        stop: CancellationToken,
    ) -> Self {
        let shared =
            Shared::new(Arc::clone(&own) as Arc<dyn Observe>).remembering(Arc::clone(&store) as Arc<dyn Memory>);
        let (accounts, loops) = (BTreeMap::new(), JoinSet::new());
        Self { store, own, lags, pulses, shared, stop, accounts, loops, state_path: None }
    }

    /// The same with that state file, if there is one.
    pub(super) fn keeping(self, state_path: Option<PathBuf>) -> Self {
        Self { state_path, ..self }
    }

    /// Goes on with this config in place of the one before.
    ///
    /// # Errors
    /// When an account cannot be set up; then all is as it was.
    pub(super) async fn apply(&mut self, config: Config) -> Result<Difference, cloud::Error> {
        let rules = rules(&config);
        let accounts = self.build(config.accounts)?;
        self.tell_of_state_path(config.state_path.as_deref());
        let groups = accounts.iter().flat_map(|(_, account)| groups(account)).collect();
        let wanted: BTreeSet<AccountKey> = accounts.iter().map(|(_, account)| account.key.clone()).collect();
        let mut difference = Difference::default();
        self.store.set_rules(rules);
        let gone: Vec<AccountKey> = self.accounts.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        for key in gone {
            self.remove(&key, &mut difference).await;
        }
        let mut new = Vec::new();
        for (settings, account) in accounts {
            if self.accounts.contains_key(&account.key) {
                self.change(settings, account, &mut difference).await;
            } else {
                new.push(self.add(settings, account, &mut difference).await);
            }
        }
        // Together, so that none has been polled before all are known.
        for (key, polling, stop) in new {
            let part = format!("{}/{}", key.provider, key.account);
            self.loops.spawn(self.pulses.watch(&part, polling.run(stop)));
        }
        self.store.set_groups(groups);
        Ok(difference)
    }

    /// Another state file is for another process: this one holds what the counters began with.
    fn tell_of_state_path(&self, wanted: Option<&Path>) {
        let kept = self.state_path.as_deref();
        if kept != wanted {
            tracing::warn!(
                ?kept,
                ?wanted,
                "a changed state.path needs a restart; the state file stays the one there is"
            );
        }
    }

    fn build(&self, accounts: Vec<Box<dyn Prepared>>) -> Result<Vec<(String, Account)>, cloud::Error> {
        let keys: Vec<AccountKey> = accounts.iter().map(|prepared| prepared.key().clone()).collect();
        let build = |prepared: Box<dyn Prepared>| {
            let settings = prepared.settings();
            let before = self.accounts.get(prepared.key()).filter(|polling| polling.settings == settings);
            let kept = before.map(|polling| Arc::clone(&polling.cloud));
            Ok((settings, prepared.build(&self.shared, kept)?))
        };
        accounts.into_iter().map(build).collect::<Result<_, _>>().inspect_err(|_| {
            // What was built before it has made its quotas known.
            keys.iter().filter(|key| !self.accounts.contains_key(key)).for_each(|key| self.own.remove_account(key));
        })
    }

    async fn add(
        &mut self,
        settings: String,
        account: Account,
        difference: &mut Difference,
    ) -> (AccountKey, Loop, CancellationToken) {
        tracing::debug!(provider = %account.key.provider, account = %account.key.account, "an account is polled from now on");
        let (key, cloud, stop) = (account.key.clone(), Arc::clone(&account.cloud), self.stop.child_token());
        let observe = Arc::clone(&self.own) as Arc<dyn Observe>;
        difference.accounts_added += 1;
        difference.of_accounts.finders_added += account.finders.len();
        let (polling, handle) = Loop::new(account, Arc::clone(&self.store), observe).await;
        difference.of_accounts.tasks_added += self.store.targets(&key).len();
        self.lags.insert(&key, handle.lag());
        self.accounts.insert(key.clone(), Polling { settings, cloud, handle, stop: stop.clone() });
        (key, polling, stop)
    }

    async fn change(&mut self, settings: String, account: Account, difference: &mut Difference) {
        let Some(polling) = self.accounts.get_mut(&account.key) else { return };
        if polling.settings == settings {
            polling.cloud.reread_credentials();
        } else {
            tracing::debug!(provider = %account.key.provider, account = %account.key.account, "an account is asked in another way from now on");
            difference.accounts_changed += 1;
            polling.settings = settings;
            polling.cloud = Arc::clone(&account.cloud);
        }
        difference.of_accounts.add(polling.handle.reconfigure(account).await);
    }

    async fn remove(&mut self, key: &AccountKey, difference: &mut Difference) {
        let Some(polling) = self.accounts.remove(key) else { return };
        tracing::debug!(provider = %key.provider, account = %key.account, "an account is no longer polled");
        difference.accounts_removed += 1;
        difference.of_accounts.tasks_removed += self.store.targets(key).len();
        self.lags.remove(key);
        polling.stop.cancel();
        // Nothing writes about the account after that.
        polling.handle.ended().await;
        self.store.remove_account(key);
    }

    /// Waits until a loop ends by a bug, and ends by the same.
    pub(super) async fn watch(&mut self) {
        while let Some(ended) = self.loops.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                resume_unwind(panic);
            }
        }
        std::future::pending::<()>().await;
    }

    /// Waits until every loop has ended.
    pub(super) async fn ended(mut self) {
        while self.loops.join_next().await.is_some() {}
    }
}

/// What the store goes by under a config.
pub(super) fn rules(config: &Config) -> Rules {
    Rules {
        stale_after: config.poll.stale_after,
        not_found_grace: config.poll.not_found_grace,
        final_recheck: config.poll.final_recheck,
        instance_histograms: config.metrics.instance_histograms,
        series_limit: config.metrics.series_limit,
    }
}

/// The groups an account's config names.
fn groups(account: &Account) -> impl Iterator<Item = Group> {
    let templates = account.finders.iter().map(|finder| &finder.template);
    account.targets.iter().chain(templates).map(Group::from)
}
