//! The two actions of the security token service (API Sts 2015-04-01) that give temporary keys for a role.
//!
//! Facts: <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole> and
//! `api-sts-2015-04-01-assumerolewithoidc` beside it.

use super::role::Role;
use super::temporary::TemporaryKeys;
use crate::cloud::aliyun::error;
use crate::cloud::aliyun::sign::{Question, STS_VERSION};
use crate::cloud::credentials::{Given, Keys};
use crate::cloud::header::unsendable;
use crate::cloud::{Answer, Call, Error, Stamp, json, percent};
use crate::model::Reason;
use bytes::Bytes;
use http::Request;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// AssumeRole: signed with the keys of somebody the role trusts.
#[derive(Debug)]
pub(super) struct AssumeRoleCall<'a> {
    pub(super) role: &'a Role,
    pub(super) keys: &'a Keys,
}

/// AssumeRoleWithOIDC: not signed; the token says who asks.
#[derive(Debug)]
pub(super) struct AssumeRoleWithOidcCall<'a> {
    pub(super) role: &'a Role,
    pub(super) provider_arn: &'a str,
    pub(super) token: &'a SecretString,
}

#[derive(Deserialize)]
struct Assumed {
    #[serde(rename = "Credentials")]
    credentials: Option<TemporaryKeys>,
}

impl Call for AssumeRoleCall<'_> {
    type Reply = Given;
    const API: &'static str = "AssumeRole";
    /// Documented: 100 per second for an account and all its users.
    const RATE: f64 = 100.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let duration = self.role.duration.as_secs().to_string();
        let mut query = common(self.role, &duration);
        query.extend(self.role.external_id.as_deref().map(|id| ("ExternalId", id)));
        let question = Question { version: STS_VERSION, action: Self::API, path: "/".to_owned(), query: &query };
        question.sign(&self.role.endpoint, self.keys, stamp)
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        read(answer)
    }

    fn secrets(&self) -> Vec<&str> {
        self.keys.secrets()
    }
}

impl Call for AssumeRoleWithOidcCall<'_> {
    type Reply = Given;
    const API: &'static str = "AssumeRoleWithOIDC";
    /// Documented: 100 per second for an account and all its users.
    const RATE: f64 = 100.0;

    /// The token goes into the body, where no proxy logs it.
    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let timestamp = stamp.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let query = [("Action", Self::API), ("Format", "JSON"), ("Timestamp", &timestamp), ("Version", STS_VERSION)];
        let duration = self.role.duration.as_secs().to_string();
        let mut form = common(self.role, &duration);
        form.push(("OIDCProviderArn", self.provider_arn));
        form.push(("OIDCToken", self.token.expose_secret()));
        Request::post(self.role.endpoint.url(&format!("/?{}", percent::pairs(query))))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(percent::pairs(form).into())
            .map_err(unsendable)
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        read(answer)
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.token.expose_secret()]
    }
}

/// The parameters of both actions.
fn common<'a>(role: &'a Role, duration: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut parameters =
        vec![("DurationSeconds", duration), ("RoleArn", &*role.arn), ("RoleSessionName", &*role.session_name)];
    parameters.extend(role.policy.as_deref().map(|policy| ("Policy", policy)));
    parameters
}

fn read(answer: &Answer) -> Result<Given, Error> {
    if !answer.status.is_success() {
        return Err(error::of_sts(answer));
    }
    let assumed: Assumed = json::read(&answer.body, "")?;
    let missing = || Error::new(Reason::Decode, "the answer has no `Credentials`");
    assumed.credentials.ok_or_else(missing)?.given(answer.told_at())
}

#[cfg(test)]
mod tests {
    use super::super::role::RoleOptions;
    use super::*;
    use crate::cloud::echo::tests::no_error_repeats_a_secret;
    use crate::cloud::settings::Environment;

    fn role() -> Role {
        let options = RoleOptions {
            arn: Some("acs:ram::1234567890123456:role/exporter".to_owned()),
            policy: Some(r#"{"Version":"1"}"#.to_owned()),
            external_id: Some("a b".to_owned()),
            ..RoleOptions::default()
        };
        options.resolve(&Environment::from_fn(|_| None)).unwrap()
    }

    fn stamp() -> Stamp {
        Stamp { at: "2026-01-02T03:04:05Z".parse().unwrap(), nonce: "0".repeat(32) }
    }

    fn keys() -> Keys {
        Keys { id: "STS.HUNTER2".into(), secret: "hunter/2secret".into(), token: Some("CAIS/hunter2+=".into()) }
    }

    #[test]
    fn keys_and_tokens_are_in_no_address() {
        let (role, keys, token) = (role(), keys(), SecretString::from("hunter2hunter2"));
        let signed = AssumeRoleCall { role: &role, keys: &keys }.request(&stamp()).unwrap();
        let expected = "https://sts.aliyuncs.com/?DurationSeconds=3600&ExternalId=a%20b&Policy=%7B%22Version%22%3A%221%22%7D\
                        &RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fexporter&RoleSessionName=cloud-task-exporter";
        assert_eq!(signed.uri().to_string(), expected);
        assert_eq!(
            (&signed.headers()["x-acs-action"], &signed.headers()["x-acs-version"]),
            (&"AssumeRole".parse().unwrap(), &"2015-04-01".parse().unwrap())
        );
        let call = AssumeRoleWithOidcCall { role: &role, provider_arn: "acs:ram::1:oidc-provider/p", token: &token };
        let plain = call.request(&stamp()).unwrap();
        let expected = "https://sts.aliyuncs.com/?Action=AssumeRoleWithOIDC&Format=JSON&Timestamp=2026-01-02T03%3A04%3A05Z\
                        &Version=2015-04-01";
        assert_eq!((plain.method().as_str(), plain.uri().to_string().as_str()), ("POST", expected));
        let body = String::from_utf8(plain.body().to_vec()).unwrap();
        assert!(
            body.ends_with("&OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc-provider%2Fp&OIDCToken=hunter2hunter2"),
            "{body}"
        );
        assert!(!body.contains("ExternalId") && plain.headers().get("authorization").is_none());
    }

    #[test]
    fn no_error_repeats_what_was_sent() {
        let (role, keys, token) = (role(), keys(), SecretString::from("eyJhbGciOi/hunter2+="));
        let codes =
            ["SignatureDoesNotMatch", "NoPermission", "EntityNotExist.Role", "AuthenticationFail.OIDCToken.Expired"];
        no_error_repeats_a_secret(&AssumeRoleCall { role: &role, keys: &keys }, &codes);
        no_error_repeats_a_secret(&AssumeRoleWithOidcCall { role: &role, provider_arn: "p", token: &token }, &codes);
    }
}
