//! Loads the config anew when somebody asks for it: by SIGHUP, or over HTTP. One reload at a time.
//!
//! It owns what runs. Whoever asks is answered when the new config is in force, or with every mistake that keeps the one
//! before in force.

use super::notify;
use super::running::{Difference, Running};
use crate::clock;
use crate::cloud;
use crate::config::Config;
use crate::metrics::Own;
use crate::poll::Changes;
use crate::server::security::Security;
use anyhow::Context;
use std::fmt;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// So many bytes of mistakes go into one line of the log.
const LINE: usize = 1900;

/// How the config is loaded anew: whole and checked, or every mistake of all that belongs to it, each on a line and none with
/// a secret.
pub type Load = dyn Fn() -> Result<Config, String> + Send + Sync;

/// How the config is loaded anew, and who may ask for it.
#[derive(Clone)]
pub struct Reloading {
    /// Called for each reload, where it may read files.
    pub load: Arc<Load>,
    /// Whether to take requests over HTTP, not only the signal.
    pub over_http: bool,
}

/// Whether a reload went well, or every mistake.
type Answer = Result<(), String>;

/// The way to ask for a reload.
#[derive(Clone, Debug)]
pub(super) struct Requests(mpsc::Sender<oneshot::Sender<Answer>>);

/// Takes the requests.
pub(super) struct Reloader {
    load: Arc<Load>,
    security: Arc<Security>,
    running: Running,
    own: Arc<Own>,
    hangups: Signal,
    requests: mpsc::Receiver<oneshot::Sender<Answer>>,
}

impl fmt::Debug for Reloading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reloading").field("over_http", &self.over_http).finish_non_exhaustive()
    }
}

impl Requests {
    /// Asks for a reload and waits until it is done.
    pub(super) async fn ask(self) -> Answer {
        let stopping = || "the exporter is stopping".to_owned();
        let (done, answer) = oneshot::channel();
        self.0.send(done).await.map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }
}

impl Reloader {
    /// Takes charge of what runs.
    ///
    /// # Errors
    /// When the system does not let us hear of SIGHUP.
    pub(super) fn new(
        load: Arc<Load>,
        security: Arc<Security>,
        running: Running,
        own: Arc<Own>,
    ) -> anyhow::Result<(Self, Requests)> {
        let hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be waited for")?;
        let (asked, requests) = mpsc::channel(1);
        Ok((Self { load, security, running, own, hangups, requests }, Requests(asked)))
    }

    /// Takes requests until `stop`; returns when everything that runs has ended.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.running.watch() => break,
                Some(done) = self.requests.recv() => {
                    let answer = self.reload().await;
                    // Whoever asked may have gone meanwhile.
                    done.send(answer).ok();
                }
                // What is wrong is in the log.
                Some(()) = self.hangups.recv() => drop(self.reload().await),
            }
        }
        self.running.ended().await;
    }

    async fn reload(&mut self) -> Answer {
        notify::reloading();
        let result = self.load_and_apply().await;
        notify::reloaded();
        match &result {
            Ok(difference) => {
                self.own.config_taken(clock::now());
                tell(difference);
            }
            Err(mistakes) => {
                self.own.config_refused();
                for mistakes in lines(mistakes) {
                    tracing::error!(mistakes, "the config is refused; the one before stays in force");
                }
            }
        }
        result.map(|_| ())
    }

    async fn load_and_apply(&mut self) -> Result<Difference, String> {
        let (load, security) = (Arc::clone(&self.load), Arc::clone(&self.security));
        let loaded = spawn_blocking(move || both(load(), security.read_again())).await;
        let (config, next) = loaded.map_err(|error| format!("loading the config ended by a bug: {error}"))??;
        let difference = self.running.apply(config).await.map_err(|error| cloud::chain(&error))?;
        let security = Arc::clone(&self.security);
        // Who looks at the files of the web config, on a slow disk perhaps, is waited for, but not by the executor.
        let enforced = spawn_blocking(move || security.enforce(next)).await;
        enforced.map_err(|error| format!("taking the web config ended by a bug: {error}"))?;
        Ok(difference)
    }
}

/// Both, or the mistakes of either.
fn both<A, B>(one: Result<A, String>, other: Result<B, String>) -> Result<(A, B), String> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let mistakes = [one.err(), other.err()];
            Err(mistakes.into_iter().flatten().map(|text| text.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// The mistakes, several to a line of the log: a long line would be cut there, and of many some left out.
fn lines(mistakes: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for mistake in mistakes.lines() {
        match lines.last_mut().filter(|line| line.len() + mistake.len() < LINE) {
            Some(line) => *line = format!("{line}\n{mistake}"),
            None => lines.push(mistake.to_owned()),
        }
    }
    lines
}

fn tell(difference: &Difference) {
    let Difference { accounts_added, accounts_removed, accounts_changed, of_accounts } = *difference;
    let Changes { tasks_added, tasks_removed, tasks_changed, finders_added, finders_removed } = of_accounts;
    tracing::info!(
        accounts_added,
        accounts_removed,
        accounts_changed,
        tasks_added,
        tasks_removed,
        tasks_changed,
        finders_added,
        finders_removed,
        "config reloaded"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_in_the_log_once_in_few_lines() {
        let mistakes: Vec<String> =
            (0..100).map(|number| format!("config.yaml:{number}:1: {}", "x".repeat(130))).collect();
        let lines = lines(&mistakes.join("\n"));
        assert_eq!(lines.join("\n"), mistakes.join("\n"));
        assert!(lines.len() < 10 && lines.iter().all(|line| line.len() <= LINE));
    }
}
