//! Keys in the environment: an access key, or an identity provider and the file of its token, which go before it.
//!
//! As `EnvCredentialProvider` of `huaweicloudsdkcore` 3.1.219.

use super::Surroundings;
use super::federation::{Federated, ID_TOKEN_FILE, IDP_ID};
use crate::cloud::credentials::{Found, Source, Variables};
use crate::cloud::{Client, Error};
use futures_util::future::{BoxFuture, FutureExt};
use std::path::Path;

/// The environment's keys.
#[derive(Debug)]
pub(super) struct EnvironmentKeys {
    pub(super) surroundings: Surroundings,
}

impl EnvironmentKeys {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let Surroundings { environment, site, .. } = &self.surroundings;
        let found = match (environment.get(IDP_ID), environment.get(ID_TOKEN_FILE)) {
            (Some(idp_id), Some(file)) => {
                let id_token_file = Path::new(&file);
                let federated = Federated { iam: &site.iam, idp_id: &idp_id, id_token_file, duration: None };
                Found::Keys(federated.keys(client).await?)
            }
            _ => self.access_key().keys(client).await?,
        };
        if matches!(found, Found::Keys(_)) {
            self.surroundings.note_project_of_environment()?;
        }
        Ok(found)
    }

    fn access_key(&self) -> Variables {
        Variables {
            id: "HUAWEICLOUD_SDK_AK",
            secret: "HUAWEICLOUD_SDK_SK",
            token: &["HUAWEICLOUD_SDK_SECURITY_TOKEN"],
            environment: self.surroundings.environment.clone(),
        }
    }
}

impl Source for EnvironmentKeys {
    fn describe(&self) -> String {
        "the environment variables".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
