//! What the exporter counts about itself, with the `prometheus` crate and a registry of its own.
//!
//! Rendered at scrape time by this project's writers, since the crate knows neither OpenMetrics nor native histograms; the
//! one histogram is this project's own for the same reason.

use super::Format;
use super::catalogue::{self, Family, Kind};
use super::codes::Codes;
use super::families::Families;
use super::sample::{Samples, Value};
use crate::model::{AccountKey, Histogram, Observe, Reason};
use jiff::Timestamp;
use prometheus::core::{Atomic, Collector, GenericGaugeVec, MetricVec, MetricVecBuilder};
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{CounterVec, DEFAULT_BUCKETS, Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The exporter's own metrics.
#[derive(Debug)]
pub struct Own {
    registry: Registry,
    polls: IntCounterVec,
    poll_failures: IntCounterVec,
    poll_panics: IntCounterVec,
    discoveries: IntCounterVec,
    discovery_failures: IntCounterVec,
    requests: IntCounterVec,
    /// By provider and API.
    request_duration: Mutex<BTreeMap<[&'static str; 2], Histogram>>,
    throttled: IntCounterVec,
    waited: CounterVec,
    quota: GaugeVec,
    demand: GaugeVec,
    lag: GaugeVec,
    credentials_expiry: GaugeVec,
    unknown_states: IntCounterVec,
    series: Gauge,
    series_limit: Gauge,
    series_dropped: IntCounter,
    reload_successful: Gauge,
    reload_timestamp: Gauge,
    state_written: GaugeVec,
    state_write_failures: IntCounterVec,
    build_info: GaugeVec,
    codes: Codes,
}

impl Own {
    /// All of the catalogue's own families, at zero.
    ///
    /// # Errors
    /// When the catalogue is not consistent; a test makes sure that it is.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let registered = Self {
            polls: counters(&registry, &catalogue::POLLS)?,
            poll_failures: counters(&registry, &catalogue::POLL_FAILURES)?,
            poll_panics: counters(&registry, &catalogue::POLL_PANICS)?,
            discoveries: counters(&registry, &catalogue::DISCOVERIES)?,
            discovery_failures: counters(&registry, &catalogue::DISCOVERY_FAILURES)?,
            requests: counters(&registry, &catalogue::API_REQUESTS)?,
            request_duration: Mutex::default(),
            throttled: counters(&registry, &catalogue::API_THROTTLED)?,
            waited: register(&registry, CounterVec::new(opts(&catalogue::API_WAIT), catalogue::API_WAIT.labels)?)?,
            quota: gauges(&registry, &catalogue::API_QUOTA)?,
            demand: gauges(&registry, &catalogue::API_DEMAND)?,
            lag: gauges(&registry, &catalogue::SCHEDULE_LAG)?,
            credentials_expiry: gauges(&registry, &catalogue::CREDENTIALS_EXPIRY)?,
            unknown_states: counters(&registry, &catalogue::UNKNOWN_STATES)?,
            series: gauge(&registry, &catalogue::SERIES)?,
            series_limit: gauge(&registry, &catalogue::SERIES_LIMIT)?,
            series_dropped: register(&registry, IntCounter::with_opts(opts(&catalogue::SERIES_DROPPED))?)?,
            reload_successful: gauge(&registry, &catalogue::RELOAD_SUCCESSFUL)?,
            reload_timestamp: gauge(&registry, &catalogue::RELOAD_TIMESTAMP)?,
            state_written: gauges(&registry, &catalogue::STATE_WRITTEN)?,
            state_write_failures: counters(&registry, &catalogue::STATE_WRITE_FAILURES)?,
            build_info: gauges(&registry, &catalogue::BUILD_INFO)?,
            codes: Codes::default(),
            registry,
        };
        Ok(registered)
    }

    /// Says which version runs.
    pub fn set_build(&self, version: &str, revision: &str) {
        self.build_info.with_label_values(&[version, revision]).set(1.0);
    }

    /// A config was loaded and taken.
    pub fn config_taken(&self, now: Timestamp) {
        self.reload_successful.set(1.0);
        self.reload_timestamp.set(now.as_duration().as_secs_f64());
    }

    /// A config was loaded and refused.
    pub fn config_refused(&self) {
        self.reload_successful.set(0.0);
    }

    /// The state file held all that was known. Until the first such call there is no series of a state file.
    pub fn state_written(&self, now: Timestamp) {
        self.state_written.with_label_values::<&str>(&[]).set(now.as_duration().as_secs_f64());
        // Failures are counted from zero.
        self.state_write_failures.with_label_values::<&str>(&[]);
    }

    /// The state file could not be written.
    pub fn state_write_failed(&self) {
        self.state_write_failures.with_label_values::<&str>(&[]).inc();
    }

    /// Sets the number of series of single tasks and their limit.
    #[expect(clippy::cast_precision_loss, reason = "numbers of series are far below 2^52")]
    pub fn set_series(&self, series: usize, limit: usize) {
        self.series.set(series as f64);
        self.series_limit.set(limit as f64);
    }

    /// Series of a new task were left out.
    pub fn series_dropped(&self, series: usize) {
        self.series_dropped.inc_by(u64::try_from(series).unwrap_or(u64::MAX));
    }

    /// How late the longest due poll of an account is, in seconds.
    pub fn set_lag(&self, account: &AccountKey, seconds: f64) {
        self.lag.with_label_values(&labels(account)).set(seconds);
    }

    /// Makes an account's counters known, so that they are there from zero.
    pub fn add_account(&self, account: &AccountKey) {
        let [provider, name] = labels(account);
        self.polls.with_label_values(&[provider, name]);
        self.poll_panics.with_label_values(&[provider, name]);
        self.discoveries.with_label_values(&[provider, name]);
        for reason in Reason::ALL {
            self.poll_failures.with_label_values(&[provider, name, reason.as_str()]);
            self.discovery_failures.with_label_values(&[provider, name, reason.as_str()]);
        }
        self.unknown_states.with_label_values(&[provider]);
        self.lag.with_label_values(&[provider, name]);
    }

    /// Forgets the series of an account.
    pub fn remove_account(&self, account: &AccountKey) {
        forget(&self.polls, account);
        forget(&self.poll_failures, account);
        forget(&self.poll_panics, account);
        forget(&self.discoveries, account);
        forget(&self.discovery_failures, account);
        forget(&self.requests, account);
        forget(&self.throttled, account);
        forget(&self.waited, account);
        forget(&self.quota, account);
        forget(&self.demand, account);
        forget(&self.lag, account);
        forget(&self.credentials_expiry, account);
    }

    /// The families, rendered in that format.
    pub fn render(&self, format: Format) -> Vec<u8> {
        let mut families = Families::new(format);
        for family in self.registry.gather() {
            push_family(&mut families, &family);
        }
        self.push_durations(&mut families);
        families.into_bytes()
    }

    fn push_durations(&self, families: &mut Families) {
        let durations = self.request_duration.lock().unwrap_or_else(PoisonError::into_inner).clone();
        families.push(&catalogue::API_REQUEST_DURATION, |samples| {
            for (values, histogram) in &durations {
                let labels: Vec<_> = catalogue::API_REQUEST_DURATION.labels.iter().copied().zip(*values).collect();
                samples.histogram(&labels, histogram);
            }
        });
    }
}

impl Observe for Own {
    fn request(&self, account: &AccountKey, api: &'static str, code: &str, took: Duration) {
        let [provider, name] = labels(account);
        let code = self.codes.bounded(provider_name(account), code);
        self.requests.with_label_values(&[provider, name, api, code]).inc();
        let mut durations = self.request_duration.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests take milliseconds to seconds: the convention's buckets for requests, not those of tasks.
        let histogram =
            durations.entry([provider_name(account), api]).or_insert_with(|| Histogram::new(DEFAULT_BUCKETS));
        histogram.observe(took.as_secs_f64());
    }

    fn throttled(&self, account: &AccountKey, api: &'static str) {
        let [provider, name] = labels(account);
        self.throttled.with_label_values(&[provider, name, api]).inc();
    }

    fn waited(&self, account: &AccountKey, api: &'static str, time: Duration) {
        let [provider, name] = labels(account);
        self.waited.with_label_values(&[provider, name, api]).inc_by(time.as_secs_f64());
    }

    fn quota(&self, account: &AccountKey, api: &'static str, requests_per_second: f64) {
        let [provider, name] = labels(account);
        self.quota.with_label_values(&[provider, name, api]).set(requests_per_second);
        // What may happen to this API is there from zero.
        self.requests.with_label_values(&[provider, name, api, "ok"]);
        self.throttled.with_label_values(&[provider, name, api]);
        self.waited.with_label_values(&[provider, name, api]);
        self.demand.with_label_values(&[provider, name, api]);
    }

    fn demand(&self, account: &AccountKey, api: &'static str, requests_per_second: f64) {
        let [provider, name] = labels(account);
        self.demand.with_label_values(&[provider, name, api]).set(requests_per_second);
    }

    fn credentials_expire(&self, account: &AccountKey, at: Option<Timestamp>) {
        match at {
            Some(at) => {
                self.credentials_expiry.with_label_values(&labels(account)).set(at.as_duration().as_secs_f64());
            }
            // There may have been none before, either.
            None => drop(self.credentials_expiry.remove_label_values(&labels(account))),
        }
    }

    fn polled(&self, account: &AccountKey, failure: Option<Reason>) {
        let [provider, name] = labels(account);
        self.polls.with_label_values(&[provider, name]).inc();
        if let Some(reason) = failure {
            self.poll_failures.with_label_values(&[provider, name, reason.as_str()]).inc();
        }
    }

    fn listed(&self, account: &AccountKey, failure: Option<Reason>) {
        let [provider, name] = labels(account);
        self.discoveries.with_label_values(&[provider, name]).inc();
        if let Some(reason) = failure {
            self.discovery_failures.with_label_values(&[provider, name, reason.as_str()]).inc();
        }
    }

    fn panicked(&self, account: &AccountKey) {
        self.poll_panics.with_label_values(&labels(account)).inc();
    }

    fn unknown_states(&self, account: &AccountKey, count: u64) {
        self.unknown_states.with_label_values(&[provider_name(account)]).inc_by(count);
    }
}

const fn provider_name(account: &AccountKey) -> &'static str {
    account.provider.as_str()
}

fn labels(account: &AccountKey) -> [&str; 2] {
    [provider_name(account), &account.account]
}

/// Removes every series of an account.
fn forget<B: MetricVecBuilder>(series: &MetricVec<B>, account: &AccountKey) {
    let [provider, name] = labels(account);
    for metric in series.collect().iter().flat_map(MetricFamily::get_metric) {
        let labels: HashMap<&str, &str> =
            metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
        if labels.get("provider") == Some(&provider) && labels.get("account") == Some(&name) {
            // It may be gone by now, which is what is wanted.
            series.remove(&labels).ok();
        }
    }
}

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counters(registry: &Registry, family: &Family) -> prometheus::Result<IntCounterVec> {
    register(registry, IntCounterVec::new(opts(family), family.labels)?)
}

fn gauges<P: Atomic + 'static>(registry: &Registry, family: &Family) -> prometheus::Result<GenericGaugeVec<P>> {
    register(registry, GenericGaugeVec::new(opts(family), family.labels)?)
}

fn gauge(registry: &Registry, family: &Family) -> prometheus::Result<Gauge> {
    register(registry, Gauge::with_opts(opts(family))?)
}

fn push_family(families: &mut Families, family: &MetricFamily) {
    let known = [catalogue::OWN, catalogue::PROCESS].into_iter().flatten().find(|known| known.name == family.name());
    let Some(known) = known else {
        return tracing::error!(name = family.name(), "a metric stands nowhere in the catalogue");
    };
    families.push(known, |samples| {
        for metric in family.get_metric() {
            tell(known.kind, metric, samples);
        }
    });
}

fn tell(kind: Kind, metric: &Metric, samples: &mut dyn Samples) {
    let labels: Vec<(&str, &str)> = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
    let value = match kind {
        Kind::Counter => metric.get_counter().get_value(),
        Kind::Gauge | Kind::Histogram => metric.get_gauge().get_value(),
    };
    samples.sample(&labels, Value::Real(value));
}
