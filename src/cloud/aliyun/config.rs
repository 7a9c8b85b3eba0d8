//! An account's section of the config file: its shape, its checks, and what it becomes. No request is made here.

use super::api::flaw_of_id;
use super::credentials;
use super::find::Wanted;
use super::{Found, PROVIDER, Settings};
use crate::cloud::Prepared;
use crate::cloud::settings::{
    AccountName, Common, CommonFields, Defaults, Endpoint, GroupName, Interval, LabelName, LabelValue, RateLimit,
    RegionName, Report, TargetFields, TextOrRef, TlsConfig,
};
use crate::model::Target;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tasks a discovery finds at the most where the config does not say.
const DEFAULT_LIMIT: usize = 500;

/// An account of Alibaba Cloud in one region: tasks of its Container Service (ACK).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AliyunSection")]
pub struct Section {
    /// Your name for the account; the label `account`.
    account: Option<AccountName>,
    /// The region of its clusters, such as cn-hangzhou.
    region: Option<RegionName>,
    /// Address of the API. Default: `https://cs.REGION.aliyuncs.com`
    endpoint: Option<Endpoint>,
    /// Requests per second for each API action. Default: 5 for tasks, 2 for lists.
    rate_limit: Option<RateLimit>,
    /// Proxy for its requests, such as `http://proxy.example:3128`, or where that is kept. Default: that of the environment.
    proxy_url: Option<TextOrRef>,
    /// What to trust beside the system's certificate authorities.
    tls_config: Option<TlsConfig>,
    /// How often a live task is asked for. Default: poll.interval.
    interval: Option<Interval>,
    /// Labels on cloud_task_info of every task of the account.
    labels: BTreeMap<LabelName, LabelValue>,
    /// Where its keys come from. Left out: the default chain of the vendor's SDKs.
    credentials: Option<credentials::Section>,
    /// Tasks to poll.
    targets: Option<Vec<TargetSection>>,
    /// Tasks to find and then poll.
    discover: Option<Vec<DiscoverSection>>,
}

/// A task to poll.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AliyunTarget")]
struct TargetSection {
    /// The id of the task, such as T-5faa48fb31b6b8078d000006.
    task: Option<String>,
    /// Your name for what the task belongs to. Default: default.
    group: Option<GroupName>,
    /// How often the task is asked for while it is live. Default: that of the account.
    interval: Option<Interval>,
    /// Labels on cloud_task_info of the task.
    labels: BTreeMap<LabelName, LabelValue>,
}

/// Tasks to find and then poll.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AliyunDiscovery")]
struct DiscoverSection {
    /// Ids of the clusters whose tasks are wanted. Left out: every cluster of the region.
    clusters: Option<Vec<String>>,
    /// Your name for what the tasks belong to. Default: default.
    group: Option<GroupName>,
    /// Only tasks made at most so long ago. Left out: tasks of any age.
    max_age: Option<Interval>,
    /// At most so many tasks, the newest. Default: 500.
    limit: Option<usize>,
    /// How often a found task is asked for while it is live. Default: that of the account.
    interval: Option<Interval>,
    /// Labels on cloud_task_info of the tasks found.
    labels: BTreeMap<LabelName, LabelValue>,
}

impl Section {
    /// Checks the section; mistakes go to the report, which is at the section.
    pub fn check(self, defaults: &mut Defaults, report: &mut Report) -> Option<Box<dyn Prepared>> {
        if self.targets.is_none() && self.discover.is_none() {
            report.mistake("nothing to poll; name tasks under `targets`, or have them found with `discover`");
        }
        let fields = CommonFields {
            account: self.account,
            region: self.region,
            rate_limit: self.rate_limit,
            proxy_url: self.proxy_url,
            tls_config: self.tls_config,
            interval: self.interval,
            labels: self.labels,
        };
        let common = Common::check(fields, PROVIDER, "cn-hangzhou", defaults, report);
        let keyring = credentials::Section::check(self.credentials, defaults.environment.as_ref(), report);
        let targets = list("targets", self.targets, report, |report, target| target.check(&common, defaults, report));
        let found = list("discover", self.discover, report, |report, discover| Some(discover.check(&common, report)));
        let endpoint = match self.endpoint {
            Some(endpoint) => Ok(endpoint),
            None => Endpoint::https(&format!("cs.{}.aliyuncs.com", common.region)),
        };
        let endpoint = endpoint.map_err(|mistake| report.mistake_at("region", mistake)).ok()?;
        Some(Box::new(Settings { common, endpoint, keyring, targets, found }))
    }
}

impl TargetSection {
    fn check(self, common: &Common, defaults: &mut Defaults, report: &mut Report) -> Option<Target> {
        let task = report.required("task", self.task, "T-5faa48fb31b6b8078d000006")?;
        if let Some(flaw) = flaw_of_id(&task) {
            report.mistake_at("task", format!("the task id {flaw}; expected one such as T-5faa48fb31b6b8078d000006"));
        }
        let fields = TargetFields { group: self.group, interval: self.interval, labels: self.labels };
        Some(common.named_target(("task", &task), fields, defaults, report))
    }
}

impl DiscoverSection {
    fn check(self, common: &Common, report: &mut Report) -> Found {
        let clusters = self.clusters.map(|clusters| {
            list("clusters", Some(clusters), report, |report, cluster| {
                if let Some(flaw) = flaw_of_id(&cluster) {
                    let example = "c78592bfe92244365b3c3ad47f1de";
                    report.mistake(format!("the cluster id {flaw}; expected one such as {example}"));
                }
                Some(cluster.into())
            })
        });
        if self.max_age.is_some_and(|age| age.0.is_zero()) {
            report.mistake_at("max_age", "no task is so young; expected an age such as 7d, or leave it out");
        }
        if self.limit == Some(0) {
            report.mistake_at("limit", "with 0 nothing is found; expected a number such as 500, or leave it out");
        }
        let fields = TargetFields { group: self.group, interval: self.interval, labels: self.labels };
        let wanted = Wanted {
            clusters,
            region: Arc::clone(&common.region),
            max_age: self.max_age.map(|age| age.0),
            limit: self.limit.unwrap_or(DEFAULT_LIMIT),
        };
        Found { template: common.target("", fields, report), wanted }
    }
}

/// Checks the items of a list; one that is there must not be empty.
fn list<Item, Checked>(
    key: &str,
    items: Option<Vec<Item>>,
    report: &mut Report,
    check: impl FnMut(&mut Report, Item) -> Option<Checked>,
) -> Vec<Checked> {
    if items.as_ref().is_some_and(Vec::is_empty) {
        report.mistake_at(key, format!("the list is empty; name at least one, or leave `{key}` out"));
    }
    report.at(key, |report| report.each(items.unwrap_or_default(), check)).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::settings::{Environment, Mistake};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn check(section: Value, environment: Option<&'static [(&str, &str)]>) -> (Option<Box<dyn Prepared>>, Vec<String>) {
        let environment = environment.map(|variables| {
            Environment::from_fn(|name| {
                variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
            })
        });
        let mut defaults = Defaults {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            labels: BTreeMap::new(),
            environment,
            accounts: std::collections::HashSet::new(),
            tasks: std::collections::HashSet::new(),
        };
        let mut report = Report::default();
        let section: Section = serde_json::from_value(section).unwrap();
        let prepared = section.check(&mut defaults, &mut report);
        (prepared, report.into_mistakes().iter().map(Mistake::to_string).collect())
    }

    const KEY: &[(&str, &str)] = &[
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5t"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2"),
        ("SPACED", "hunter 2"),
    ];

    #[test]
    fn a_whole_section() {
        let section = json!({
            "account": "ack", "region": "cn-hangzhou", "interval": "1m", "labels": {"team": "data"},
            "targets": [{"task": "install-addons-c3x", "group": "addons", "interval": "5s", "labels": {"owner": "a"}}],
            "discover": [{"clusters": ["c1"], "group": "all", "max_age": "7d", "limit": 9}, {}],
        });
        let (prepared, mistakes) = check(section, Some(KEY));
        assert_eq!(mistakes, [""; 0]);
        let mut prepared = prepared.unwrap();
        let shown = format!("{prepared:?}");
        assert!(!shown.contains("hunter2") && shown.contains("cs.cn-hangzhou.aliyuncs.com"), "{shown}");
        let targets = prepared.targets_mut();
        let told: Vec<_> =
            targets.iter().map(|target| (&*target.key.task_id, &*target.group, target.interval.as_secs())).collect();
        assert_eq!(told, [("install-addons-c3x", "addons", 5), ("", "all", 60), ("", "default", 60)]);
        assert_eq!(targets[0].labels.len(), 2);
    }

    #[test]
    fn every_mistake_at_its_place() {
        let section = json!({
            "account": "ack", "region": "cn-hangzhou",
            "credentials": {
                "access_key_id": {"env": "NOBODY"},
                "access_key_secret": {"env": "ALIBABA_CLOUD_ACCESS_KEY_SECRET"},
                "security_token": {"env": "SPACED"},
            },
            "targets": [{}, {"task": ""}, {"task": "a\nb"}, {"task": "T-1"}, {"task": "T-1", "interval": "0s"}],
            "discover": [{"clusters": []}, {"clusters": ["c1", ".."], "max_age": "0s", "limit": 0}],
        });
        let (_, mistakes) = check(section, Some(KEY));
        let places: Vec<&str> = mistakes.iter().map(|mistake| mistake.split_once(": ").unwrap_or_default().0).collect();
        let expected = [
            "credentials.access_key_id",
            "credentials.security_token",
            "targets[0]",
            "targets[1].task",
            "targets[2].task",
            "targets[4].interval",
            "targets[4].task",
            "discover[0].clusters",
            "discover[1].clusters[1]",
            "discover[1].max_age",
            "discover[1].limit",
        ];
        assert_eq!(places, expected, "{mistakes:#?}");
        assert!(!mistakes.iter().any(|mistake| mistake.contains("hunter")), "{mistakes:#?}");
    }

    #[test]
    fn nothing_to_poll_and_no_name_are_told_together() {
        let (_, mistakes) = check(json!({}), None);
        assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
        let (_, mistakes) = check(json!({"account": "a", "region": "r", "targets": []}), None);
        assert_eq!(mistakes, ["targets: the list is empty; name at least one, or leave `targets` out"]);
    }

    #[test]
    fn secrets_are_left_unread_where_there_is_no_environment() {
        let section = json!({"account": "a", "region": "r", "targets": [{"task": "T-1"}]});
        let (prepared, mistakes) = check(section.clone(), None);
        assert!(prepared.is_some() && mistakes.is_empty());
        let named = json!({"access_key_id": {"env": "NOBODY"}, "access_key_secret": {"env": "NOBODY"}});
        let mut section = section;
        section["credentials"] = named;
        let (_, mistakes) = check(section.clone(), Some(&[]));
        assert!(mistakes[0].contains("NOBODY is not set"), "{mistakes:?}");
        assert_eq!(check(section, None).1, [""; 0]);
    }

    #[test]
    fn plain_secrets_and_unknown_keys_are_refused() {
        for section in [json!({"credentials": {"access_key_id": "LTAI5t"}}), json!({"acount": "a"})] {
            let refusal = serde_json::from_value::<Section>(section).unwrap_err().to_string();
            assert!(!refusal.contains("LTAI5t"), "{refusal}");
        }
    }
}
