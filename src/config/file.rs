//! The config file as serde and the JSON Schema see it, and the checks that look at more than one value.
//!
//! What belongs to one cloud is in that cloud's folder; this file learns of the clouds from their list.

use super::{Config, Counts, Metrics, Poll};
use crate::cloud::settings::{Defaults, Environment, Interval, LabelName, LabelValue, Report, join_labels};
use crate::cloud::{Prepared, with_clouds};
use crate::model::Target;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

macro_rules! file {
    ($($cloud:ident),*) => {
        /// Configuration of cloud-task-exporter: which tasks of which clouds are polled, and how often.
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        #[schemars(title = "cloud-task-exporter")]
        pub(super) struct File {
            /// When tasks are polled.
            poll: Option<PollFields>,
            /// What is exported.
            metrics: Option<MetricsFields>,
            /// What survives a restart.
            state: Option<StateFields>,
            /// Labels of cloud_task_info for every task. An account and a target can add their own and override these.
            labels: Option<BTreeMap<LabelName, LabelValue>>,
            $(
                #[doc = concat!("Accounts of ", stringify!($cloud), ": each is one set of credentials in one region.")]
                $cloud: Option<Vec<crate::cloud::$cloud::Section>>,
            )*
        }

        /// The keys of the clouds, each in backticks.
        const CLOUDS: &[&str] = &[$(concat!("`", stringify!($cloud), "`")),*];

        impl File {
            /// The accounts of every cloud; none where the file has no list of accounts at all.
            fn accounts(self, defaults: &mut Defaults, report: &mut Report) -> Option<Vec<Box<dyn Prepared>>> {
                let mut accounts = None;
                $(if let Some(sections) = self.$cloud {
                    let accounts = accounts.get_or_insert_with(Vec::new);
                    report.at(stringify!($cloud), |report| {
                        if sections.is_empty() {
                            report.mistake("an empty list; add an account, or remove the key");
                        }
                        let checked = report.each(sections, |report, section| section.check(defaults, report));
                        accounts.extend(checked.into_iter().flatten());
                    });
                })*
                accounts
            }
        }
    };
}
with_clouds!(file);

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Poll")]
struct PollFields {
    /// How often a live task is asked for; an account and a target can have their own. At least 1s.
    #[schemars(extend("default" = "30s"))]
    interval: Option<Interval>,
    /// How long one API request may take. At least 10ms.
    #[schemars(extend("default" = "10s"))]
    timeout: Option<Interval>,
    /// A task that was not polled successfully for so long loses its state series. Longer than the interval.
    #[schemars(extend("default" = "10m"))]
    stale_after: Option<Interval>,
    /// How often a finished task is looked at again, since a retry can revive it. 0s: never.
    #[schemars(extend("default" = "1h"))]
    final_recheck: Option<Interval>,
    /// How long a task that was never seen may read as "not found" before it counts as gone.
    #[schemars(extend("default" = "5m"))]
    not_found_grace: Option<Interval>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Metrics")]
struct MetricsFields {
    /// Whether each task has histograms of how long its instances waited, started and ran.
    #[schemars(extend("default" = true))]
    instance_histograms: Option<bool>,
    /// At most so many series; tasks that would go past it are left out and counted.
    #[schemars(extend("default" = 1_000_000, "minimum" = 1))]
    series_limit: Option<usize>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "State")]
struct StateFields {
    /// The file that keeps counters and last states over a restart. Its directory has to exist. Default: none is kept.
    path: Option<PathBuf>,
}

impl File {
    /// The config; mistakes go to the first report, what is only odd to the second.
    pub(super) fn check(mut self, environment: Option<Environment>, report: &mut Report, odd: &mut Report) -> Config {
        let poll = report.at("poll", |report| self.poll.take().unwrap_or_default().check(report));
        let metrics = report.at("metrics", |report| self.metrics.take().unwrap_or_default().check(report));
        let state_path = check_state(self.state.take(), report);
        let mut defaults = Defaults {
            interval: poll.interval,
            timeout: poll.timeout,
            labels: self.labels.take().unwrap_or_default(),
            environment,
            accounts: HashSet::new(),
            tasks: HashSet::new(),
        };
        let accounts = self.accounts(&mut defaults, report);
        if accounts.is_none() {
            report.mistake(format!("no account; add a list of them under one of {}", CLOUDS.join(", ")));
        }
        let mut config = Config {
            poll,
            metrics,
            state_path,
            accounts: accounts.unwrap_or_default(),
            counts: Counts::default(),
            warnings: Vec::new(),
        };
        finish_targets(&mut config, odd);
        config
    }
}

impl PollFields {
    fn check(self, report: &mut Report) -> Poll {
        let (has_interval, default) = (self.interval.is_some(), Poll::default());
        let or = |interval: Option<Interval>, default| interval.map_or(default, |Interval(duration)| duration);
        let poll = Poll {
            interval: or(self.interval, default.interval),
            timeout: or(self.timeout, default.timeout),
            stale_after: or(self.stale_after, default.stale_after),
            final_recheck: or(self.final_recheck, default.final_recheck),
            not_found_grace: or(self.not_found_grace, default.not_found_grace),
        };
        if poll.interval < Duration::from_secs(1) {
            report.mistake_at("interval", "an interval is at least 1s, for example 30s");
        }
        if poll.timeout < Duration::from_millis(10) {
            report.mistake_at("timeout", "a timeout is at least 10ms, for example 10s");
        }
        if poll.stale_after <= poll.interval {
            let key = if self.stale_after.is_none() && has_interval { "interval" } else { "stale_after" };
            let (stale_after, interval) = (words(poll.stale_after), words(poll.interval));
            report.mistake_at(
                key,
                format!(
                    "every task would be stale before its next poll; make `stale_after` ({stale_after}) longer than \
                     `interval` ({interval}), best a few times as long"
                ),
            );
        }
        if !poll.final_recheck.is_zero() && poll.final_recheck < Duration::from_secs(1) {
            report.mistake_at("final_recheck", "expected at least 1s, for example 1h, or 0s for never");
        }
        poll
    }
}

impl MetricsFields {
    fn check(self, report: &mut Report) -> Metrics {
        let default = Metrics::default();
        let series_limit = self.series_limit.unwrap_or(default.series_limit);
        if series_limit == 0 {
            report
                .mistake_at("series_limit", "a limit of 0 leaves every task out; expected at least 1, such as 1000000");
        }
        Metrics { instance_histograms: self.instance_histograms.unwrap_or(default.instance_histograms), series_limit }
    }
}

fn check_state(state: Option<StateFields>, report: &mut Report) -> Option<PathBuf> {
    let path = state?.path?;
    if path.as_os_str().is_empty() {
        report.at("state", |report| report.mistake_at("path", "an empty path; expected one, or remove the key"));
    }
    Some(path)
}

/// Gives all targets the same label names and counts them.
fn finish_targets(config: &mut Config, odd: &mut Report) {
    let mut targets: Vec<&mut Target> = config.accounts.iter_mut().flat_map(|account| account.targets_mut()).collect();
    let finders = targets.iter().filter(|target| target.key.task_id.is_empty()).count();
    let counts = Counts { targets: targets.len() - finders, finders, accounts: 0 };
    let stale_after = config.poll.stale_after;
    // The interval of the whole file is judged where it stands.
    let slow = |target: &&mut Target| target.interval >= stale_after && target.interval != config.poll.interval;
    if let Some(target) = targets.iter().filter(|target| slow(target)).max_by_key(|target| target.interval) {
        let message = format!(
            "{} is polled only every {}, later than it counts as stale ({}); make `stale_after` longer than every interval",
            if target.key.task_id.is_empty() { "a found task".to_owned() } else { target.key.to_string() },
            words(target.interval),
            words(stale_after),
        );
        odd.at("poll", |odd| odd.mistake_at("stale_after", message));
    }
    join_labels(targets.drain(..));
    config.counts = Counts { accounts: config.accounts.len(), ..counts };
}

fn words(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
