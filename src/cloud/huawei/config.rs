//! One account of the config's `huawei` list: what may stand there, what is wrong with it, and the account it becomes.

use super::access::Access;
use super::api::Site;
use super::credentials::{Credentials, Section as CredentialsSection, Surrounded, endpoint_in};
use super::project::is_project_id;
use super::{CONCURRENCY, Cce, JOB_ID_FORM, PROVIDER, REFUSED_PAUSE, is_job_id};
use crate::cloud::settings::{
    AccountName, Common, CommonFields, Defaults, Endpoint, GroupName, Interval, LabelName, LabelValue, RateLimit,
    RegionName, Report, TargetFields, TextOrRef, TlsConfig,
};
use crate::cloud::{Account, Client, Cloud, Error, Prepared, Shared, own_type, unread_secrets};
use crate::model::{AccountKey, Target};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

const JOB_EXAMPLE: &str = "354331b2c-229a-11e8-9c75-0255ac100ceb";

/// One account of Huawei Cloud CCE: one project of one region.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Your name for the account; unique within the cloud.
    account: Option<AccountName>,
    /// The region, such as cn-north-4.
    region: Option<RegionName>,
    /// Id of the project the jobs belong to. Left out: what the credentials' source names, such as
    /// HUAWEICLOUD_SDK_PROJECT_ID, else looked up by the region's name.
    project_id: Option<ProjectId>,
    /// Address of CCE. Default: the region's own, such as `https://cce.cn-north-4.myhuaweicloud.com`.
    endpoint: Option<Endpoint>,
    /// Address of IAM. Default: HUAWEICLOUD_SDK_IAM_ENDPOINT, else the region's own, such as
    /// `https://iam.cn-north-4.myhuaweicloud.com`. What a profile says goes before both.
    iam_endpoint: Option<Endpoint>,
    /// Requests per second for each API action. Default: 5 for ShowJob.
    rate_limit: Option<RateLimit>,
    /// Proxy for its requests, such as `http://proxy.example:3128`, or where that is kept. Default: that of the environment.
    proxy_url: Option<TextOrRef>,
    /// What to trust beside the system's certificate authorities.
    tls_config: Option<TlsConfig>,
    /// How often a live job is asked for. Default: `poll.interval`.
    interval: Option<Interval>,
    /// Labels on `cloud_task_info` of every job of the account.
    labels: BTreeMap<LabelName, LabelValue>,
    /// Who asks. Left out: where the vendor's SDKs look, in their order.
    credentials: Option<CredentialsSection>,
    /// The jobs to poll.
    targets: Option<Vec<TargetSection>>,
}

/// A job to poll.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct TargetSection {
    /// The job's id, such as 354331b2c-229a-11e8-9c75-0255ac100ceb.
    job: Option<JobId>,
    /// Whether the job belongs to a CCE Autopilot cluster.
    autopilot: bool,
    /// Your name for what the job belongs to. Default: `default`.
    group: Option<GroupName>,
    /// How often the job is asked for while it is live. Default: the account's.
    interval: Option<Interval>,
    /// Labels on `cloud_task_info` of this job.
    labels: BTreeMap<LabelName, LabelValue>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", description = "Id of a project, such as 0123456789abcdef0123456789abcdef.")]
struct ProjectId(Arc<str>);

impl TryFrom<String> for ProjectId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no project id; expected one such as 0123456789abcdef0123456789abcdef");
        if is_project_id(&text) { Ok(Self(text.as_str().into())) } else { Err(wrong()) }
    }
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", description = "Id of a job, such as 354331b2c-229a-11e8-9c75-0255ac100ceb.")]
struct JobId(Box<str>);

impl TryFrom<String> for JobId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_job_id(&text) {
            Ok(Self(text.into()))
        } else {
            Err(format!("{text:?} is no job id; expected {JOB_ID_FORM}"))
        }
    }
}

impl Section {
    /// Checks the section; mistakes go to the report, which is at the section.
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
        let common = Common::check(fields, PROVIDER, "cn-north-4", defaults, report);
        let iam_is_given = self.iam_endpoint.is_some();
        let environment = defaults.environment.as_ref();
        let variable = || endpoint_in("HUAWEICLOUD_SDK_IAM_ENDPOINT", environment?, report);
        let iam = self.iam_endpoint.or_else(variable);
        let cce = address(self.endpoint, "cce", &common.region, report);
        let iam = address(iam, "iam", &common.region, report);
        let site = cce.zip(iam).map(|(cce, iam)| Site { region: Arc::clone(&common.region), cce, iam });
        let project_id = self.project_id.map(|id| id.0);
        let credentials = site.as_ref().and_then(|site| {
            let account = Surrounded { site, iam_is_given, project_id: project_id.clone(), environment };
            CredentialsSection::check(self.credentials, &account, report)
        });
        let (targets, autopilot) = check_targets(self.targets, &common, defaults, report);
        let site = site?;
        Some(Box::new(Checked { common, site, project_id, credentials, targets, autopilot }))
    }
}

/// An account without mistakes, as far as the report has none.
#[derive(Debug)]
struct Checked {
    common: Common,
    site: Site,
    project_id: Option<Arc<str>>,
    credentials: Option<Credentials>,
    targets: Vec<Target>,
    autopilot: HashSet<Box<str>>,
}

impl Prepared for Checked {
    fn targets_mut(&mut self) -> Vec<&mut Target> {
        self.targets.iter_mut().collect()
    }

    fn key(&self) -> &AccountKey {
        &self.common.key
    }

    fn settings(&self) -> String {
        let Self { common, site, project_id, credentials, autopilot, .. } = self;
        let autopilot: BTreeSet<_> = autopilot.iter().collect();
        let credentials = credentials.as_ref().map(Credentials::settings);
        format!("{} {site:?} {project_id:?} {credentials:?} {autopilot:?}", common.settings())
    }

    fn build(self: Box<Self>, shared: &Shared, kept: Option<Arc<dyn Cloud>>) -> Result<Account, Error> {
        let Self { common, site, project_id, credentials, targets, autopilot } = *self;
        let cce = if let Some(cce) = kept.and_then(own_type::<Cce>) {
            cce
        } else {
            let access = Access::new(credentials.ok_or_else(|| unread_secrets(&common.key))?, project_id);
            let client = Client::new(shared, &common, REFUSED_PAUSE)?;
            Arc::new(Cce { client, site, access, autopilot })
        };
        cce.announce(targets.len());
        Ok(Account { key: common.key, cloud: cce, targets, finders: Vec::new(), concurrency: CONCURRENCY })
    }
}

/// The tasks to poll, and which of them are jobs of Autopilot clusters.
fn check_targets(
    targets: Option<Vec<TargetSection>>,
    common: &Common,
    defaults: &mut Defaults,
    report: &mut Report,
) -> (Vec<Target>, HashSet<Box<str>>) {
    let example = format!("targets: [{{job: {JOB_EXAMPLE}}}]");
    let Some(targets) = targets else {
        report.mistake(format!("no `targets`: nothing would be polled; name a job, for example `{example}`"));
        return Default::default();
    };
    if targets.is_empty() {
        report.mistake_at("targets", format!("an empty list: nothing would be polled; for example `{example}`"));
    }
    let mut autopilot = HashSet::new();
    let checked = report.at("targets", |report| {
        report.each(targets, |report, target| {
            let job = report.required("job", target.job, JOB_EXAMPLE)?.0;
            let fields = TargetFields { group: target.group, interval: target.interval, labels: target.labels };
            let named = common.named_target(("job", &job), fields, defaults, report);
            if target.autopilot {
                autopilot.insert(job);
            }
            Some(named)
        })
    });
    (checked.into_iter().flatten().collect(), autopilot)
}

/// The address given, or the region's own.
fn address(given: Option<Endpoint>, service: &str, region: &str, report: &mut Report) -> Option<Endpoint> {
    if given.is_some() {
        return given;
    }
    // Huawei Cloud Europe has a domain, and accounts, of its own; the older eu-west-0 has not.
    let domain = if region.starts_with("eu-west-1") { "myhuaweicloud.eu" } else { "myhuaweicloud.com" };
    let address = Endpoint::https(&format!("{service}.{region}.{domain}"));
    address.map_err(|message| report.mistake_at("region", message)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::settings::Environment;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn check(section: Value, environment: Option<Environment>) -> (Option<Box<dyn Prepared>>, Vec<String>) {
        let mut defaults = Defaults {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            labels: BTreeMap::new(),
            environment,
            accounts: HashSet::new(),
            tasks: HashSet::new(),
        };
        let mut report = Report::default();
        let section: Section = serde_json::from_value(section).unwrap();
        let prepared = section.check(&mut defaults, &mut report);
        (prepared, report.into_mistakes().iter().map(ToString::to_string).collect())
    }

    fn environment() -> Environment {
        Environment::from_fn(|name| (name == "SPLIT").then(|| "two words".to_owned()))
    }

    fn with(key: &str, value: Value) -> Value {
        let key_pair = json!({"access_key": {"env": "AK"}, "secret_key": {"env": "SK"}});
        let mut section = json!({"account": "cce", "region": "cn-north-4", "credentials": key_pair,
            "targets": [{"job": JOB_EXAMPLE}]});
        section.as_object_mut().unwrap().insert(key.to_owned(), value);
        section
    }

    fn mistakes(section: Value) -> Vec<String> {
        check(section, None).1
    }

    #[test]
    fn a_whole_section_is_taken_and_its_secrets_are_left_alone() {
        let targets = json!([{"job": JOB_EXAMPLE, "group": "g", "interval": "1m", "labels": {"owner": "alice"}},
            {"job": "b", "autopilot": true}]);
        let mut section = with("targets", targets);
        let more = json!({"project_id": "0123", "rate_limit": 2, "interval": "10s", "labels": {"team": "data"},
            "endpoint": "https://cce.example", "iam_endpoint": "http://127.0.0.1:1"});
        section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (prepared, mistakes) = check(section, None);
        assert_eq!(mistakes, [""; 0]);
        let mut prepared = prepared.unwrap();
        let targets = prepared.targets_mut();
        let seconds: Vec<u64> = targets.iter().map(|target| target.interval.as_secs()).collect();
        assert_eq!(seconds, [60, 10]);
        assert_eq!(targets[0].labels.len(), 2);
        assert_eq!(targets[1].key.to_string(), "huawei/cce/b");
    }

    #[test]
    fn every_mistake_is_told_at_once_and_in_its_place() {
        let section = json!({"interval": "0s", "credentials": {}, "targets": [{}, {"job": "a", "interval": "0s"}]});
        let sets = "expected one of {access_key, secret_key, security_token}, {user_name, password, domain}, {token} and a `source` with its options";
        assert_eq!(
            mistakes(section),
            [
                "missing `account`, for example `account: prod`",
                "missing `region`, for example `region: cn-north-4`",
                "interval: an interval is at least 1s, for example 30s",
                &*format!("credentials: no credentials are named; {sets}"),
                &*format!("targets[0]: missing `job`, for example `job: {JOB_EXAMPLE}`"),
                "targets[1].interval: an interval is at least 1s, for example 30s",
            ]
        );
        let twice = mistakes(with("targets", json!([{"job": "a"}, {"job": "a"}])));
        assert_eq!(twice, [r#"targets[1].job: a second target "a" of account "cce"; name each task once"#]);
        assert!(mistakes(with("targets", json!([])))[0].starts_with("targets: an empty list"));
        assert!(mistakes(with("targets", Value::Null))[0].starts_with("no `targets`"));
    }

    #[test]
    fn credentials_are_one_whole_set() {
        let of = |credentials: Value| mistakes(with("credentials", credentials));
        assert_eq!(
            of(json!({"security_token": {"env": "T"}})),
            [
                "credentials: missing `access_key`, for example `access_key: {env: HUAWEICLOUD_SDK_AK}`",
                "credentials: missing `secret_key`, for example `secret_key: {env: HUAWEICLOUD_SDK_SK}`",
            ]
        );
        assert_eq!(of(json!({"user_name": "u", "domain": {"env": "D"}})).len(), 1);
        for mixture in [
            json!({"access_key": {"env": "A"}, "token": {"env": "T"}}),
            json!({"access_key": {"env": "A"}, "secret_key": {"env": "S"}, "user_name": "u"}),
            json!({"password": {"env": "P"}, "token": {"env": "T"}}),
        ] {
            assert!(of(mixture)[0].starts_with("credentials: more than one set of credentials; expected one of"));
        }
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_a_mistake_at_its_key() {
        let read = |credentials: Value| check(with("credentials", credentials), Some(environment())).1;
        assert_eq!(
            read(json!({"access_key": {"env": "A"}, "secret_key": {"env": "S"}, "security_token": {"env": "T"}})),
            [
                "credentials.access_key: the environment variable A is not set",
                "credentials.secret_key: the environment variable S is not set",
            ]
        );
        assert_eq!(
            read(json!({"user_name": {"env": "U"}, "password": {"env": "P"}, "domain": "d"})),
            [
                "credentials.user_name: the environment variable U is not set",
                "credentials.password: the environment variable P is not set",
            ]
        );
        let split = read(json!({"token": {"env": "SPLIT"}}));
        assert_eq!(
            split,
            [
                "credentials.token: the environment variable SPLIT has a blank or another character that no key has; expected the key alone"
            ]
        );
        for kept_elsewhere in [Value::Null, json!({"source": "env"}), json!({"source": "idp"})] {
            let (prepared, mistakes) = check(with("credentials", kept_elsewhere), Some(environment()));
            assert!(prepared.is_some() && mistakes.is_empty(), "what a source lacks may come yet: {mistakes:?}");
        }
    }

    #[test]
    fn a_source_has_options_of_its_own() {
        let of = |credentials: Value| check(with("credentials", credentials), Some(environment())).1;
        assert_eq!(
            of(json!({"source": "env", "file": "/f", "duration": "1h"})),
            [
                "credentials.file: does not go with `source: env`; it has no options",
                "credentials.duration: does not go with `source: env`; it has no options",
            ]
        );
        assert_eq!(
            of(json!({"source": "idp", "policy": "{}", "duration": "25h"})),
            [
                "credentials.policy: does not go with `source: idp`; expected idp_id, id_token_file, duration",
                "credentials.duration: keys last from 15m to 24h, for example 1h",
            ]
        );
        assert_eq!(
            of(
                json!({"source": "assume_role", "duration": "1m", "from": {"source": "env", "from": {"source": "env"}}})
            ),
            ["credentials.duration: keys last from 15m to 12h, for example 1h"],
            "what is wrong with the options hides what is below"
        );
        let assumed = |from: Value| of(json!({"source": "assume_role", "agency_urn": "urn", "from": from}));
        assert_eq!(
            assumed(json!({"source": "env", "from": {"source": "env"}})),
            ["credentials.from.from: does not go with `source: env`; it has no options"]
        );
        assert!(
            assumed(json!({"token": {"env": "T"}}))[0].starts_with("credentials.from: an agency is assumed with a key")
        );
        assert_eq!(of(json!({"source": "assume_role"})).len(), 1);
        assert_eq!(
            of(json!({"idp_id": "a"})),
            ["credentials.idp_id: goes with `source: idp` only; add the source, or remove the key"]
        );
        assert!(
            of(json!({"source": "env", "access_key": {"env": "A"}}))[0].starts_with("credentials: more than one set")
        );
        assert_eq!(of(json!({"source": "oidc", "policy": "allow"})).len(), 1);
    }

    #[test]
    fn variables_name_addresses() {
        let set = |value: &'static str| {
            Environment::from_fn(move |name| name.ends_with("_ENDPOINT").then(|| value.to_owned()))
        };
        let (prepared, mistakes) = check(with("interval", json!("10s")), Some(set("https://iam.my.example")));
        assert_eq!((prepared.is_some(), mistakes.len()), (true, 2), "the two keys are not set: {mistakes:?}");
        let (_, mistakes) = check(with("credentials", Value::Null), Some(set("http://iam.my.example")));
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
        for (mistake, name) in mistakes.iter().zip(["IAM", "STS"]) {
            assert!(
                mistake.contains(&format!("the environment variable HUAWEICLOUD_SDK_{name}_ENDPOINT: ")),
                "{mistake}"
            );
        }
    }

    #[test]
    fn a_region_has_its_own_addresses() {
        let host = |region: &str| {
            let address = |service| address(None, service, region, &mut Report::default()).unwrap();
            [address("cce").host().to_owned(), address("iam").host().to_owned()]
        };
        assert_eq!(host("cn-north-4"), ["cce.cn-north-4.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com"]);
        assert_eq!(host("eu-west-101"), ["cce.eu-west-101.myhuaweicloud.eu", "iam.eu-west-101.myhuaweicloud.eu"]);
        assert_eq!(host("eu-west-0"), ["cce.eu-west-0.myhuaweicloud.com", "iam.eu-west-0.myhuaweicloud.com"]);
    }

    #[test]
    fn ids_become_part_of_a_path() {
        for wrong in ["", "a/b", "a b", "..", &"a".repeat(65)] {
            let message = JobId::try_from(wrong.to_owned()).unwrap_err();
            assert!(message.contains("no job id; expected up to 64 letters"), "{message}");
            assert!(ProjectId::try_from(wrong.to_owned()).is_err());
        }
        assert!(JobId::try_from("a_b".to_owned()).is_err() && ProjectId::try_from("a_b".to_owned()).is_ok());
        assert!(
            serde_json::from_value::<Section>(with("discover", json!([]))).is_err(),
            "there is nothing to discover"
        );
        let plain = serde_json::from_value::<Section>(with("credentials", json!({"token": "hunter2"}))).unwrap_err();
        assert!(plain.to_string().contains("does not belong in the file") && !plain.to_string().contains("hunter2"));
    }
}
