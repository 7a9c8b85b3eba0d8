//! Who is asked: cloud, account, task, and what the user's config says of a task.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A cloud, by the value of the label `provider`. Each cloud's folder makes its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider(&'static str);

impl Provider {
    /// A cloud of that name: lower case, one word.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The value of the label `provider`.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// One set of credentials in one region of one cloud: the unit that owns an API quota.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// The cloud.
    pub provider: Provider,
    /// The user's name for the account; unique within the cloud.
    pub account: Arc<str>,
}

/// What tells one polled task from every other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// Whose task it is.
    pub account: AccountKey,
    /// The cloud's own id. Tencent: `JOB/TASK`. Aliyun: the task's id. Huawei: the job's uid.
    pub task_id: Arc<str>,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, task_id } = self;
        write!(formatter, "{}/{}/{task_id}", account.provider, account.account)
    }
}

/// Configured labels of `cloud_task_info`, by name. Every target of a config has the same names; a value may be empty.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// A task to poll and what the config says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which task.
    pub key: TaskKey,
    /// The cloud's region of its account.
    pub cloud_region: Arc<str>,
    /// The user's name for what it belongs to.
    pub group: Arc<str>,
    /// Labels for `cloud_task_info`.
    pub labels: Arc<Labels>,
    /// How often a live task is asked for.
    pub interval: Duration,
}
