//! An IAM token that somebody else makes: read from its place, and again when its file changes or it is refused.

use super::token_alone;
use crate::cloud::credentials::{Found, Given, Source, Stamp};
use crate::cloud::settings::{Environment, Report, SecretRef};
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};

/// Where the token is.
#[derive(Debug)]
pub(super) struct GivenToken {
    pub(super) token: SecretRef,
    pub(super) environment: Environment,
}

impl GivenToken {
    /// The same, if it can be read now; the report is at the credentials.
    pub(super) fn check(self, report: &mut Report) -> Option<Self> {
        let read = self.token.read_key(&self.environment);
        read.map_err(|message| report.mistake_at("token", message)).is_ok().then_some(self)
    }
}

impl Source for GivenToken {
    fn describe(&self) -> String {
        "the config's `credentials`".to_owned()
    }

    fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        async move {
            // Before the file is read, so that no change is missed.
            let stamp = stamp_of(&self.token);
            let token = self.token.read_key(&self.environment);
            let token = token.map_err(|message| Error::new(Reason::Denied, message))?;
            Ok(Found::Keys(Given::lasting(token_alone(token)).read_from(stamp)))
        }
        .boxed()
    }
}

/// What the file of a reference is like now.
pub(super) fn stamp_of(reference: &SecretRef) -> Option<Stamp> {
    match reference {
        SecretRef::File(path) => Some(Stamp::of(path)),
        SecretRef::Env(_) => None,
    }
}
