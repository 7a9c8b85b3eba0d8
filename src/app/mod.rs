//! Wires the parts and decides in which order they start and stop.
//!
//! Nothing is decided here about tasks, clouds or metrics.

mod demo;
mod source;

pub use demo::run as run_demo;

use crate::clock;
use crate::cloud::{Account, Shared};
use crate::config::Config;
use crate::metrics::Own;
use crate::model::{Memory, Observe};
use crate::poll::Loop;
use crate::server::{self, Limits};
use crate::store::{Keeper, Rules, Saved, StateFile, Store};
use anyhow::Context;
use jiff::Timestamp;
use source::Known;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The version that runs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The revision it was built from, where the build was told.
pub const REVISION: &str = match option_env!("CLOUD_TASK_EXPORTER_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Everything has ended so long after it was asked to stop, or is cut off.
const GRACE: Duration = Duration::from_secs(12);

/// Listens on the first of these hosts and ports that can be listened on.
///
/// # Errors
/// When none can: why the first one cannot.
pub async fn listen(candidates: &[(String, u16)]) -> anyhow::Result<TcpListener> {
    let mut first = None;
    for (host, port) in candidates {
        match TcpListener::bind((host.as_str(), *port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                first.get_or_insert_with(|| {
                    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                    anyhow::Error::new(error).context(format!("cannot listen on {host}:{port}"))
                });
            }
        }
    }
    Err(first.unwrap_or_else(|| anyhow::anyhow!("no address to listen on")))
}

/// Opens the state file, if the config names one. `reset`: what is there is set aside.
///
/// # Errors
/// Why it cannot be used.
pub fn open_state(config: &Config, reset: bool) -> anyhow::Result<Option<(StateFile, Saved)>> {
    match &config.state_path {
        Some(path) => Ok(Some(StateFile::open(path, reset, clock::now())?)),
        None if reset => {
            tracing::warn!("there is no state file to reset: the config has no state.path");
            Ok(None)
        }
        None => Ok(None),
    }
}

/// Polls what the config names and serves it on `listener` until `stop`. `state`: what [`open_state`] gave.
///
/// # Errors
/// When an account cannot be set up, or a part ended by a bug: better to end, and be started again, than to go on
/// without it.
pub async fn run(
    config: Config,
    state: Option<(StateFile, Saved)>,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let now = clock::now();
    let own = Arc::new(Own::new().context("the exporter's own metrics cannot be set up")?);
    own.set_build(VERSION, REVISION);
    let (store, keeper) = set_up_store(rules(&config), state, &own, now);
    let mut parts = JoinSet::new();
    let mut lags = Vec::new();
    for account in build_accounts(config, &own, &store)? {
        let key = account.key.clone();
        let polling = Loop::new(account, Arc::clone(&store), Arc::clone(&own) as Arc<dyn Observe>);
        lags.push((key, polling.lag()));
        parts.spawn(polling.run(stop.clone()));
    }
    store.settle();
    if let Some(keeper) = &keeper {
        parts.spawn(Arc::clone(keeper).run(stop.clone()));
    }
    own.config_taken(now);
    let address = listener.local_addr().context("the listening address is not known")?;
    tracing::info!(version = VERSION, revision = REVISION, accounts = lags.len(), %address, "serving");
    let source = Arc::new(Known { store, own, lags });
    parts.spawn(server::serve(listener, source, Limits::default(), stop.clone()));
    let result = run_until_stopped(parts, stop).await;
    if let Some(keeper) = &keeper {
        // What ended after the keeper had.
        keeper.finish().await;
    }
    result
}

/// The store, and who keeps its state file if there is one.
fn set_up_store(
    rules: Rules,
    state: Option<(StateFile, Saved)>,
    own: &Arc<Own>,
    now: Timestamp,
) -> (Arc<Store>, Option<Arc<Keeper>>) {
    let Some((file, saved)) = state else { return (Arc::new(Store::new(rules, Arc::clone(own), now)), None) };
    let store = Arc::new(Store::restored(rules, Arc::clone(own), saved));
    let keeper = Keeper::new(Arc::clone(&store), file, clock::now);
    (store, Some(Arc::new(keeper)))
}

async fn run_until_stopped(mut parts: JoinSet<()>, stop: CancellationToken) -> anyhow::Result<()> {
    let early = tokio::select! {
        // First, for once asked to stop the parts end too.
        biased;
        () = stop.cancelled() => None,
        part = parts.join_next() => part,
    };
    stop.cancel();
    let rest = async { while parts.join_next().await.is_some() {} };
    if timeout(GRACE, rest).await.is_err() {
        tracing::warn!("not everything ended in time; stopping all the same");
    }
    match early {
        None => Ok(()),
        Some(ended) => {
            ended.context("a part of the exporter ended by a bug")?;
            anyhow::bail!("a part of the exporter ended before it was asked to")
        }
    }
}

/// Completes when the process is asked to stop.
///
/// # Errors
/// When the system does not let us hear of it.
pub fn stop_on_signals(tracker: &TaskTracker) -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let stopping = stop.clone();
    tracker.spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = stopping.cancelled() => return,
        };
        tracing::info!(signal = name, "stopping");
        stopping.cancel();
    });
    Ok(stop)
}

fn rules(config: &Config) -> Rules {
    Rules {
        stale_after: config.poll.stale_after,
        not_found_grace: config.poll.not_found_grace,
        final_recheck: config.poll.final_recheck,
        instance_histograms: config.metrics.instance_histograms,
        series_limit: config.metrics.series_limit,
    }
}

fn build_accounts(config: Config, own: &Arc<Own>, store: &Arc<Store>) -> anyhow::Result<Vec<Account>> {
    let shared = Shared::new(Arc::clone(own) as Arc<dyn Observe>)?.remembering(Arc::clone(store) as Arc<dyn Memory>);
    let accounts = config.accounts.into_iter().map(|prepared| prepared.build(&shared));
    accounts.collect::<Result<_, _>>().context("an account cannot be set up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_by_a_bug_ends_the_process_with_an_error() {
        let (mut parts, stop) = (JoinSet::new(), CancellationToken::new());
        let others = stop.clone();
        parts.spawn(async move { others.cancelled().await });
        parts.spawn(async { panic!("a bug, on purpose") });
        let error = run_until_stopped(parts, stop.clone()).await.unwrap_err();
        assert!(error.to_string().contains("ended by a bug"), "{error}");
        assert!(stop.is_cancelled(), "the others are asked to stop");
    }
}
