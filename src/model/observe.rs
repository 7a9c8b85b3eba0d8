//! What the exporter notes about its own dealings with the clouds, as a trait: the clouds report, `metrics` counts.

use super::{AccountKey, Reason};
use std::fmt;
use std::time::Duration;

/// Takes note of requests and polls. One call is one event; implementations both count and keep it cheap.
pub trait Observe: Send + Sync + fmt::Debug {
    /// One request was answered, or failed on the way. `code`: `ok`, the provider's code, or `timeout` and `transport`.
    fn request(&self, account: &AccountKey, api: &'static str, code: &str, took: Duration);
    /// The cloud asked for fewer requests.
    fn throttled(&self, account: &AccountKey, api: &'static str);
    /// A request waited so long for its account's quota.
    fn waited(&self, account: &AccountKey, api: &'static str, time: Duration);
    /// The quota of an API of an account, in requests per second.
    fn quota(&self, account: &AccountKey, api: &'static str, requests_per_second: f64);
    /// What the tasks and finders of an account ask of an API by their intervals, in requests per second.
    fn demand(&self, account: &AccountKey, api: &'static str, requests_per_second: f64);
    /// The credentials an account has now end at this instant; none: they last.
    fn credentials_expire(&self, account: &AccountKey, at: Option<jiff::Timestamp>);
    /// A poll ended: well, or for this reason.
    fn polled(&self, account: &AccountKey, failure: Option<Reason>);
    /// A reading of a list of tasks ended: well, or for this reason.
    fn listed(&self, account: &AccountKey, failure: Option<Reason>);
    /// A poll, or a reading of a list of tasks, ended by a bug of ours.
    fn panicked(&self, account: &AccountKey);
    /// A cloud used so many words nobody has mapped.
    fn unknown_states(&self, account: &AccountKey, count: u64);
}
