//! Alibaba Cloud Container Service (ACK, API CS 2015-12-15): tasks such as a scale-out or an upgrade of a cluster.
//!
//! This file wires an account; each of the others owns one step from its config to a task.

mod api;
mod config;
mod error;
mod find;
mod normalize;
pub mod sign;
mod wire;

pub use config::Section;

use super::settings::Common;
use super::{Account, Client, Cloud, Error, Finder, Prepared, Shared, mark, own_type, unread_secrets};
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
    access: Access,
}

/// A checked section.
#[derive(Debug)]
struct Settings {
    common: Common,
    /// None where the secrets were left unread.
    access: Option<Access>,
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
        Box::pin(async move { self.client.call(&DescribeTaskInfo { access: &self.access, task_id }).await })
    }
}

impl Prepared for Settings {
    fn targets_mut(&mut self) -> Vec<&mut Target> {
        self.targets.iter_mut().chain(self.found.iter_mut().map(|found| &mut found.template)).collect()
    }

    fn key(&self) -> &AccountKey {
        &self.common.key
    }

    fn settings(&self) -> String {
        let access = self.access.as_ref().map(|access| (&access.endpoint, mark(&access.key.secrets())));
        format!("{} {access:?}", self.common.settings())
    }

    fn build(self: Box<Self>, shared: &Shared, kept: Option<Arc<dyn Cloud>>) -> Result<Account, Error> {
        let Common { key, rate_limit, timeout, .. } = self.common;
        let service = match kept.and_then(own_type::<Service>) {
            Some(service) => service,
            None => {
                let access = self.access.ok_or_else(|| unread_secrets(&key))?;
                let client = Client::new(shared.clone(), key.clone(), rate_limit, timeout, REFUSED_PAUSE);
                Arc::new(Service { client, access })
            }
        };
        announce(&service.client, &self.found);
        let finders = self.found.into_iter().map(|found| found.finder(&service)).collect();
        Ok(Account { key, cloud: service, targets: self.targets, finders, concurrency: CONCURRENCY })
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
