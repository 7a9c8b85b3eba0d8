//! The two calls to STS that hand out keys of an agency: for an identity provider's token, and for other keys.
//!
//! Vendor documents: STS "AssumeAgency" and "AssumeAgencyWithOIDC", as `huaweicloudsdksts` and `huaweicloudsdkcore` 3.1.219
//! have them.

use super::super::api::{Proof, Question, document};
use super::super::error::Shown;
use super::temporary;
use crate::cloud::credentials::Given;
use crate::cloud::settings::Endpoint;
use crate::cloud::{Answer, Call, Error, Stamp};
use bytes::Bytes;
use http::Request;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// A session of an agency.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) agency_urn: String,
    pub(super) name: String,
    /// In seconds.
    pub(super) duration: u64,
    pub(super) policy: Option<String>,
    pub(super) policy_ids: Vec<String>,
}

/// Keys for the token of an identity provider.
#[derive(Debug)]
pub(super) struct AssumeAgencyWithOidc<'a> {
    pub(super) sts: &'a Endpoint,
    pub(super) session: &'a Session,
    pub(super) provider_urn: &'a str,
    pub(super) id_token: &'a SecretString,
}

/// Keys for a signature with other keys.
#[derive(Debug)]
pub(super) struct AssumeAgency<'a> {
    pub(super) sts: &'a Endpoint,
    pub(super) session: &'a Session,
    pub(super) external_id: Option<&'a str>,
    pub(super) proof: &'a Proof,
}

impl Session {
    /// The session with one more field, if that has a value.
    fn document(&self, more: &[(&str, Option<&str>)]) -> Value {
        let mut document = json!({
            "agency_urn": self.agency_urn,
            "agency_session_name": self.name,
            "duration_seconds": self.duration,
        });
        let policy = [("policy", self.policy.as_deref())];
        for (name, value) in more.iter().chain(&policy).filter_map(|(name, value)| Some((*name, (*value)?))) {
            insert(&mut document, name, value.into());
        }
        if !self.policy_ids.is_empty() {
            insert(&mut document, "policy_ids", json!(self.policy_ids));
        }
        document
    }
}

fn insert(document: &mut Value, name: &str, value: Value) {
    if let Some(fields) = document.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

impl Call for AssumeAgencyWithOidc<'_> {
    type Reply = Given;
    const API: &'static str = "AssumeAgencyWithOIDC";
    const RATE: f64 = 1.0;

    fn request(&self, _: &Stamp) -> Result<Request<Bytes>, Error> {
        let more = [("provider_urn", Some(self.provider_urn)), ("id_token", Some(self.id_token.expose_secret()))];
        Question::post(self.sts, "/v5/agencies/assume-with-oidc", &self.session.document(&more)).unproven()
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.id_token.expose_secret()]
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        document(answer, Shown::IdentityToken, |_| temporary::keys(answer))
    }
}

impl Call for AssumeAgency<'_> {
    type Reply = Given;
    const API: &'static str = "AssumeAgency";
    const RATE: f64 = 1.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let document = self.session.document(&[("external_id", self.external_id)]);
        Question::post(self.sts, "/v5/agencies/assume", &document).proven(self.proof, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.proof.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        document(answer, self.proof.shown(), |_| temporary::keys(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::credentials::Keys;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;
    use std::sync::Arc;

    fn session() -> Session {
        let agency_urn = "iam::0123:agency:exporter".to_owned();
        Session { agency_urn, name: "s".to_owned(), duration: 3600, policy: None, policy_ids: Vec::new() }
    }

    fn body(request: &Request<Bytes>) -> Value {
        serde_json::from_slice(request.body()).unwrap()
    }

    #[test]
    fn requests_are_the_vendors() {
        let sts = Endpoint::https("sts.cn-north-4.myhuaweicloud.com").unwrap();
        let stamp = Stamp { at: "2024-01-02T03:04:05Z".parse().unwrap(), nonce: String::new() };
        let (bare, id_token) = (session(), SecretString::from("eyJ.hunter2"));
        let call = AssumeAgencyWithOidc { sts: &sts, session: &bare, provider_urn: "p", id_token: &id_token };
        let request = call.request(&stamp).unwrap();
        assert_eq!(request.uri().path(), "/v5/agencies/assume-with-oidc");
        assert!(!request.headers().contains_key("authorization"));
        assert_eq!(
            body(&request),
            json!({"provider_urn": "p", "agency_urn": "iam::0123:agency:exporter", "agency_session_name": "s",
                "id_token": "eyJ.hunter2", "duration_seconds": 3600})
        );
        check(&call, &["APIGW.0301", "PAP5.0010", "IAM.0001"]);

        let keys = Keys { id: "AKHUNTER2".into(), secret: "hunter2secret".into(), token: Some("ST/hunter2+=".into()) };
        let proof = Proof::Key(Arc::new(keys));
        let session = Session { policy: Some("{}".to_owned()), policy_ids: vec!["p1".to_owned()], ..session() };
        let call = AssumeAgency { sts: &sts, session: &session, external_id: Some("x"), proof: &proof };
        let request = call.request(&stamp).unwrap();
        let (path, headers, asked) = (request.uri().path(), request.headers(), body(&request));
        assert_eq!((path, &headers["x-security-token"]), ("/v5/agencies/assume", &"ST/hunter2+=".parse().unwrap()));
        assert!(headers["authorization"].to_str().unwrap().contains("SignedHeaders=host;x-sdk-date;x-security-token"));
        assert_eq!(
            (&asked["policy"], &asked["policy_ids"], &asked["external_id"]),
            (&json!("{}"), &json!(["p1"]), &json!("x"))
        );
        check(&call, &["APIGW.0301", "PAP5.0010", "IAM.0001"]);
    }
}
