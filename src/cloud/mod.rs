//! From a task id to a [`Task`]: what every cloud has in common, and the list of clouds.
//!
//! A cloud is one folder here. One cloud never uses another; what two of them need stands beside this file.

mod client;
mod credentials;
pub mod digest;
mod echo;
mod error;
mod gate;
mod header;
mod http;
mod json;
mod page;
pub mod percent;
mod quota;
mod requests;
mod retry;
pub mod settings;

pub use client::{Call, Client, Shared, Stamp};
pub use error::{Error, Retry, chain};
pub use http::{Answer, MAX_BODY};
pub use page::{MAX_PAGES, PAGE_CAP_ROWS};
pub use requests::counted;
#[cfg(test)]
pub(crate) use requests::note as note_request;

use crate::model::{AccountKey, Provider, Reading, Reason, Target, Task};
use futures_util::future::BoxFuture;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One account of one cloud, as far as polling goes.
pub trait Cloud: Any + Send + Sync + fmt::Debug {
    /// What the cloud says of one task now. `previous` is the last good reading of the same task: what has not changed
    /// since then need not be asked for again.
    ///
    /// # Errors
    /// Why there is no answer; nothing of `previous` becomes invalid by that.
    fn read<'a>(&'a self, task_id: &'a str, previous: Option<&'a Task>) -> BoxFuture<'a, Result<Reading, Error>>;

    /// The API that a task is read by: every reading makes a request there, and may make more there and elsewhere.
    fn api_of(&self, task_id: &str) -> &'static str;

    /// Has keys read or fetched anew at the next need. Those there are stay in use until then.
    fn reread_credentials(&self);
}

/// A way to find tasks that the config does not name one by one.
pub trait Find: Send + Sync + fmt::Debug {
    /// The ids of the tasks there are now, those that matter most first.
    ///
    /// # Errors
    /// Why there is no whole list; what was found before stays.
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>>;
}

/// A finder and what the tasks it finds are given.
#[derive(Clone, Debug)]
pub struct Finder {
    /// How to find.
    pub find: Arc<dyn Find>,
    /// What it looks for: within an account, equal texts mean that the same is found.
    pub search: Box<str>,
    /// What every found task gets; its `task_id` is empty.
    pub template: Target,
    /// A found task is forgotten when no list has named it for so long.
    pub keep: Duration,
    /// At most so many tasks; the first of a list win.
    pub limit: usize,
}

/// An account, ready to be polled.
#[derive(Clone, Debug)]
pub struct Account {
    /// Which account.
    pub key: AccountKey,
    /// How to read its tasks.
    pub cloud: Arc<dyn Cloud>,
    /// The tasks the config names.
    pub targets: Vec<Target>,
    /// How to find more.
    pub finders: Vec<Finder>,
    /// How many of its polls may be under way at once.
    pub concurrency: usize,
}

impl Account {
    /// The cloud's region: every target and every template of the account has it.
    pub fn cloud_region(&self) -> Arc<str> {
        let templates = self.finders.iter().map(|finder| &finder.template);
        let target = self.targets.iter().chain(templates).next();
        target.map_or_else(|| "".into(), |target| Arc::clone(&target.cloud_region))
    }
}

/// An account whose settings are checked: all that is left is to set it up.
pub trait Prepared: Send + fmt::Debug {
    /// The tasks it names and the templates of those it finds.
    fn targets_mut(&mut self) -> Vec<&mut Target>;

    /// Which account.
    fn key(&self) -> &AccountKey;

    /// What the account is but for its tasks: equal texts mean that the cloud is asked alike, by the same way and under
    /// the same name. Holds no secret, and is compared only.
    fn settings(&self) -> String;

    /// Sets the account up. Only for settings that were checked with their secrets read. `kept`: the cloud of an account of
    /// equal [`settings`](Self::settings), to go on with all it has learnt.
    ///
    /// # Errors
    /// When the secrets were left unread.
    fn build(self: Box<Self>, shared: &Shared, kept: Option<Arc<dyn Cloud>>) -> Result<Account, Error>;
}

/// What secrets differ by, without a trace of them: for [`Prepared::settings`] and the gate.
fn mark(secrets: &[&str]) -> String {
    digest::sha256_hex(secrets.join("\0").as_bytes())
}

/// A cloud by its own type, if it is of that type.
fn own_type<T: Cloud>(cloud: Arc<dyn Cloud>) -> Option<Arc<T>> {
    let cloud: Arc<dyn Any + Send + Sync> = cloud;
    cloud.downcast().ok()
}

pub mod aliyun;
pub mod huawei;
pub mod tencent;

/// What [`Prepared::build`] says of settings that were checked with their secrets left unread.
fn unread_secrets(account: &AccountKey) -> Error {
    let AccountKey { provider, account } = account;
    Error::new(Reason::Denied, format!("the secrets of the {provider} account {account:?} were not read"))
}

/// The list of clouds, for those who do something for each: to support another, add its folder above and its name here.
macro_rules! with_clouds {
    ($($callback:tt)*) => { $($callback)* ! { aliyun, huawei, tencent } };
}
pub(crate) use with_clouds;

macro_rules! providers {
    ($($cloud:ident),*) => {
        /// Every cloud there is: the values of the label `provider`.
        pub const PROVIDERS: &[Provider] = &[$($cloud::PROVIDER),*];
    };
}
with_clouds!(providers);
