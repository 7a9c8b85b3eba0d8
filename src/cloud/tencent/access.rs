//! How one account is asked: its address, its region, its keys and the dialect it speaks. Makes signed requests; sends none.

use super::legacy::{self, SignatureMethod};
use super::sign::{self, Scope, Signed};
use crate::cloud::credentials::Keys;
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Error, Stamp};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// The version of the API's documents; both dialects name it.
pub(super) const VERSION: &str = "2017-03-12";
/// The service's name in a signature, whatever the host is called.
const SERVICE: &str = "batch";
const JSON: &str = "application/json";
/// What stands in `Authorization` where nothing is signed.
const UNSIGNED: &str = "SKIP";

/// Which of the vendor's two ways of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// API 3.0.
    Current,
    /// API 2.0, signed like this.
    Legacy(SignatureMethod),
}

/// Where and how one account is asked.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) endpoint: Endpoint,
    pub(super) region: Arc<str>,
    pub(super) dialect: Dialect,
}

/// How one request is made: where, and with which keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access<'a> {
    pub(super) site: &'a Site,
    pub(super) keys: &'a Keys,
}

impl Access<'_> {
    /// The signed request of an action. `parameters` are the action's own and nothing else: the vendor refuses others.
    pub(super) fn request(
        &self,
        action: &str,
        parameters: &impl Serialize,
        stamp: &Stamp,
    ) -> Result<http::Request<Bytes>, Error> {
        let parameters = serde_json::to_value(parameters).map_err(unsendable)?;
        match self.site.dialect {
            Dialect::Current => self.current(action, &parameters, stamp),
            Dialect::Legacy(method) => legacy::request(self, method, action, &parameters, stamp),
        }
    }

    fn current(&self, action: &str, parameters: &Value, stamp: &Stamp) -> Result<http::Request<Bytes>, Error> {
        let Site { endpoint, region, .. } = self.site;
        let product = Product { endpoint, service: SERVICE, version: VERSION, region };
        post(&product, Some(self.keys), action, parameters, stamp)
    }
}

/// A product with an API 3.0: where it is, and what its requests call it.
#[derive(Debug)]
pub(super) struct Product<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) service: &'static str,
    pub(super) version: &'static str,
    pub(super) region: &'a str,
}

/// The request of an action in API 3.0; without keys, one of the few that are not signed.
pub(super) fn post(
    product: &Product<'_>,
    keys: Option<&Keys>,
    action: &str,
    parameters: &Value,
    stamp: &Stamp,
) -> Result<http::Request<Bytes>, Error> {
    let Product { endpoint, service, version, region } = product;
    let body = parameters.to_string();
    let authorization = keys.map_or_else(
        || UNSIGNED.to_owned(),
        |Keys { id, secret, .. }| {
            let headers = [("content-type", JSON), ("host", endpoint.authority())].into();
            let signed = Signed { method: "POST", query: "", headers, payload: body.as_bytes() };
            sign::authorization(id.expose_secret(), secret.expose_secret(), &Scope { at: stamp.at, service }, &signed)
        },
    );
    let mut request = http::Request::post(endpoint.url("/"))
        .header(CONTENT_TYPE, JSON)
        .header(AUTHORIZATION, secret_value(&authorization)?)
        .header("x-tc-action", action)
        .header("x-tc-version", *version)
        .header("x-tc-region", *region)
        .header("x-tc-timestamp", stamp.at.as_second())
        .header("x-tc-language", "en-US");
    if let Some(token) = keys.and_then(|keys| keys.token.as_ref()) {
        request = request.header("x-tc-token", secret_value(token.expose_secret())?);
    }
    request.body(Bytes::from(body)).map_err(unsendable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Call;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;
    use crate::cloud::tencent::api::{DescribeJob, DescribeTask, Page};
    use crate::cloud::tencent::id::TaskId;
    use jiff::Timestamp;
    use secrecy::SecretString;

    fn site(dialect: Dialect) -> Site {
        let endpoint = Endpoint::https("batch.tencentcloudapi.com").unwrap();
        Site { endpoint, region: "ap-guangzhou".into(), dialect }
    }

    fn keys(token: Option<&str>) -> Keys {
        Keys {
            id: "AKIDEXAMPLE0000000000000000000000000".into(),
            secret: "SKEXAMPLE00000000000000000000000".into(),
            token: token.map(SecretString::from),
        }
    }

    fn stamp() -> Stamp {
        Stamp { at: Timestamp::from_second(1_700_000_000).unwrap(), nonce: "0002e6d".repeat(5) }
    }

    fn ask(dialect: Dialect, token: Option<&str>, page: Option<Page>) -> http::Request<Bytes> {
        let id = TaskId::parse("job-97zcl3wt/A").unwrap();
        let access = Access { site: &site(dialect), keys: &keys(token) };
        DescribeTask { access, id: &id, page }.request(&stamp()).unwrap()
    }

    #[test]
    fn a_request_of_api_3_is_the_recorded_one() {
        let request = ask(Dialect::Current, Some("TOKEN"), None);
        assert_eq!(request.uri(), "https://batch.tencentcloudapi.com/");
        assert_eq!(request.body(), r#"{"JobId":"job-97zcl3wt","TaskName":"A"}"#);
        let recorded = include_str!("../../../tests/data/sign/tencent/v3-post-describe-task/authorization.txt");
        assert_eq!(request.headers()["authorization"], recorded);
        let headers = ["content-type", "x-tc-action", "x-tc-version", "x-tc-region", "x-tc-timestamp", "x-tc-token"];
        let sent = headers.map(|name| request.headers()[name].to_str().unwrap());
        assert_eq!(sent, [JSON, "DescribeTask", VERSION, "ap-guangzhou", "1700000000", "TOKEN"]);
        assert!(request.headers()["authorization"].is_sensitive() && request.headers()["x-tc-token"].is_sensitive());
        assert!(!ask(Dialect::Current, None, None).headers().contains_key("x-tc-token"));
    }

    #[test]
    fn a_page_is_part_of_the_body() {
        let request = ask(Dialect::Current, None, Some(Page { offset: 2000, limit: 1000 }));
        assert_eq!(request.body(), r#"{"JobId":"job-97zcl3wt","Limit":1000,"Offset":2000,"TaskName":"A"}"#);
    }

    #[test]
    fn a_request_of_api_2_is_a_signed_form() {
        let request = ask(Dialect::Legacy(SignatureMethod::HmacSha256), None, None);
        assert_eq!(request.uri().path(), "/v2/index.php");
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        assert!(
            body.starts_with("Action=DescribeTask&JobId=job-97zcl3wt&Nonce=11886&Region=ap-guangzhou&SecretId=AKID"),
            "{body}"
        );
        assert!(
            body.contains("&SignatureMethod=HmacSHA256&TaskName=A&Timestamp=1700000000&Version=2017-03-12"),
            "{body}"
        );
        assert!(body.contains("&Signature="), "{body}");
    }

    #[test]
    fn no_error_repeats_a_secret() {
        let codes =
            ["AuthFailure.SignatureFailure", "UnauthorizedOperation", "InvalidParameter", "InternalError", "4000"];
        for dialect in [Dialect::Current, Dialect::Legacy(SignatureMethod::HmacSha1)] {
            let access = Access { site: &site(dialect), keys: &keys(Some("TOKEN/EXAMPLE+=")) };
            check(&DescribeTask { access, id: &TaskId::parse("job-97zcl3wt/A").unwrap(), page: None }, &codes);
            check(&DescribeJob { access, job: "job-97zcl3wt" }, &codes);
        }
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let shown = format!("{:?}", keys(Some("TOKENEXAMPLE")));
        assert!(!shown.contains("EXAMPLE"), "{shown}");
    }
}
