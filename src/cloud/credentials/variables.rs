//! Keys in the environment variables that a vendor's own tools read.

use super::{Found, Given, Keys, Source};
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use secrecy::SecretString;

/// Names of variables; of several, the first that is set counts.
#[derive(Clone, Debug)]
pub(in crate::cloud) struct Variables {
    pub(in crate::cloud) id: &'static str,
    pub(in crate::cloud) secret: &'static str,
    pub(in crate::cloud) token: &'static [&'static str],
    pub(in crate::cloud) environment: Environment,
}

impl Variables {
    fn read(&self) -> Result<Found, Error> {
        let Some(id) = self.key(self.id)? else { return Ok(Found::Nothing(format!("{} is not set", self.id))) };
        let Some(secret) = self.key(self.secret)? else {
            return Ok(Found::Nothing(format!("{} is not set", self.secret)));
        };
        let set = self.token.iter().find(|name| self.environment.get(name).is_some());
        let token = set.map_or(Ok(None), |name| self.key(name))?;
        Ok(Found::Keys(Given::lasting(Keys { id, secret, token })))
    }

    fn key(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let Some(value) = self.environment.get(name) else { return Ok(None) };
        let value = value.trim();
        if value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Some(value.into()));
        }
        let message = format!("{name} has a blank or another character that no key has; expected the key alone");
        Err(Error::new(Reason::Denied, message))
    }
}

impl Source for Variables {
    fn describe(&self) -> String {
        "the environment variables".to_owned()
    }

    fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        async move { self.read() }.boxed()
    }
}
