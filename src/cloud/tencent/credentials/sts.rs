//! The two calls to STS that turn other credentials into the temporary keys of a role.
//!
//! <https://www.tencentcloud.com/document/product/1150/49443> lists them with their quotas. The region is the one the
//! vendor's SDKs send.

use super::super::access::{Product, post};
use super::super::answer;
use super::super::wire::integer;
use super::temporary::TemporaryKeys;
use super::values::{KeyLife, RoleArn, SessionName};
use crate::cloud::credentials::{Given, Keys};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Answer, Call, Error, Stamp};
use crate::model::Reason;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

const VERSION: &str = "2018-08-13";
const REGION: &str = "ap-guangzhou";

/// The role whose keys are asked for.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) arn: RoleArn,
    pub(super) session_name: SessionName,
    pub(super) life: KeyLife,
}

/// A role assumed with other keys.
#[derive(Debug)]
pub(super) struct AssumeRole<'a> {
    pub(super) sts: &'a Endpoint,
    pub(super) keys: &'a Keys,
    pub(super) role: &'a Role,
}

impl Call for AssumeRole<'_> {
    type Reply = Given;
    const API: &'static str = "AssumeRole";
    const RATE: f64 = 600.0;

    fn request(&self, stamp: &Stamp) -> Result<http::Request<Bytes>, Error> {
        let Role { arn, session_name, life } = self.role;
        let parameters = json!({
            "RoleArn": arn.0, "RoleSessionName": session_name.0, "DurationSeconds": life.0,
        });
        post(&product(self.sts, REGION), Some(self.keys), Self::API, &parameters, stamp)
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        read(answer)
    }

    fn secrets(&self) -> Vec<&str> {
        self.keys.secrets()
    }
}

/// A role assumed with the token of an identity provider; the call is not signed.
#[derive(Debug)]
pub(super) struct AssumeRoleWithWebIdentity<'a> {
    pub(super) sts: &'a Endpoint,
    pub(super) region: &'a str,
    pub(super) provider_id: &'a str,
    pub(super) token: &'a SecretString,
    pub(super) role: &'a Role,
}

impl Call for AssumeRoleWithWebIdentity<'_> {
    type Reply = Given;
    const API: &'static str = "AssumeRoleWithWebIdentity";
    const RATE: f64 = 20.0;

    fn request(&self, stamp: &Stamp) -> Result<http::Request<Bytes>, Error> {
        let Role { arn, session_name, life } = self.role;
        let parameters = json!({
            "ProviderId": self.provider_id, "WebIdentityToken": self.token.expose_secret(),
            "RoleArn": arn.0, "RoleSessionName": session_name.0, "DurationSeconds": life.0,
        });
        post(&product(self.sts, self.region), None, Self::API, &parameters, stamp)
    }

    fn reply(&self, answer: &Answer) -> Result<Given, Error> {
        read(answer)
    }

    /// The token, and each of the parts it may be quoted by.
    fn secrets(&self) -> Vec<&str> {
        let token = self.token.expose_secret();
        std::iter::once(token).chain(token.split('.')).collect()
    }
}

const fn product<'a>(sts: &'a Endpoint, region: &'a str) -> Product<'a> {
    Product { endpoint: sts, service: "sts", version: VERSION, region }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed {
    credentials: TemporaryKeys,
    #[serde(deserialize_with = "integer")]
    expired_time: Option<i64>,
}

fn read(answer: &Answer) -> Result<Given, Error> {
    let Assumed { credentials, expired_time } = answer::read(answer).map_err(of_role)?;
    let endless = || Error::new(Reason::Decode, "the keys of the role have no `ExpiredTime`");
    credentials.until(expired_time.ok_or_else(endless)?, answer)
}

/// What an error of STS means for the account. A role that is not found is no task that is gone.
fn of_role(error: Error) -> Error {
    let denied = |message| Error::new(Reason::Denied, message).with_code(error.code());
    match error.code() {
        "AuthFailure.UnauthorizedOperation" => denied(FORBIDDEN),
        "InvalidParameter.WebIdentityTokenError" => {
            denied("the token was refused; check the token file, provider_id and that the role trusts the provider")
        }
        code if code.starts_with("UnauthorizedOperation") => denied(FORBIDDEN),
        code if error.reason() == Reason::NotFound || code.starts_with("ResourceNotFound") => {
            denied("there is no such role; check role_arn")
        }
        _ => error,
    }
}

const FORBIDDEN: &str =
    "the role may not be assumed; allow sts:AssumeRole in CAM, and name who assumes it in the role's trust policy";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;
    use http::{HeaderMap, StatusCode};
    use jiff::Timestamp;
    use serde_json::Value;

    fn role() -> Role {
        let arn = RoleArn("qcs::cam::uin/100000000001:roleName/exporter".to_owned());
        Role { arn, session_name: SessionName::default(), life: KeyLife(1800) }
    }

    fn keys() -> Keys {
        Keys { id: "AKIDEXAMPLE".into(), secret: "SKEXAMPLE".into(), token: Some("TOKENEXAMPLE".into()) }
    }

    fn stamp() -> Stamp {
        Stamp { at: Timestamp::from_second(1_700_000_000).unwrap(), nonce: "0".repeat(32) }
    }

    fn sts() -> Endpoint {
        Endpoint::https("sts.tencentcloudapi.com").unwrap()
    }

    fn sent<C: Call>(call: &C) -> (HeaderMap, Value) {
        let request = call.request(&stamp()).unwrap();
        assert_eq!(request.uri(), "https://sts.tencentcloudapi.com/");
        (request.headers().clone(), serde_json::from_slice(request.body()).unwrap())
    }

    fn reply(body: &str) -> Result<Given, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Tue, 14 Nov 2023 22:13:20 GMT".parse().unwrap());
        let answer = Answer { status: StatusCode::OK, headers, body: Bytes::copy_from_slice(body.as_bytes()) };
        AssumeRole { sts: &sts(), keys: &keys(), role: &role() }.reply(&answer)
    }

    #[test]
    fn a_role_is_asked_for_as_the_sdk_does() {
        let (headers, body) = sent(&AssumeRole { sts: &sts(), keys: &keys(), role: &role() });
        let authorization = headers["authorization"].to_str().unwrap();
        let scope =
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/sts/tc3_request, SignedHeaders=content-type;host,";
        assert!(authorization.starts_with(scope), "{authorization}");
        let named =
            ["x-tc-action", "x-tc-version", "x-tc-region", "x-tc-token"].map(|name| headers[name].to_str().unwrap());
        assert_eq!(named, ["AssumeRole", "2018-08-13", "ap-guangzhou", "TOKENEXAMPLE"]);
        let expected =
            json!({"RoleArn": role().arn.0, "RoleSessionName": "cloud-task-exporter", "DurationSeconds": 1800});
        assert_eq!(body, expected);
    }

    fn with_web_identity(sts: &Endpoint, role: &Role, check: impl FnOnce(&AssumeRoleWithWebIdentity<'_>)) {
        let token = SecretString::from("eyJhbGciOiJS.eyJzdWIiOiJz.c2lnbmF0dXJl");
        check(&AssumeRoleWithWebIdentity { sts, region: "ap-tokyo", provider_id: "tke", token: &token, role });
    }

    #[test]
    fn a_pods_token_is_sent_unsigned() {
        with_web_identity(&sts(), &role(), |call| {
            let (headers, body) = sent(call);
            assert_eq!(
                (&headers["authorization"], &headers["x-tc-region"]),
                (&"SKIP".parse().unwrap(), &"ap-tokyo".parse().unwrap())
            );
            assert!(headers.contains_key("x-tc-timestamp") && !headers.contains_key("x-tc-token"));
            assert_eq!(body["WebIdentityToken"], "eyJhbGciOiJS.eyJzdWIiOiJz.c2lnbmF0dXJl");
            assert_eq!((&body["ProviderId"], body.as_object().unwrap().len()), (&json!("tke"), 5));
        });
    }

    #[test]
    fn no_error_repeats_a_secret() {
        let codes =
            ["AuthFailure.SignatureFailure", "InvalidParameter.WebIdentityTokenError", "InvalidParameter", "4000"];
        check(&AssumeRole { sts: &sts(), keys: &keys(), role: &role() }, &codes);
        with_web_identity(&sts(), &role(), |call| check(call, &codes));
    }

    const WHOLE: &str = r#"{"Response": {"Credentials": {"TmpSecretId": "AKIDhunter2", "TmpSecretKey": "hunter2",
        "Token": "hunter2"}, "ExpiredTime": 1700007200, "Expiration": "2023-11-15T00:13:20Z", "RequestId": "r"}}"#;

    #[test]
    fn temporary_keys_are_taken_whole_or_not_at_all() {
        let given = reply(WHOLE).unwrap();
        assert_eq!(given.keys().secrets(), ["AKIDhunter2", "hunter2", "hunter2"]);
        for (what, with, expected) in [
            (r#""Token": "hunter2""#, r#""Token": """#, "a part is empty"),
            (
                r#""Token": "hunter2""#,
                r#""Tokens": "hunter2""#,
                "the field `Token` is missing at `Response.Credentials`",
            ),
            ("1700007200", "1700000000", "ended before they came, at 2023-11-14T22:13:20Z"),
            ("1700007200", "null", "have no `ExpiredTime`"),
            ("1700007200", "99999999999999999", "`ExpiredTime` is no time"),
            ("1700007200", "[\"hunter2\"]", "at `Response.ExpiredTime`"),
            ("\"hunter2\"}", "[\"hunter2\"]}", "at `Response.Credentials.Token`"),
        ] {
            let error = reply(&WHOLE.replacen(what, with, 1)).unwrap_err();
            let shown = format!("{} {error:?}", crate::cloud::chain(&error));
            assert!(shown.contains(expected) && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn no_error_of_a_role_says_that_a_task_is_gone() {
        for (code, reason, stops) in [
            ("ResourceNotFound.RoleNotFound", Reason::Denied, false),
            ("UnauthorizedOperation", Reason::Denied, false),
            ("AuthFailure.UnauthorizedOperation", Reason::Denied, false),
            ("InvalidParameter.WebIdentityTokenError", Reason::Denied, false),
            ("AuthFailure.SecretIdNotFound", Reason::Denied, true),
            ("InvalidParameter.OverTimeError", Reason::Rejected, false),
            ("InternalError.GetRoleError", Reason::Transport, false),
            ("RequestLimitExceeded", Reason::Throttled, false),
        ] {
            let body = json!({"Response": {"Error": {"Code": code, "Message": "words"}, "RequestId": "r"}});
            let error = reply(&body.to_string()).unwrap_err();
            assert_eq!((error.reason(), error.stops_account(), error.code()), (reason, stops, code));
        }
    }
}
