//! What the service manager is told of the process, as sd_notify(3) of systemd describes it: that it serves, that it is
//! alive, that it loads its config anew, that it stops. Where there is no service manager (no `NOTIFY_SOCKET`), nobody is
//! told anything.

use super::pulse::Pulses;
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The status is told so often where no watchdog asks for more.
const STATUS_PERIOD: Duration = Duration::from_secs(30);

/// Whether there is a service manager that wants to be told.
pub(super) fn is_wanted() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Tells that the exporter is ready, then now and again how it is and that it is alive, and at last that it stops. The
/// watchdog is not told while a part hangs, so that the service manager ends the process and starts it again.
pub(super) async fn keep_telling(pulses: Pulses, status: impl Fn() -> String, stop: CancellationToken) {
    tell(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled().filter(|period| !period.is_zero());
    // Twice within what the manager waits for, as sd_watchdog_enabled(3) recommends.
    let mut turns = interval(watchdog.map_or(STATUS_PERIOD, |period| period / 2));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = turns.tick() => {}
        }
        tell(&[NotifyState::Status(&status())]);
        let silent = pulses.silent(Instant::now());
        for part in &silent {
            tracing::error!(part, "a part of the exporter hangs");
        }
        if watchdog.is_some() && silent.is_empty() {
            tell(&[NotifyState::Watchdog]);
        }
    }
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Tells that the config is being loaded anew. The instant is for `Type=notify-reload`, which takes no such message without
/// it (systemd.service(5)).
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager cannot be told of a reload"),
    }
}

/// Tells that a reload is over, whether the new config was taken or not.
pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how the exporter is");
    }
}
