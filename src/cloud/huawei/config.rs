//! One account of the config's `huawei` list: what may stand there, what is wrong with it, and the account it becomes.

use super::access::{Access, Credentials};
use super::api::Site;
use super::credentials::CredentialsSection;
use super::project::is_project_id;
use super::{CONCURRENCY, Cce, JOB_ID_FORM, PROVIDER, REFUSED_PAUSE, is_job_id};
use crate::cloud::settings::{
    AccountName, Common, CommonFields, Defaults, Endpoint, GroupName, Interval, LabelName, LabelValue, RateLimit,
    RegionName, Report, TargetFields,
};
use crate::cloud::{Account, Client, Error, Prepared, Shared};
use crate::model::{Reason, Target};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
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
    /// Id of the project the jobs belong to. Left out: looked up by the region's name.
    project_id: Option<ProjectId>,
    /// Address of CCE. Default: the region's own, such as `https://cce.cn-north-4.myhuaweicloud.com`.
    endpoint: Option<Endpoint>,
    /// Address of IAM. Default: the region's own, such as `https://iam.cn-north-4.myhuaweicloud.com`.
    iam_endpoint: Option<Endpoint>,
    /// Requests per second for each API action. Default: 5 for ShowJob.
    rate_limit: Option<RateLimit>,
    /// How often a live job is asked for. Default: `poll.interval`.
    interval: Option<Interval>,
    /// Labels on `cloud_task_info` of every job of the account.
    labels: BTreeMap<LabelName, LabelValue>,
    /// Who asks. Left out: the environment variables of the vendor's SDKs, HUAWEICLOUD_SDK_AK and so on.
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
        if is_job_id(&text) { Ok(Self(text.into())) } else { Err(format!("{text:?} is no job id; expected {JOB_ID_FORM}")) }
    }
}

impl Section {
    /// Checks the section; mistakes go to the report, which is at the section.
    pub fn check(self, defaults: &mut Defaults, report: &mut Report) -> Option<Box<dyn Prepared>> {
        let fields = CommonFields {
            account: self.account,
            region: self.region,
            rate_limit: self.rate_limit,
            interval: self.interval,
            labels: self.labels,
        };
        let common = Common::check(fields, PROVIDER, "cn-north-4", defaults, report);
        let credentials = CredentialsSection::check(self.credentials, defaults.environment.as_ref(), report);
        let (targets, autopilot) = check_targets(self.targets, common.as_ref(), defaults, report);
        let common = common?;
        let cce = address(self.endpoint, "cce", &common.region, report);
        let iam = address(self.iam_endpoint, "iam", &common.region, report);
        let site = Site { region: Arc::clone(&common.region), cce: cce?, iam: iam? };
        let project_id = self.project_id.map(|id| id.0);
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

    fn build(self: Box<Self>, shared: &Shared) -> Result<Account, Error> {
        let Self { common, site, project_id, credentials, targets, autopilot } = *self;
        let unread = || Error::new(Reason::Rejected, "the account's credentials were left unread");
        let access = Access::new(credentials.ok_or_else(unread)?, project_id)?;
        let (key, rate_limit) = (common.key, common.rate_limit);
        let client = Client::new(shared.clone(), key.clone(), rate_limit, common.timeout, REFUSED_PAUSE);
        let cloud = Cce { client, site, access, autopilot };
        cloud.announce(targets.len());
        Ok(Account { key, cloud: Arc::new(cloud), targets, finders: Vec::new(), concurrency: CONCURRENCY })
    }
}

/// The tasks to poll, and which of them are jobs of Autopilot clusters.
fn check_targets(
    targets: Option<Vec<TargetSection>>,
    common: Option<&Common>,
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
            let named = common?.named_target(("job", &job), fields, defaults, report);
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
