//! The calls: what each API action is asked, and where its answer is read.
//!
//! Vendor documents: CCE "ShowJob" and "ShowAutopilotJob", IAM "KeystoneListProjects". What brings keys and tokens is
//! asked for in `credentials/`.

use super::error::{Shown, classify, in_disguise};
use super::sign::{self, Signable};
use super::wire::{self, Job, Projects};
use crate::cloud::credentials::Keys;
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Answer, Call, Error, Stamp, json};
use crate::model::Reason;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{Method, Request};
use secrecy::ExposeSecret;
use std::sync::Arc;

const JSON: &str = "application/json";

/// Where an account's APIs are.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) region: Arc<str>,
    pub(super) cce: Endpoint,
    pub(super) iam: Endpoint,
}

/// What a request carries to show who asks.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// A signature made with this key.
    Key(Arc<Keys>),
    /// The IAM token that these are in place of a key.
    Token(Arc<Keys>),
}

/// A job of a standard cluster, or of an Autopilot cluster, which is asked for elsewhere.
#[derive(Debug)]
pub(super) struct ShowJob<'a, const AUTOPILOT: bool> {
    pub(super) site: &'a Site,
    pub(super) project_id: &'a str,
    pub(super) job_id: &'a str,
    pub(super) proof: &'a Proof,
}

/// The projects of the region's name.
#[derive(Debug)]
pub(super) struct ListProjects<'a> {
    pub(super) site: &'a Site,
    pub(super) proof: &'a Proof,
}

impl<const AUTOPILOT: bool> Call for ShowJob<'_, AUTOPILOT> {
    type Reply = Job;
    const API: &'static str = if AUTOPILOT { "ShowAutopilotJob" } else { "ShowJob" };
    // No figure is documented; ten times as much is throttled after a quarter of a minute.
    const RATE: f64 = 5.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let family = if AUTOPILOT { "autopilot" } else { "api" };
        let path = format!("/{family}/v3/projects/{}/jobs/{}", self.project_id, self.job_id);
        Question {
            method: Method::GET,
            endpoint: &self.site.cce,
            path: &path,
            query: &[],
            project_id: Some(self.project_id),
            body: Bytes::new(),
        }
        .proven(self.proof, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.proof.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Job, Error> {
        read_job(answer, self.proof.shown())
    }
}

impl Call for ListProjects<'_> {
    type Reply = Projects;
    const API: &'static str = "KeystoneListProjects";
    const RATE: f64 = 1.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let query = [("name", &*self.site.region)];
        Question {
            method: Method::GET,
            endpoint: &self.site.iam,
            path: "/v3/projects",
            query: &query,
            project_id: None,
            body: Bytes::new(),
        }
        .proven(self.proof, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.proof.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Projects, Error> {
        document(answer, self.proof.shown(), |body| json::read(body, ""))
    }
}

impl Proof {
    pub(super) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Key(keys) => keys.secrets(),
            Self::Token(keys) => keys.token.iter().map(ExposeSecret::expose_secret).collect(),
        }
    }

    pub(super) const fn shown(&self) -> Shown {
        match self {
            Self::Key(_) => Shown::Key,
            Self::Token(_) => Shown::Token,
        }
    }
}

/// What is asked, before it shows who asks.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) endpoint: &'a Endpoint,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) project_id: Option<&'a str>,
    pub(super) body: Bytes,
}

impl<'a> Question<'a> {
    /// A document to be sent there.
    pub(super) fn post(endpoint: &'a Endpoint, path: &'a str, document: &serde_json::Value) -> Self {
        let body = document.to_string().into();
        Self { method: Method::POST, endpoint, path, query: &[], project_id: None, body }
    }

    /// The request of somebody who shows nothing.
    ///
    /// # Errors
    /// When it cannot be put on the wire.
    pub(super) fn unproven(self) -> Result<Request<Bytes>, Error> {
        self.request().body(self.body).map_err(unsendable)
    }

    /// The request of somebody who shows that.
    ///
    /// # Errors
    /// When it cannot be put on the wire.
    pub(super) fn proven(self, proof: &Proof, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let request = match proof {
            Proof::Token(keys) => {
                let token = keys.token.as_ref().map_or("", ExposeSecret::expose_secret);
                self.request().header("x-auth-token", secret_value(token)?)
            }
            Proof::Key(keys) => self.signed(keys, stamp)?,
        };
        request.body(self.body).map_err(unsendable)
    }

    fn request(&self) -> Builder {
        let query = sign::canonical_query(self.query);
        let separator = if query.is_empty() { "" } else { "?" };
        let url = self.endpoint.url(&format!("{}{separator}{query}", self.path));
        Request::builder().method(self.method.clone()).uri(url).header(CONTENT_TYPE, JSON)
    }

    fn signed(&self, keys: &Keys, stamp: &Stamp) -> Result<Builder, Error> {
        let date = sign::date(stamp.at);
        let mut headers = vec![("x-sdk-date", date.as_str())];
        headers.extend(self.project_id.map(|id| ("x-project-id", id)));
        headers.extend(keys.token.as_ref().map(|token| ("x-security-token", token.expose_secret())));
        let mut request = self.request();
        for (name, value) in &headers {
            request = request.header(*name, secret_value(value)?);
        }
        // The host is signed and left to the HTTP client to send.
        headers.push(("host", self.endpoint.authority()));
        let (method, path, query, body) = (self.method.as_str(), self.path, self.query, &*self.body);
        let signable = Signable { method, path, query, headers: &headers, body };
        let to_sign = sign::string_to_sign(&date, &sign::canonical_request(&signable));
        let signature = sign::signature(keys.secret.expose_secret(), &to_sign);
        let authorization = sign::authorization(keys.id.expose_secret(), &sign::signed_headers(&headers), &signature);
        Ok(request.header(AUTHORIZATION, secret_value(&authorization)?))
    }
}

/// The job an answer to ShowJob describes.
///
/// # Errors
/// The vendor's error, or [`Reason::Decode`].
pub(super) fn read_job(answer: &Answer, shown: Shown) -> Result<Job, Error> {
    let no_job = || Error::new(Reason::Decode, "the answer is no job: it has no status.phase");
    document(answer, shown, |body| {
        wire::read_job(body).and_then(|job| if job.phase().is_empty() { Err(no_job()) } else { Ok(job) })
    })
}

/// Reads a good answer; any other is the error it tells of, also one that comes with a good status.
pub(super) fn document<T>(
    answer: &Answer,
    shown: Shown,
    read: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    if !answer.status.is_success() {
        return Err(classify(answer, shown));
    }
    read(&answer.body).map_err(|error| in_disguise(answer, shown).unwrap_or(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;
    use http::{HeaderMap, StatusCode};
    use secrecy::SecretString;

    fn site() -> Site {
        let endpoint = |service: &str| Endpoint::https(&format!("{service}.cn-north-4.myhuaweicloud.com")).unwrap();
        Site { region: "cn-north-4".into(), cce: endpoint("cce"), iam: endpoint("iam") }
    }

    fn stamp() -> Stamp {
        Stamp { at: "2024-01-02T03:04:05Z".parse().unwrap(), nonce: String::new() }
    }

    fn key(security_token: Option<&str>) -> Proof {
        Proof::Key(Arc::new(Keys {
            id: SecretString::from("AKEXAMPLE0123456789A"),
            secret: SecretString::from("SKexampleSecretKey0123456789abcdefGHIJKL"),
            token: security_token.map(SecretString::from),
        }))
    }

    fn token(value: &str) -> Proof {
        let (id, secret) = (SecretString::default(), SecretString::default());
        Proof::Token(Arc::new(Keys { id, secret, token: Some(value.into()) }))
    }

    fn show<const AUTOPILOT: bool>(proof: &Proof) -> Request<Bytes> {
        let site = site();
        let (project_id, job_id) = ("0123456789abcdef0123456789abcdef", "354331b2c-229a-11e8-9c75-0255ac100ceb");
        ShowJob::<AUTOPILOT> { site: &site, project_id, job_id, proof }.request(&stamp()).unwrap()
    }

    fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
        request.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    #[test]
    fn no_error_repeats_a_secret() {
        let site = &site();
        let codes =
            ["APIGW.0301", "APIGW.0303", "APIGW.0201", "CCE.01400001", "CCE.01403001", "IAM.0007", "APIGW.0308"];
        for proof in [key(Some("STEXAMPLE/token+value==")), token("MIIToken/+==")] {
            check(&ShowJob::<false> { site, project_id: "p", job_id: "j", proof: &proof }, &codes);
            check(&ListProjects { site, proof: &proof }, &codes);
        }
    }

    #[test]
    fn the_path_that_is_sent_has_no_slash_at_its_end() {
        let tail = "/v3/projects/0123456789abcdef0123456789abcdef/jobs/354331b2c-229a-11e8-9c75-0255ac100ceb";
        let host = "https://cce.cn-north-4.myhuaweicloud.com";
        assert_eq!(show::<false>(&key(None)).uri().to_string(), format!("{host}/api{tail}"));
        assert_eq!(show::<true>(&key(None)).uri().to_string(), format!("{host}/autopilot{tail}"));
    }

    #[test]
    fn exactly_the_headers_that_nobody_alters_are_signed() {
        let plain = show::<false>(&key(None));
        assert!(header(&plain, "authorization").contains("SignedHeaders=host;x-project-id;x-sdk-date, "));
        assert_eq!(header(&plain, "x-sdk-date"), "20240102T030405Z");
        assert_eq!(header(&plain, "x-project-id"), "0123456789abcdef0123456789abcdef");
        assert_eq!(header(&plain, "content-type"), "application/json");
        let temporary = show::<false>(&key(Some("STEXAMPLE/token+value==")));
        assert!(header(&temporary, "authorization").contains("=host;x-project-id;x-sdk-date;x-security-token, "));
        assert_eq!(header(&temporary, "x-security-token"), "STEXAMPLE/token+value==");
        assert!(!format!("{plain:?}{temporary:?}").contains("STEXAMPLE"), "a debug print shows secrets");
    }

    /// The vendor's SDK signs this request alike.
    #[test]
    fn the_look_up_of_a_project_is_signed_with_its_query() {
        let site = site();
        let request = ListProjects { site: &site, proof: &key(None) }.request(&stamp()).unwrap();
        assert_eq!(request.uri().to_string(), "https://iam.cn-north-4.myhuaweicloud.com/v3/projects?name=cn-north-4");
        assert!(
            header(&request, "authorization")
                .ends_with("Signature=0488198e929a78540a49520f2bf0112a7df142dd286e64543a2f284a85670f2c")
        );
    }

    #[test]
    fn a_token_takes_the_place_of_the_signature() {
        let request = show::<false>(&token("MIIToken"));
        assert_eq!((header(&request, "x-auth-token"), header(&request, "authorization")), ("MIIToken", ""));
        assert!(!format!("{request:?}").contains("MIIToken"));
    }

    #[test]
    fn a_good_status_does_not_make_a_job() {
        let site = site();
        let proof = key(None);
        let call = ShowJob::<false> { site: &site, project_id: "p", job_id: "j", proof: &proof };
        let reply = |body: &str| {
            let answer =
                Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: body.as_bytes().to_vec().into() };
            call.reply(&answer).map(|_| ()).map_err(|error| (error.reason(), error.code().to_owned()))
        };
        let decode = || Err((Reason::Decode, "decode".to_owned()));
        assert_eq!(reply(r#"{"status":{"phase":"Running"}}"#), Ok(()));
        let nameless = r#"{"metadata":{"uid":"j"}}"#;
        for body in ["", "{}", "[]", "null", "<html></html>", r#"{"status":{"phase":"Run"#, r#"{"items":[]}"#, nameless]
        {
            assert_eq!(reply(body), decode(), "{body}");
        }
        let error = r#"{"kind":"Status","metadata":{},"status":"Failure","code":404,"errorCode":"CCE.01404001"}"#;
        assert_eq!(reply(error), Err((Reason::NotFound, "CCE.01404001".to_owned())));
        let gateway = r#"{"error_code":"APIGW.0101","error_msg":"no such API"}"#;
        assert_eq!(reply(gateway), Err((Reason::Rejected, "APIGW.0101".to_owned())));
    }
}
