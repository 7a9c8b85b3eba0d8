//! From checked settings to an account that can be polled.

use super::Tencent;
use super::access::{Dialect, Site};
use super::api::{DescribeJob, DescribeJobs, DescribeTask};
use super::find::{Conditions, Discovery, TasksOfJob};
use crate::cloud::credentials::Keyring;
use crate::cloud::settings::{Common, Endpoint};
use crate::cloud::{Account, Client, Cloud, Error, Find, Finder, Prepared, Shared, own_type, unread_secrets};
use crate::model::{AccountKey, Target};
use std::sync::Arc;
use std::time::Duration;

/// Refused keys are tried again so seldom. The vendor does not lock them.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);
/// A quota of 2 requests a second is used up by so many polls even where an answer takes 8 seconds; more would only wait.
const CONCURRENCY: usize = 16;
/// Long enough that the end of a task whose job left the list is read, and seen.
const KEEP: Duration = Duration::from_hours(1);

/// An account's settings, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) common: Common,
    pub(super) endpoint: Endpoint,
    pub(super) dialect: Dialect,
    /// None where secrets were left unread.
    pub(super) keyring: Option<Keyring>,
    pub(super) targets: Vec<Target>,
    pub(super) searches: Vec<Search>,
}

/// Something to look for.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) what: What,
    pub(super) limit: usize,
    pub(super) template: Target,
}

/// What to look for.
#[derive(Debug)]
pub(super) enum What {
    /// Every task of this job.
    TasksOf(Box<str>),
    /// Every task of jobs like these.
    Jobs(Conditions),
}

impl Prepared for Checked {
    fn targets_mut(&mut self) -> Vec<&mut Target> {
        let templates = self.searches.iter_mut().map(|search| &mut search.template);
        self.targets.iter_mut().chain(templates).collect()
    }

    fn key(&self) -> &AccountKey {
        &self.common.key
    }

    fn settings(&self) -> String {
        let Self { common, endpoint, dialect, keyring, .. } = self;
        format!("{} {endpoint:?} {dialect:?} {:?}", common.settings(), keyring.as_ref().map(Keyring::settings))
    }

    fn build(self: Box<Self>, shared: &Shared, kept: Option<Arc<dyn Cloud>>) -> Result<Account, Error> {
        let Self { common, endpoint, dialect, keyring, targets, searches } = *self;
        let tencent = if let Some(tencent) = kept.and_then(own_type::<Tencent>) {
            tencent
        } else {
            let keyring = keyring.ok_or_else(|| unread_secrets(&common.key))?;
            let client = Client::new(shared, &common, REFUSED_PAUSE)?;
            let site = Site { endpoint, region: common.region, dialect };
            Arc::new(Tencent { client, site, keyring })
        };
        announce(&tencent.client, &searches);
        let finders = searches.into_iter().map(|search| search.finder(&tencent)).collect();
        Ok(Account { key: common.key, cloud: tencent, targets, finders, concurrency: CONCURRENCY })
    }
}

impl Search {
    fn finder(self, tencent: &Arc<Tencent>) -> Finder {
        let Self { what, limit, template } = self;
        let tencent = Arc::clone(tencent);
        let text = format!("{what:?} {limit}").into();
        let find: Arc<dyn Find> = match what {
            What::TasksOf(job) => Arc::new(TasksOfJob { tencent, job }),
            What::Jobs(conditions) => Arc::new(Discovery::new(tencent, conditions, limit)),
        };
        Finder { find, search: text, template, keep: KEEP, limit }
    }
}

/// The quotas of the actions this account is going to use.
fn announce(client: &Client, searches: &[Search]) {
    client.announce::<DescribeTask<'_>>();
    if !searches.is_empty() {
        client.announce::<DescribeJob<'_>>();
    }
    if searches.iter().any(|search| matches!(search.what, What::Jobs(_))) {
        client.announce::<DescribeJobs<'_>>();
    }
}
