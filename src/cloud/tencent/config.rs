//! An account's section of the config file and what can be wrong with it; its keys are in `credentials`.

use super::PROVIDER;
use super::access::Dialect;
use super::api::Filter;
use super::credentials::{self, Credentials};
use super::find::Conditions;
use super::id::{JobId, TaskId, TaskName};
use super::legacy::SignatureMethod;
use super::setup::{Checked, Search, What};
use super::state::State;
use crate::cloud::Prepared;
use crate::cloud::settings::{
    AccountName, Common, CommonFields, Defaults, Endpoint, GroupName, Interval, LabelName, LabelValue, Pattern,
    RateLimit, RegionName, Report, TargetFields, TextOrRef, TlsConfig,
};
use crate::model::{Target, TaskKey};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// How many tasks a discovery finds where the config does not say.
const DEFAULT_LIMIT: usize = 500;
/// The vendor takes so many values of one filter; beyond that jobs are told apart here.
const MOST_FILTER_VALUES: usize = 5;
const HOST: &str = "batch.tencentcloudapi.com";
const LEGACY_HOST: &str = "batch.api.qcloud.com";

/// An account in a region of Tencent Cloud Batch.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TencentAccount")]
pub struct Section {
    /// Your name for the account; the label `account`.
    account: Option<AccountName>,
    /// The region its jobs are in, such as ap-guangzhou.
    region: Option<RegionName>,
    /// Version of the API, in quotes: "3.0" (default), or "2.0" for the legacy one.
    api: Option<ApiVersion>,
    /// How requests of API 2.0 are signed; HmacSHA256 by default.
    signature_method: Option<SignatureMethod>,
    /// Address of the API; `https://batch.tencentcloudapi.com` by default, `https://batch.api.qcloud.com` for API 2.0.
    endpoint: Option<Endpoint>,
    /// Requests per second for each API action; 2 by default, the lowest the vendor documents.
    rate_limit: Option<RateLimit>,
    /// Proxy for its requests, such as `http://proxy.example:3128`, or where that is kept. Default: that of the environment.
    proxy_url: Option<TextOrRef>,
    /// What to trust beside the system's certificate authorities.
    tls_config: Option<TlsConfig>,
    /// How often a live task is polled.
    interval: Option<Interval>,
    /// Labels on cloud_task_info of every task of the account.
    labels: BTreeMap<LabelName, LabelValue>,
    /// Where the keys are; without it where Tencent Cloud's own tools find them: environment variables, the SDKs' profile,
    /// the files of tccli, the role of the CVM, the role of the TKE pod.
    credentials: Option<Credentials>,
    /// Tasks to poll, named by their job.
    targets: Option<Vec<TargetSection>>,
    /// Tasks to find by what their jobs are like.
    discover: Option<Vec<DiscoverSection>>,
}

/// Tasks of one job.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TencentTarget")]
struct TargetSection {
    /// The job's id.
    job: Option<JobId>,
    /// Names of its tasks; without it every task of the job.
    tasks: Option<Vec<TaskName>>,
    /// Your name for what the tasks belong to; `default` by default.
    group: Option<GroupName>,
    /// How often a live task is polled.
    interval: Option<Interval>,
    /// Labels on cloud_task_info.
    labels: BTreeMap<LabelName, LabelValue>,
}

/// Jobs to find; all conditions must be met.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TencentDiscovery")]
struct DiscoverSection {
    /// Your name for what the tasks belong to; `default` by default.
    group: Option<GroupName>,
    /// Only jobs in one of these states; without it in any.
    states: Option<Vec<State>>,
    /// Only jobs whose name matches.
    name: Option<Pattern>,
    /// Only jobs with all of these tags. Not with API 2.0, which knows no tags.
    tags: BTreeMap<String, String>,
    /// Only jobs made within this time.
    max_age: Option<Interval>,
    /// At most so many tasks, those of the newest jobs; 500 by default.
    limit: Option<usize>,
    /// How often a live task is polled.
    interval: Option<Interval>,
    /// Labels on cloud_task_info.
    labels: BTreeMap<LabelName, LabelValue>,
}

impl Section {
    /// Checks the section; mistakes go to the report, which is at the section. Secrets are read if the defaults have an
    /// environment to read them in.
    pub fn check(self, defaults: &mut Defaults, report: &mut Report) -> Option<Box<dyn Prepared>> {
        let fields = CommonFields {
            account: self.account,
            region: self.region,
            rate_limit: self.rate_limit,
            proxy_url: self.proxy_url,
            tls_config: self.tls_config,
            interval: self.interval,
            labels: self.labels,
        };
        let dialect = check_dialect(self.api.unwrap_or_default(), self.signature_method, report);
        let endpoint = self.endpoint.or_else(|| default_endpoint(dialect));
        let environment = defaults.environment.clone();
        let keyring = credentials::check(self.credentials, environment.as_ref(), report);
        if self.targets.is_none() && self.discover.is_none() {
            report
                .mistake("nothing to poll; add `targets`, for example `targets: [{job: job-97zcl3wt}]`, or `discover`");
        }
        let targets = filled(self.targets, "targets", "{job: job-97zcl3wt}", report);
        let discover = filled(self.discover, "discover", "{states: [RUNNING]}", report);
        // Without a name or a region the account's targets cannot be told from others.
        let common = Common::check(fields, PROVIDER, "ap-guangzhou", defaults, report);
        let mut checked = Checked { common, endpoint: endpoint?, dialect, keyring, targets: vec![], searches: vec![] };
        report.at("targets", |report| {
            report.each(targets, |report, target| target.check(&mut checked, defaults, report));
        });
        report.at("discover", |report| {
            report.each(discover, |report, discovery| discovery.check(&mut checked, report));
        });
        Some(Box::new(checked))
    }
}

impl TargetSection {
    fn check(self, checked: &mut Checked, defaults: &mut Defaults, report: &mut Report) {
        let fields = TargetFields { group: self.group, interval: self.interval, labels: self.labels };
        let template = checked.common.target("", fields, report);
        let named = self.tasks.is_some();
        let tasks = filled(self.tasks, "tasks", "A", report);
        let Some(JobId(job)) = report.required("job", self.job, "job-97zcl3wt") else { return };
        for TaskName(task) in tasks {
            let target = with_id(&template, &TaskId { job: &job, task: &task }.to_string());
            claim(&target.key, "tasks", defaults, report);
            checked.targets.push(target);
        }
        if !named {
            claim(&with_id(&template, &job).key, "job", defaults, report);
            // A job has as many tasks as its owner gave it.
            checked.searches.push(Search { what: What::TasksOf(job), limit: usize::MAX, template });
        }
    }
}

impl DiscoverSection {
    fn check(self, checked: &mut Checked, report: &mut Report) {
        let fields = TargetFields { group: self.group, interval: self.interval, labels: self.labels };
        let template = checked.common.target("", fields, report);
        let states = filled(self.states, "states", "RUNNING", report);
        if self.limit == Some(0) {
            report.mistake_at("limit", "a limit of 0 finds nothing; expected a number of tasks such as 500");
        }
        if self.max_age.is_some_and(|Interval(max_age)| max_age.is_zero()) {
            report.mistake_at("max_age", "a max_age of 0 finds nothing; expected a length of time such as 7d");
        }
        let is_current = checked.dialect == Dialect::Current;
        if !is_current && !self.tags.is_empty() {
            report.mistake_at("tags", "API 2.0 knows no tags; choose by name, or take api: \"3.0\"");
        }
        let conditions = Conditions {
            // API 2.0 filters by no state and no tag.
            filters: if is_current { filters(&states, self.tags) } else { Vec::new() },
            states,
            name: self.name.map(|Pattern(name)| name),
            max_age: self.max_age.and_then(|Interval(max_age)| SignedDuration::try_from(max_age).ok()),
        };
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        checked.searches.push(Search { what: What::Jobs(conditions), limit, template });
    }
}

/// What the cloud is told to filter by.
fn filters(states: &[State], tags: BTreeMap<String, String>) -> Vec<Filter> {
    let by_state = (1..=MOST_FILTER_VALUES).contains(&states.len()).then(|| Filter {
        name: "job-state".to_owned(),
        values: states.iter().map(|state| state.word().to_owned()).collect(),
    });
    let by_tag = tags.into_iter().map(|(key, value)| Filter { name: format!("tag:{key}"), values: vec![value] });
    by_state.into_iter().chain(by_tag).collect()
}

/// The items of a list that may be left out but must not be empty.
fn filled<T>(list: Option<Vec<T>>, key: &str, example: &str, report: &mut Report) -> Vec<T> {
    if list.as_ref().is_some_and(Vec::is_empty) {
        report.mistake_at(key, format!("an empty list; leave `{key}` out, or name something: `{key}: [{example}]`"));
    }
    list.unwrap_or_default()
}

fn with_id(template: &Target, task_id: &str) -> Target {
    let key = TaskKey { account: template.key.account.clone(), task_id: task_id.into() };
    Target { key, ..template.clone() }
}

/// Notes a task, or a whole job, as polled; a second time is a mistake.
fn claim(task: &TaskKey, key: &str, defaults: &mut Defaults, report: &mut Report) {
    if !defaults.tasks.insert(task.clone()) {
        let TaskKey { account, task_id } = task;
        let message = format!("a second target {task_id:?} of account {:?}; name each once", account.account);
        report.mistake_at(key, message);
    }
}

fn check_dialect(api: ApiVersion, method: Option<SignatureMethod>, report: &mut Report) -> Dialect {
    match api {
        ApiVersion::Legacy => Dialect::Legacy(method.unwrap_or_default()),
        ApiVersion::Current => {
            if method.is_some() {
                report.mistake_at("signature_method", "only API 2.0 has a choice; leave it out, or add api: \"2.0\"");
            }
            Dialect::Current
        }
    }
}

fn default_endpoint(dialect: Dialect) -> Option<Endpoint> {
    let host = if dialect == Dialect::Current { HOST } else { LEGACY_HOST };
    Endpoint::https(host).ok()
}

/// Which of the vendor's APIs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename = "TencentApiVersion")]
enum ApiVersion {
    #[default]
    #[schemars(rename = "3.0")]
    Current,
    #[schemars(rename = "2.0")]
    Legacy,
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ApiVersionVisitor)
    }
}

struct ApiVersionVisitor;

impl Visitor<'_> for ApiVersionVisitor {
    type Value = ApiVersion;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"3.0\" or \"2.0\", in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ApiVersion, E> {
        match text {
            "3.0" => Ok(ApiVersion::Current),
            "2.0" => Ok(ApiVersion::Legacy),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::settings::Environment;
    use serde_json::{Value, json};
    use std::collections::HashSet;
    use std::time::Duration;

    fn defaults(environment: Option<Environment>) -> Defaults {
        Defaults {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            labels: BTreeMap::new(),
            environment,
            accounts: HashSet::new(),
            tasks: HashSet::new(),
        }
    }

    fn environment() -> Environment {
        Environment::from_fn(|name| match name {
            "TENCENTCLOUD_SECRET_ID" => Some("AKIDEXAMPLE".to_owned()),
            "TENCENTCLOUD_SECRET_KEY" => Some("hunter2".to_owned()),
            "ODD" => Some("a b".to_owned()),
            _ => None,
        })
    }

    fn mistakes_in(environment: Option<Environment>, section: Value) -> Vec<String> {
        let section: Section = serde_json::from_value(section).unwrap();
        let mut report = Report::default();
        section.check(&mut defaults(environment), &mut report);
        report.into_mistakes().iter().map(ToString::to_string).collect()
    }

    /// An account that is right but for these fields.
    fn mistakes(fields: &Value) -> Vec<String> {
        let mut section =
            json!({"account": "prod", "region": "ap-guangzhou", "targets": [{"job": "job-1", "tasks": ["A"]}]});
        section.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        mistakes_in(Some(environment()), section)
    }

    #[test]
    fn every_mistake_is_found_at_its_place() {
        for (fields, expected) in [
            (json!({}), vec![]),
            (json!({"targets": []}), vec!["targets: an empty list"]),
            (json!({"discover": []}), vec!["discover: an empty list"]),
            (json!({"targets": null}), vec!["nothing to poll"]),
            (json!({"targets": [{"job": "job-1", "tasks": []}]}), vec!["targets[0].tasks: an empty list"]),
            (json!({"targets": [{"tasks": ["A"]}]}), vec!["targets[0]: missing `job`"]),
            (
                json!({"targets": [{"job": "job-1", "tasks": ["A", "A"], "interval": "1ms"}]}),
                vec![
                    "targets[0].interval: an interval is at least 1s",
                    "targets[0].tasks: a second target \"job-1/A\"",
                ],
            ),
            (
                json!({"targets": [{"job": "job-1"}, {"job": "job-1"}]}),
                vec!["targets[1].job: a second target \"job-1\""],
            ),
            (
                json!({"discover": [{"states": [], "limit": 0, "max_age": "0s"}]}),
                vec!["discover[0].states: an empty list", "discover[0].limit: ", "discover[0].max_age: "],
            ),
            (
                json!({"api": "2.0", "discover": [{"tags": {"team": "data"}}]}),
                vec!["discover[0].tags: API 2.0 knows no tags"],
            ),
            (json!({"signature_method": "HmacSHA1"}), vec!["signature_method: only API 2.0"]),
            (
                json!({"credentials": {"secret_id": {"env": "NOWHERE"}, "secret_key": {"env": "ODD"}}}),
                vec![
                    "credentials.secret_id: the environment variable NOWHERE is not set",
                    "credentials.secret_key: the environment variable ODD has a blank",
                ],
            ),
            (json!({"credentials": {}}), vec!["credentials: missing `source`"]),
        ] {
            let found = mistakes(&fields);
            assert_eq!(found.len(), expected.len(), "{fields}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{fields}: {found}");
                assert!(!found.contains("hunter2"), "{found}");
            }
        }
    }

    #[test]
    fn what_may_come_later_is_no_mistake() {
        let nothing = || Some(Environment::from_fn(|_| None));
        let mut section = json!({"account": "a", "region": "r", "discover": [{}]});
        assert_eq!(mistakes_in(None, section.clone()), [""; 0]);
        assert_eq!(mistakes_in(nothing(), section.clone()), [""; 0], "keys may be found later");
        section["credentials"] = json!({"secret_id": {"env": "A"}, "secret_key": {"env": "B"}});
        assert_eq!(mistakes_in(None, section.clone()), [""; 0]);
        assert_eq!(mistakes_in(nothing(), section).len(), 2, "what is named must be there");
    }

    #[test]
    fn wrong_values_say_what_would_be_right() {
        for (fields, expected) in [
            (json!({"api": 3.0}), "expected \"3.0\" or \"2.0\", in quotes"),
            (json!({"api": "4.0"}), "expected \"3.0\" or \"2.0\", in quotes"),
            (json!({"signature_method": "md5"}), "expected `HmacSHA1` or `HmacSHA256`"),
            (
                json!({"discover": [{"states": ["DONE"]}]}),
                "`SUBMITTED`, `PENDING`, `RUNNABLE`, `STARTING`, `RUNNING`, `SUCCEED`, `FAILED`, `FAILED_INTERRUPTED`",
            ),
            (json!({"discover": [{"name": "("}]}), "unclosed group"),
            (json!({"targets": [{"job": ""}]}), "job-97zcl3wt"),
            (json!({"targets": [{"job": "job-1/A"}]}), "job-97zcl3wt"),
            (json!({"targets": [{"job": "job-1", "tasks": [""]}]}), "is no task name"),
            (json!({"credentials": {"secret_key": "hunter2"}}), "write {env: NAME} or {file: PATH}"),
            (json!({"tragets": []}), "unknown field `tragets`"),
        ] {
            let message = serde_json::from_value::<Section>(fields).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn the_cloud_filters_what_it_can() {
        let tags = || [("team".to_owned(), "data".to_owned())].into();
        let names = |filters: Vec<Filter>| filters.into_iter().map(|filter| filter.name).collect::<Vec<_>>();
        assert_eq!(names(filters(&[State::Running, State::Failed], tags())), ["job-state", "tag:team"]);
        assert_eq!(names(filters(&State::ALL, tags())), ["tag:team"], "more values than the vendor takes");
        assert!(filters(&[], BTreeMap::new()).is_empty());
    }

    #[test]
    fn the_schema_names_every_word() {
        let schema = serde_json::to_string(&schemars::schema_for!(Section)).unwrap();
        for word in ["\"FAILED_INTERRUPTED\"", "\"3.0\"", "\"2.0\"", "\"HmacSHA256\"", "\"secret_id\""] {
            assert!(schema.contains(word), "{word} is not in {schema}");
        }
    }
}
