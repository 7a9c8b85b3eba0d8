//! Where an account's keys come from: sources in a vendor's order, and the keyring that holds what they gave.
//!
//! What a source asks and what its answer looks like is the vendor's business (`cloud/*/credentials`); when to ask again,
//! once for however many polls wait, and what to do with a failed renewal stands here once.

mod chain;
mod file;
mod flight;
mod keyring;
mod named;
mod variables;

pub(super) use chain::Chain;
pub(super) use file::{Stamp, home, ini, read_file, read_token};
pub(super) use flight::Flight;
pub(super) use keyring::Keyring;
pub(super) use named::Named;
pub(super) use variables::Variables;

use super::{Client, Error};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::time::Duration;

/// An access key, taken whole from one place at one time.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Names the key: SecretId, AccessKeyId, AK.
    pub(super) id: SecretString,
    /// Signs: SecretKey, AccessKeySecret, SK.
    pub(super) secret: SecretString,
    /// Only with temporary keys.
    pub(super) token: Option<SecretString>,
}

impl Keys {
    /// Everything of them that nobody may see.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let keys = [Some(&self.id), Some(&self.secret), self.token.as_ref()];
        keys.into_iter().flatten().map(ExposeSecret::expose_secret).collect()
    }

    fn are(&self, other: &Self) -> bool {
        self.secrets() == other.secrets()
    }
}

/// Keys as a source gave them.
#[derive(Clone, Debug)]
pub(super) struct Given {
    keys: Keys,
    end: Option<End>,
    again_after: Option<Duration>,
    stamps: Vec<Stamp>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: Timestamp,
    left: Duration,
}

impl Given {
    /// Keys that last until somebody changes them.
    pub(super) const fn lasting(keys: Keys) -> Self {
        Self { keys, end: None, again_after: None, stamps: Vec::new() }
    }

    /// Keys whose end nobody told, from a source that may have others by then: it is asked again after `pause`.
    pub(super) const fn for_now(keys: Keys, pause: Duration) -> Self {
        Self { keys, end: None, again_after: Some(pause), stamps: Vec::new() }
    }

    /// Keys that end at `expires_at`. `told_at`: the time when that was said, by the clock of whoever said it, so that a
    /// clock of ours that is off does no harm.
    pub(super) fn until(keys: Keys, expires_at: Timestamp, told_at: Timestamp) -> Self {
        let left = expires_at.duration_since(told_at).max(SignedDuration::ZERO);
        let end = End { at: expires_at, left: Duration::try_from(left).unwrap_or_default() };
        Self { keys, end: Some(end), again_after: None, stamps: Vec::new() }
    }

    /// The keys.
    pub(super) const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Notes that others may have been meant: where nobody told the end, the source is asked again after `pause`.
    #[must_use]
    fn doubted_after(self, pause: Duration) -> Self {
        Self { again_after: Some(self.again_after.map_or(pause, |after| after.min(pause))), ..self }
    }

    /// Notes the keys that these were got with: when a file of theirs changes, the source is asked again.
    #[must_use]
    pub(super) fn got_with(self, base: Self) -> Self {
        self.read_from(base.stamps)
    }

    /// Notes a file the keys were read from: when it changes, the source is asked again.
    #[must_use]
    pub(super) fn read_from(mut self, stamps: impl IntoIterator<Item = Stamp>) -> Self {
        self.stamps.extend(stamps);
        self
    }
}

/// What a source says.
#[derive(Debug)]
pub(super) enum Found {
    /// Keys.
    Keys(Given),
    /// The source is not there: why, in a few words without a secret, such as `TENCENTCLOUD_SECRET_ID is not set`. The next
    /// source of a chain is asked.
    Nothing(String),
}

/// A place where keys may be.
pub(super) trait Source: Send + Sync + fmt::Debug {
    /// Where that is, in a few words for logs and errors, such as `the file ~/.tencentcloud/credentials`.
    fn describe(&self) -> String;

    /// The keys there are now. Asked for again whenever keys are to be renewed: environment variables, files and tokens are
    /// read anew each time.
    ///
    /// # Errors
    /// Why a source that is there gave none.
    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>>;
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cloud::Shared;
    use crate::cloud::settings::{Common, CommonFields, Defaults, Report};
    use crate::model::{AccountKey, Observe, Provider, Reason};
    use std::collections::{BTreeMap, HashSet};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Unheard;

    impl Observe for Unheard {
        fn request(&self, _: &AccountKey, _: &'static str, _: &str, _: Duration) {}
        fn throttled(&self, _: &AccountKey, _: &'static str) {}
        fn waited(&self, _: &AccountKey, _: &'static str, _: Duration) {}
        fn quota(&self, _: &AccountKey, _: &'static str, _: f64) {}
        fn demand(&self, _: &AccountKey, _: &'static str, _: f64) {}
        fn credentials_expire(&self, _: &AccountKey, _: Option<Timestamp>) {}
        fn polled(&self, _: &AccountKey, _: Option<Reason>) {}
        fn panicked(&self, _: &AccountKey) {}
        fn listed(&self, _: &AccountKey, _: Option<Reason>) {}
        fn unknown_states(&self, _: &AccountKey, _: u64) {}
    }

    /// A client of an account nobody watches.
    pub(in crate::cloud) fn client() -> Client {
        let mut defaults = Defaults {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            labels: BTreeMap::new(),
            environment: None,
            accounts: HashSet::new(),
            tasks: HashSet::new(),
        };
        let (fields, provider) = (CommonFields::default(), Provider::new("cloud"));
        let common = Common::check(fields, provider, "here-1", &mut defaults, &mut Report::default());
        Client::new(&Shared::new(Arc::new(Unheard)), &common, Duration::from_mins(1)).unwrap()
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let keys = Keys { id: "EXAMPLE".into(), secret: "EXAMPLE".into(), token: Some("EXAMPLE".into()) };
        assert!(!format!("{:?}", Given::lasting(keys)).contains("EXAMPLE"));
    }
}
