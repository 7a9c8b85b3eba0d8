//! Keys for the token of an identity provider, handed out by IAM in two steps: a token without a project, and keys for it.
//!
//! Vendor documents: IAM "CreateTokenWithIdToken" and "CreateTemporaryAccessKeyByToken"; `FederalAccessor` of
//! `huaweicloudsdkcore` 3.1.219 asks alike.

use super::super::api::{Question, document};
use super::super::error::Shown;
use super::{Surroundings, temporary};
use crate::cloud::credentials::{Found, Given, Source, read_token};
use crate::cloud::header::unsendable;
use crate::cloud::settings::Endpoint;
use crate::cloud::{Answer, Call, Client, Error, Stamp};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderValue, Request};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const IDP_ID: &str = "HUAWEICLOUD_SDK_IDP_ID";
pub(super) const ID_TOKEN_FILE: &str = "HUAWEICLOUD_SDK_ID_TOKEN_FILE";
/// As the vendor's SDK asks for.
const DURATION: Duration = Duration::from_hours(6);

/// An identity provider and a token of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Federated<'a> {
    pub(super) iam: &'a Endpoint,
    pub(super) idp_id: &'a str,
    pub(super) id_token_file: &'a Path,
    pub(super) duration: Option<Duration>,
}

impl Federated<'_> {
    /// The keys; the file is read anew.
    ///
    /// # Errors
    /// What is wrong with the file, or why IAM gave no keys.
    pub(super) async fn keys(self, client: &Client) -> Result<Given, Error> {
        let (id_token, stamp) = read_token(self.id_token_file)?;
        client.announce::<CreateTokenWithIdToken<'_>>();
        client.announce::<CreateTemporaryAccessKeyByToken<'_>>();
        let call = CreateTokenWithIdToken { iam: self.iam, idp_id: self.idp_id, id_token: &id_token };
        let token = client.call_for_keys(&call).await?;
        let duration = self.duration.unwrap_or(DURATION);
        let call = CreateTemporaryAccessKeyByToken { iam: self.iam, token: &token, duration };
        Ok(client.call_for_keys(&call).await?.read_from([stamp]))
    }
}

/// An identity provider; options that are left out come from the variables of the vendor's SDK.
#[derive(Debug)]
pub(super) struct IdentityProvider {
    pub(super) idp_id: Option<String>,
    pub(super) id_token_file: Option<PathBuf>,
    pub(super) duration: Option<Duration>,
    pub(super) surroundings: Surroundings,
}

impl IdentityProvider {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let Surroundings { environment, site, .. } = &self.surroundings;
        let unset = |name: &str| Ok(Found::Nothing(format!("{name} is not set")));
        let Some(idp_id) = self.idp_id.clone().or_else(|| environment.get(IDP_ID)) else { return unset(IDP_ID) };
        let file = self.id_token_file.clone().or_else(|| environment.get(ID_TOKEN_FILE).map(PathBuf::from));
        let Some(id_token_file) = file else { return unset(ID_TOKEN_FILE) };
        let federated =
            Federated { iam: &site.iam, idp_id: &idp_id, id_token_file: &id_token_file, duration: self.duration };
        let given = federated.keys(client).await?;
        self.surroundings.note_project_of_environment()?;
        Ok(Found::Keys(given))
    }
}

impl Source for IdentityProvider {
    fn describe(&self) -> String {
        "the identity provider's token".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}

struct CreateTokenWithIdToken<'a> {
    iam: &'a Endpoint,
    idp_id: &'a str,
    id_token: &'a SecretString,
}

struct CreateTemporaryAccessKeyByToken<'a> {
    iam: &'a Endpoint,
    token: &'a SecretString,
    duration: Duration,
}

impl Call for CreateTokenWithIdToken<'_> {
    type Reply = SecretString;
    const API: &'static str = "CreateTokenWithIdToken";
    const RATE: f64 = 1.0;

    fn request(&self, _: &Stamp) -> Result<Request<Bytes>, Error> {
        let body = json!({"auth": {"id_token": {"id": self.id_token.expose_secret()}}});
        let mut request = Question::post(self.iam, "/v3.0/OS-AUTH/id-token/tokens", &body).unproven()?;
        request.headers_mut().insert("x-idp-id", HeaderValue::try_from(self.idp_id).map_err(unsendable)?);
        Ok(request)
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.id_token.expose_secret()]
    }

    fn reply(&self, answer: &Answer) -> Result<SecretString, Error> {
        document(answer, Shown::IdentityToken, |_| subject_token(answer))
    }
}

impl Call for CreateTemporaryAccessKeyByToken<'_> {
    type Reply = Given;
    const API: &'static str = "CreateTemporaryAccessKeyByToken";
    const RATE: f64 = 1.0;

    fn request(&self, _: &Stamp) -> Result<Request<Bytes>, Error> {
        let token = json!({"id": self.token.expose_secret(), "duration_seconds": self.duration.as_secs()});
        let body = json!({"auth": {"identity": {"methods": ["token"], "token": token}}});
        Question::post(self.iam, "/v3.0/OS-CREDENTIAL/securitytokens", &body).unproven()
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.token.expose_secret()]
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        document(answer, Shown::Token, |_| temporary::keys(answer))
    }
}

/// The token that IAM gives in a header.
///
/// # Errors
/// [`Reason::Decode`] where there is none.
pub(super) fn subject_token(answer: &Answer) -> Result<SecretString, Error> {
    let token = answer.header("x-subject-token").map(str::trim).filter(|token| !token.is_empty());
    token.map(SecretString::from).ok_or_else(|| Error::new(Reason::Decode, "the answer has no X-Subject-Token"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;

    #[test]
    fn requests_are_the_vendors_and_no_error_repeats_a_token() {
        let iam = Endpoint::https("iam.cn-north-4.myhuaweicloud.com").unwrap();
        let stamp = Stamp { at: "2024-01-02T03:04:05Z".parse().unwrap(), nonce: String::new() };
        let (id_token, token) = (SecretString::from("eyJ.hunter2"), SecretString::from("MIIhunter2"));
        let body = |request: &Request<Bytes>| serde_json::from_slice::<serde_json::Value>(request.body()).unwrap();

        let call = CreateTokenWithIdToken { iam: &iam, idp_id: "my-idp", id_token: &id_token };
        let request = call.request(&stamp).unwrap();
        assert_eq!(request.uri().path(), "/v3.0/OS-AUTH/id-token/tokens");
        assert_eq!(request.headers()["x-idp-id"], "my-idp");
        assert_eq!(body(&request), json!({"auth": {"id_token": {"id": "eyJ.hunter2"}}}));
        check(&call, &["IAM.0001", "APIGW.0301", "IAM.0007"]);

        let call = CreateTemporaryAccessKeyByToken { iam: &iam, token: &token, duration: Duration::from_mins(15) };
        let request = call.request(&stamp).unwrap();
        assert_eq!(request.uri().path(), "/v3.0/OS-CREDENTIAL/securitytokens");
        let token = json!({"id": "MIIhunter2", "duration_seconds": 900});
        assert_eq!(body(&request), json!({"auth": {"identity": {"methods": ["token"], "token": token}}}));
        check(&call, &["IAM.0001", "APIGW.0307", "IAM.0007"]);
    }
}
