//! What every account and every target has, whatever its cloud: the checks and the defaults stand here once.

use super::{
    AccountName, Environment, GroupName, Interval, LabelName, LabelValue, Outgoing, RateLimit, RegionName, Report,
    TextOrRef, TlsConfig,
};
use crate::cloud::mark;
use crate::model::{AccountKey, Labels, Provider, Target, TaskKey};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Values of the whole file that accounts fall back to.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// `poll.interval`.
    pub interval: Duration,
    /// `poll.timeout`: of one request.
    pub timeout: Duration,
    /// `labels` of the file.
    pub labels: BTreeMap<LabelName, LabelValue>,
    /// Where secrets are read while the config is checked; none to leave them unread, as `check-config` does.
    pub environment: Option<Environment>,
    /// Accounts met so far, to find a second one of the same name.
    pub accounts: HashSet<AccountKey>,
    /// Tasks met so far, to find a second one of the same id.
    pub tasks: HashSet<TaskKey>,
}

/// The fields of an account section that are the same in every cloud, as the file has them.
#[derive(Clone, Debug, Default)]
pub struct CommonFields {
    /// `account`.
    pub account: Option<AccountName>,
    /// `region`.
    pub region: Option<RegionName>,
    /// `rate_limit`.
    pub rate_limit: Option<RateLimit>,
    /// `proxy_url`.
    pub proxy_url: Option<TextOrRef>,
    /// `tls_config`.
    pub tls_config: Option<TlsConfig>,
    /// `interval`.
    pub interval: Option<Interval>,
    /// `labels`.
    pub labels: BTreeMap<LabelName, LabelValue>,
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct Common {
    /// Which account.
    pub key: AccountKey,
    /// The cloud's region.
    pub region: Arc<str>,
    /// The user's requests per second for each API, if any.
    pub rate_limit: Option<f64>,
    /// Of one request.
    pub timeout: Duration,
    /// How its requests leave.
    pub outgoing: Outgoing,
    interval: Duration,
    labels: BTreeMap<LabelName, LabelValue>,
}

/// The fields of a target that are the same in every cloud, as the file has them.
#[derive(Clone, Debug, Default)]
pub struct TargetFields {
    /// `group`.
    pub group: Option<GroupName>,
    /// `interval`.
    pub interval: Option<Interval>,
    /// `labels`.
    pub labels: BTreeMap<LabelName, LabelValue>,
}

impl Common {
    /// Checks the fields; mistakes go to the report, which is at the account's section. Where the name or the region is
    /// missing something stands in for it, so that the rest of the section is checked all the same.
    pub fn check(
        fields: CommonFields,
        provider: Provider,
        region_example: &str,
        defaults: &mut Defaults,
        report: &mut Report,
    ) -> Self {
        let account = report.required("account", fields.account, "prod");
        let region = report.required("region", fields.region, region_example);
        let interval = check_interval(fields.interval, defaults.interval, report);
        let unnamed = || format!("account {} without a name", defaults.accounts.len()).into();
        let account = account.map_or_else(unnamed, |AccountName(account)| account);
        let region = region.map_or_else(|| region_example.into(), |RegionName(region)| region);
        let key = AccountKey { provider, account };
        if !defaults.accounts.insert(key.clone()) {
            report.mistake_at(
                "account",
                format!("a second account {:?} of {provider}; give each its own name", key.account),
            );
        }
        let outgoing = Outgoing::check(fields.proxy_url, fields.tls_config, defaults.environment.as_ref(), report);
        let mut labels = defaults.labels.clone();
        labels.extend(fields.labels);
        Self {
            key,
            region,
            rate_limit: fields.rate_limit.map(|rate| rate.0),
            timeout: defaults.timeout,
            outgoing,
            interval,
            labels,
        }
    }

    /// Its part of [`Prepared::settings`](crate::cloud::Prepared::settings).
    pub fn settings(&self) -> String {
        let Self { key, region, rate_limit, timeout, outgoing, interval: _, labels: _ } = self;
        let authorities = String::from_utf8_lossy(outgoing.authorities().unwrap_or_default());
        let way = mark(&[outgoing.proxy().unwrap_or_default(), &authorities]);
        format!("{key:?} {region} {rate_limit:?} {timeout:?} {way}")
    }

    /// A task the config names, or (with an empty id) the template of tasks to be found.
    pub fn target(&self, task_id: &str, fields: TargetFields, report: &mut Report) -> Target {
        let interval = check_interval(fields.interval, self.interval, report);
        let mut labels = self.labels.clone();
        labels.extend(fields.labels);
        Target {
            key: TaskKey { account: self.key.clone(), task_id: task_id.into() },
            cloud_region: Arc::clone(&self.region),
            group: fields.group.map_or_else(|| "default".into(), |group| group.0),
            labels: Arc::new(labels.into_iter().map(|(name, value)| (name.0, value.0)).collect()),
            interval,
        }
    }

    /// As [`target`](Self::target), for a task that is named under `key`: a second one of the same id is a mistake there.
    pub fn named_target(
        &self,
        (key, task_id): (&str, &str),
        fields: TargetFields,
        defaults: &mut Defaults,
        report: &mut Report,
    ) -> Target {
        let target = self.target(task_id, fields, report);
        if !defaults.tasks.insert(target.key.clone()) {
            report.mistake_at(
                key,
                format!("a second target {task_id:?} of account {:?}; name each task once", self.key.account),
            );
        }
        target
    }
}

/// Gives every target all label names of the config, empty where it has no value, so that the series of
/// `cloud_task_info` have the same label names.
pub fn join_labels<'a>(targets: impl Iterator<Item = &'a mut Target>) {
    let targets: Vec<&mut Target> = targets.collect();
    let names: Vec<Arc<str>> = targets.iter().flat_map(|target| target.labels.keys().cloned()).collect();
    let empty: Labels = names.into_iter().map(|name| (name, "".into())).collect();
    let mut shared: HashSet<Arc<Labels>> = HashSet::new();
    for target in targets {
        let mut labels = empty.clone();
        labels.extend(target.labels.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value))));
        let labels = Arc::new(labels);
        // Ten thousand targets with the same labels share one map.
        target.labels = shared.get(&labels).cloned().unwrap_or_else(|| {
            shared.insert(Arc::clone(&labels));
            labels
        });
    }
}

fn check_interval(interval: Option<Interval>, default: Duration, report: &mut Report) -> Duration {
    match interval {
        None => default,
        Some(Interval(interval)) => {
            if interval < Duration::from_secs(1) {
                report.mistake_at("interval", "an interval is at least 1s, for example 30s");
            }
            interval
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_and_a_region_the_rest_is_still_checked() {
        let mut defaults = Defaults {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            labels: BTreeMap::new(),
            environment: None,
            accounts: HashSet::new(),
            tasks: HashSet::new(),
        };
        let mut report = Report::default();
        for _ in 0..2 {
            let fields = CommonFields { interval: Some(Interval(Duration::ZERO)), ..CommonFields::default() };
            let common = Common::check(fields, Provider::new("cloud"), "here-1", &mut defaults, &mut report);
            for _ in 0..2 {
                common.named_target(("task", "T"), TargetFields::default(), &mut defaults, &mut report);
            }
        }
        let once = ["missing `account`", "missing `region`", "interval: an interval", "task: a second target"];
        let mistakes: Vec<String> = report.into_mistakes().iter().map(ToString::to_string).collect();
        assert_eq!(mistakes.len(), 2 * once.len());
        for (mistake, begin) in mistakes.iter().zip(once.iter().cycle()) {
            assert!(mistake.starts_with(begin), "{mistake}");
        }
    }
}
