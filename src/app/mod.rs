//! Wires the parts and decides in which order they start and stop.
//!
//! Nothing is decided here about tasks, clouds or metrics.

mod demo;
mod notify;
mod pulse;
mod reload;
mod running;
mod source;

pub use demo::run as run_demo;
pub use reload::{Load, Reloading};

use crate::clock;
use crate::config::{self, Config};
use crate::metrics::Own;
use crate::server::security::Security;
use crate::server::{self, Limits};
use crate::store::{Keeper, Rules, Saved, StateFile, Store};
use anyhow::Context;
use jiff::Timestamp;
use pulse::Pulses;
use reload::Reloader;
use running::{Running, rules};
use source::{Known, Lags};
use std::path::Path;
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
/// What is left for the state file then is written in so long, or lost: a disk that hangs does not keep the process.
const LAST_WRITE: Duration = Duration::from_secs(5);

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

/// Who may see the pages and over what, by a web config file if there is one.
///
/// # Errors
/// Every mistake of the file, a line each.
pub fn security(web_config_file: Option<&Path>) -> Result<Arc<Security>, String> {
    let Some(path) = web_config_file.map(Path::to_owned) else {
        return Ok(Arc::new(Security::none()));
    };
    Security::new(move || config::read_web(&path)).map(Arc::new)
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

/// What an exporter starts with.
#[derive(Debug)]
pub struct Start {
    /// What to poll.
    pub config: Config,
    /// Where it goes on from: what [`open_state`] gave.
    pub state: Option<(StateFile, Saved)>,
    /// How the config is loaded anew.
    pub reloading: Reloading,
    /// Who may see the pages: what [`security`] gave.
    pub security: Arc<Security>,
}

/// Polls what the config names, and what it names when it is loaded anew, and serves it on `listener` until `stop`.
///
/// # Errors
/// When an account cannot be set up, or a part ended by a bug: better to end, and be started again, than to go on
/// without it.
pub async fn run(start: Start, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let Start { config, state, reloading, security } = start;
    let now = clock::now();
    let own = Arc::new(Own::new().context("the exporter's own metrics cannot be set up")?);
    own.set_build(VERSION, REVISION);
    let (store, keeper) = set_up_store(rules(&config), state, &own, now);
    let lags = Arc::new(Lags::default());
    let pulses = Pulses::default();
    let ends = stop.clone();
    let running = Running::new(Arc::clone(&store), Arc::clone(&own), Arc::clone(&lags), pulses.clone(), ends);
    let mut running = running.keeping(config.state_path.clone());
    let accounts = config.counts().accounts;
    running.apply(config).await.context("an account cannot be set up")?;
    store.settle();
    own.config_taken(now);
    let (reloader, requests) = Reloader::new(reloading.load, Arc::clone(&security), running, Arc::clone(&own))?;
    let address = listener.local_addr().context("the listening address is not known")?;
    let tls = security.is_tls();
    tracing::info!(version = VERSION, revision = REVISION, accounts, %address, tls, "serving");
    let reloads = reloading.over_http.then_some(requests);
    let source = Arc::new(Known { store: Arc::clone(&store), own, lags, reloads });
    let mut parts = JoinSet::new();
    parts.spawn(pulses.watch("config", reloader.run(stop.clone())));
    let serving = server::serve(listener, source, security, Limits::default(), stop.clone());
    parts.spawn(pulses.watch("server", serving));
    if let Some(keeper) = &keeper {
        parts.spawn(pulses.watch("state", Arc::clone(keeper).run(stop.clone())));
    }
    if notify::is_wanted() {
        parts.spawn(notify::keep_telling(pulses, move || status(&store), stop.clone()));
    }
    let result = run_until_stopped(parts, stop).await;
    if let Some(keeper) = &keeper {
        // What ended after the keeper had.
        if timeout(LAST_WRITE, keeper.finish()).await.is_err() {
            tracing::error!("the state file cannot be written in time: what is new is lost");
        }
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

/// The exporter in one line, for the service manager.
fn status(store: &Store) -> String {
    let accounts = store.accounts();
    let tasks: usize = accounts.iter().map(|account| account.tasks).sum();
    let in_trouble = accounts.iter().filter(|account| account.problem.is_some()).count();
    format!("{tasks} tasks of {} accounts, {in_trouble} of them in trouble", accounts.len())
}

/// What signals ask for.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// To end in good order: the first SIGTERM or SIGINT.
    pub stop: CancellationToken,
    /// To end at once: the second.
    pub abort: CancellationToken,
}

/// Listens for the signals that ask the process to stop.
///
/// # Errors
/// When the system does not let us hear of them.
pub fn stop_on_signals(tracker: &TaskTracker) -> anyhow::Result<Signals> {
    let signals = Signals::default();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let Signals { stop, abort } = signals.clone();
    tracker.spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        tokio::select! {
            signal = next() => tracing::info!(signal, "stopping"),
            () = stop.cancelled() => {}
        }
        stop.cancel();
        let signal = next().await;
        tracing::warn!(signal, "stopping at once");
        abort.cancel();
    });
    Ok(signals)
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
