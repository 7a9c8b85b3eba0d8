//! Keys of a role that other keys may assume, as `STSAssumeRoleCredential` of the vendor's SDKs gets them.

use super::sts::{AssumeRole, Role};
use crate::cloud::credentials::{Found, Source};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Client, Error};
use futures_util::future::{BoxFuture, FutureExt};

/// A role, and where the keys are that may assume it.
#[derive(Debug)]
pub(super) struct AssumedRole {
    pub(super) role: Role,
    pub(super) sts: Endpoint,
    /// Asked anew at each renewal.
    pub(super) from: Box<dyn Source>,
}

impl AssumedRole {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        match self.from.keys(client).await? {
            Found::Nothing(why) => {
                Ok(Found::Nothing(format!("nothing to assume it with in {}: {why}", self.from.describe())))
            }
            Found::Keys(base) => {
                let call = AssumeRole { sts: &self.sts, keys: base.keys(), role: &self.role };
                Ok(Found::Keys(client.call_for_keys(&call).await?.got_with(base)))
            }
        }
    }
}

impl Source for AssumedRole {
    fn describe(&self) -> String {
        format!("the role {}", self.role.arn)
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
