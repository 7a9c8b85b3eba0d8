//! Keys of the role that is bound to this CVM, from the machine's metadata service.
//!
//! <https://cloud.tencent.com/document/product/598/85616> and `CVMRoleCredential` of the vendor's SDKs describe it.

use super::super::wire::integer;
use super::temporary::TemporaryKeys;
use super::values::PlainName;
use crate::cloud::credentials::{Found, Source};
use crate::cloud::header::unsendable;
use crate::cloud::settings::NearbyEndpoint;
use crate::cloud::{Answer, Client, Error, json, percent};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::StatusCode;
use serde::Deserialize;
use std::time::Duration;

const PATH: &str = "/latest/meta-data/cam/security-credentials/";
/// The service is beside the machine and answers at once, or is not there at all.
const LIMIT: Duration = Duration::from_secs(2);

/// The role of this machine.
#[derive(Clone, Debug)]
pub(super) struct InstanceRole {
    /// None for the one the metadata service names.
    pub(super) role_name: Option<PlainName>,
    pub(super) metadata: NearbyEndpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    code: String,
    #[serde(deserialize_with = "integer", default)]
    expired_time: Option<i64>,
}

impl InstanceRole {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let bound = match &self.role_name {
            Some(name) => Some(name.clone()),
            None => self.bound_role(client).await?,
        };
        let Some(name) = bound else { return Ok(Found::Nothing("no role is bound to this machine".to_owned())) };
        let answer = self.get(&format!("{PATH}{}", percent::encode(&name.0)), client).await?;
        match answer.status {
            StatusCode::NOT_FOUND => {
                let message = format!("no role {name} is bound to this machine; bind it to the CVM, or name another");
                Err(Error::new(Reason::Denied, message))
            }
            _ => read(&name, &answer),
        }
    }

    /// What the service says the role's name is.
    async fn bound_role(&self, client: &Client) -> Result<Option<PlainName>, Error> {
        let answer = self.get(PATH, client).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        good(&answer)?;
        let text = std::str::from_utf8(&answer.body).unwrap_or_default();
        let Some(line) = text.lines().map(str::trim).find(|line| !line.is_empty()) else { return Ok(None) };
        let odd = |_| Error::new(Reason::Decode, "what the metadata service answers is no name of a role");
        PlainName::try_from(line.to_owned()).map(Some).map_err(odd)
    }

    async fn get(&self, path: &str, client: &Client) -> Result<Answer, Error> {
        let endpoint = self.metadata.endpoint();
        let request = http::Request::get(endpoint.url(path)).body(Bytes::new()).map_err(unsendable)?;
        let absent = |error: Error| {
            let message = format!("the metadata service {} cannot be reached", endpoint.authority());
            Error::new(error.reason(), message).with_source(error)
        };
        client.fetch(request, LIMIT).await.map_err(absent)
    }
}

fn good(answer: &Answer) -> Result<(), Error> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    Err(Error::new(Reason::Transport, format!("the metadata service answers with HTTP status {}", status.as_u16())))
}

fn read(name: &PlainName, answer: &Answer) -> Result<Found, Error> {
    good(answer)?;
    let Document { code, expired_time } = json::read(&answer.body, "")?;
    if code != "Success" {
        let message = format!("the metadata service has no keys of the role {name}: Code is {code:?}, not \"Success\"");
        return Err(Error::new(Reason::Denied, message));
    }
    let endless = || Error::new(Reason::Decode, "the keys of the role have no `ExpiredTime`");
    let expired_time = expired_time.ok_or_else(endless)?;
    json::read::<TemporaryKeys>(&answer.body, "")?.until(expired_time, answer).map(Found::Keys)
}

impl Source for InstanceRole {
    fn describe(&self) -> String {
        "the role of this CVM".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
