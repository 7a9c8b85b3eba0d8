//! Keys whose places the config names one by one.

use super::{Found, Given, Keys, Source, Stamp};
use crate::cloud::settings::{Environment, Report, SecretRef};
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};

/// The references of an account's `credentials`. Files are read again when they change.
#[derive(Clone, Debug)]
pub(in crate::cloud) struct Named {
    pub(in crate::cloud) id: SecretRef,
    pub(in crate::cloud) secret: SecretRef,
    pub(in crate::cloud) token: Option<SecretRef>,
    pub(in crate::cloud) environment: Environment,
}

/// A value that could not be read.
struct Unread {
    /// Which of the three: 0 for the id, 1 for the secret, 2 for the token.
    which: usize,
    /// What is wrong, without the value.
    message: String,
}

impl Named {
    /// The same, if all of it can be read now; what cannot is a mistake at its key. The report is at the credentials.
    pub(in crate::cloud) fn check(self, keys: [&str; 3], report: &mut Report) -> Option<Self> {
        let unread = self.read().err().unwrap_or_default();
        for Unread { which, message } in &unread {
            report.mistake_at(keys.get(*which).copied().unwrap_or_default(), message.as_str());
        }
        unread.is_empty().then_some(self)
    }

    fn read(&self) -> Result<Keys, Vec<Unread>> {
        let mut unread = Vec::new();
        let id = self.id.read_key(&self.environment);
        let secret = self.secret.read_key(&self.environment);
        // A variable that is not set means that the keys are permanent.
        let token = self.token.as_ref().map_or(Ok(None), |token| token.read_optional_key(&self.environment));
        let note = |which| move |message| Unread { which, message };
        let id = id.map_err(note(0)).map_err(|error| unread.push(error)).ok();
        let secret = secret.map_err(note(1)).map_err(|error| unread.push(error)).ok();
        let token = token.map_err(note(2)).map_err(|error| unread.push(error)).ok();
        match (id, secret, token) {
            (Some(id), Some(secret), Some(token)) => Ok(Keys { id, secret, token }),
            _ => Err(unread),
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        [Some(&self.id), Some(&self.secret), self.token.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|reference| match reference {
                SecretRef::File(path) => Some(Stamp::of(path)),
                SecretRef::Env(_) => None,
            })
            .collect()
    }
}

impl Source for Named {
    fn describe(&self) -> String {
        "the config's `credentials`".to_owned()
    }

    fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        async move {
            // Before the files are read, so that no change is missed.
            let stamps = self.stamps();
            let keys = self.read().map_err(|unread| {
                let messages: Vec<String> = unread.into_iter().map(|unread| unread.message).collect();
                Error::new(Reason::Denied, messages.join("; "))
            })?;
            Ok(Found::Keys(Given::lasting(keys).read_from(stamps)))
        }
        .boxed()
    }
}
