//! Alibaba Cloud Container Service (ACK, API CS 2015-12-15): tasks such as a scale-out or an upgrade of a cluster.
//!
//! This file wires an account; each of the others owns one step from its config to a task.

mod api;
mod config;
mod credentials;
mod error;
mod find;
mod normalize;
pub mod sign;
mod wire;

pub use config::Section;

use super::credentials::{Keyring, Keys};
use super::settings::{Common, Endpoint};
use super::{Account, Answer, Call, Client, Cloud, Error, Finder, Prepared, Shared, own_type, unread_secrets};
use crate::model::{AccountKey, Provider, Reading, Target, Task};
use api::{Access, DescribeClusterTasks, DescribeClustersV1, DescribeTaskInfo};
use find::{Discovery, Wanted};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The cloud's name.
pub const PROVIDER: Provider = Provider::new("aliyun");

/// How long refused credentials are left alone. The vendor is not known to lock a key, so one request a minute will do.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);
/// Polls under way at once: at five requests a second, slow answers of a second and a half still keep the pace.
const CONCURRENCY: usize = 8;
/// Found tasks are forgotten when no list has named them for so long.
const KEEP: Duration = Duration::from_mins(10);

/// One account: its client, and where and with what it asks.
#[derive(Debug)]
struct Service {
    client: Client,
    endpoint: Endpoint,
    keyring: Keyring,
}

/// A checked section.
#[derive(Debug)]
struct Settings {
    common: Common,
    endpoint: Endpoint,
    /// None where the secrets were left unread.
    keyring: Option<Keyring>,
    targets: Vec<Target>,
    found: Vec<Found>,
}

/// Tasks to be found, and what they are given.
#[derive(Debug)]
struct Found {
    template: Target,
    wanted: Wanted,
}

impl Cloud for Service {
    fn read<'a>(&'a self, task_id: &'a str, _: Option<&'a Task>) -> BoxFuture<'a, Result<Reading, Error>> {
        Box::pin(async move {
            let ask = |keys: Arc<Keys>| async move {
                self.client.call(&DescribeTaskInfo { access: self.access(&keys), task_id }).await
            };
            self.keyring.with(&self.client, ask).await
        })
    }

    fn api_of(&self, _: &str) -> &'static str {
        DescribeTaskInfo::API
    }

    fn reread_credentials(&self) {
        self.keyring.reread();
    }
}

impl Service {
    const fn access<'a>(&'a self, keys: &'a Keys) -> Access<'a> {
        Access { endpoint: &self.endpoint, keys }
    }
}

/// What one answer to DescribeTaskInfo says of a task: the way of every answer of a poll, without the request.
///
/// # Errors
/// The vendor's error, or why the answer cannot be read.
pub fn read_answer(answer: &Answer) -> Result<Reading, Error> {
    api::read_task(answer)
}

impl Prepared for Settings {
    fn targets_mut(&mut self) -> Vec<&mut Target> {
        self.targets.iter_mut().chain(self.found.iter_mut().map(|found| &mut found.template)).collect()
    }

    fn key(&self) -> &AccountKey {
        &self.common.key
    }

    fn settings(&self) -> String {
        let keys = self.keyring.as_ref().map(Keyring::settings);
        format!("{} {:?} {keys:?}", self.common.settings(), self.endpoint)
    }

    fn build(self: Box<Self>, shared: &Shared, kept: Option<Arc<dyn Cloud>>) -> Result<Account, Error> {
        let service = if let Some(service) = kept.and_then(own_type::<Service>) {
            service
        } else {
            let keyring = self.keyring.ok_or_else(|| unread_secrets(&self.common.key))?;
            let client = Client::new(shared, &self.common, REFUSED_PAUSE)?;
            Arc::new(Service { client, endpoint: self.endpoint, keyring })
        };
        announce(&service.client, &self.found);
        let finders = self.found.into_iter().map(|found| found.finder(&service)).collect();
        Ok(Account { key: self.common.key, cloud: service, targets: self.targets, finders, concurrency: CONCURRENCY })
    }
}

/// The quotas of the actions this account is going to use.
fn announce(client: &Client, found: &[Found]) {
    client.announce::<DescribeTaskInfo<'_>>();
    if !found.is_empty() {
        client.announce::<DescribeClusterTasks<'_>>();
    }
    if found.iter().any(|found| found.wanted.clusters.is_none()) {
        client.announce::<DescribeClustersV1<'_>>();
    }
}

impl Found {
    fn finder(self, service: &Arc<Service>) -> Finder {
        let limit = self.wanted.limit;
        let search = format!("{:?}", self.wanted).into();
        let find = Arc::new(Discovery { service: Arc::clone(service), wanted: self.wanted, gone: Mutex::default() });
        Finder { find, search, template: self.template, keep: KEEP, limit }
    }
}
