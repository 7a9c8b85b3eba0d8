//! What an answer that is no good answer means: the vendor's codes, from the top of one table to its end.
//!
//! Codes decide, not statuses: a throttle comes as 400, an unknown key as 404. Messages about credentials are never
//! copied: the vendor repeats in them what was signed, tokens and all.
//! Facts: the error center of the API CS (error-center.aliyun.com/status/product/CS), issues of the vendor's clients.

use crate::cloud::{Answer, Error, Retry};
use crate::model::Reason;
use http::StatusCode;
use serde_json::{Map, Value};
use std::time::Duration;

/// No error of the vendor is longer than this, in bytes; what is longer comes from somebody else.
const MAX_FAULT: usize = 64 * 1024;

/// What an error's body says, whatever its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fault {
    code: String,
    message: String,
}

/// Classifies an answer to the action `api` that is an error.
pub(super) fn classify(answer: &Answer, api: &str) -> Error {
    let fault = Fault::of(answer).unwrap_or_default();
    let error = throttled(answer, &fault)
        .or_else(|| misdated(&fault))
        .or_else(|| refused(answer.status, &fault))
        .or_else(|| forbidden(answer.status, &fault, api))
        .or_else(|| unserved(&fault))
        .or_else(|| missing(answer.status, &fault))
        .or_else(|| broken(answer.status, &fault))
        .unwrap_or_else(|| Error::new(Reason::Rejected, said(answer.status, &fault)));
    if fault.code.is_empty() { error } else { error.with_code(&fault.code) }
}

/// Classifies an answer of the security token service that is an error.
/// Facts: the error center of the API Sts (error-center.aliyun.com/status/product/Sts).
pub(super) fn of_sts(answer: &Answer) -> Error {
    let fault = Fault::of(answer).unwrap_or_default();
    let denied = |message: &str| Error::new(Reason::Denied, message).with_code(&fault.code);
    match fault.code.as_str() {
        code if code.starts_with("AuthenticationFail") => denied(
            "the role is not given for this token; look at its identity provider, its trust policy and the token's age",
        ),
        code if code.starts_with("NoPermission") || code.starts_with("Forbidden") => denied(
            "the role is not given; the key's RAM policy has to allow sts:AssumeRole, and the role's trust policy its owner",
        ),
        code if code.starts_with("EntityNotExist") => denied("the role or its identity provider does not exist"),
        _ => classify(answer, "AssumeRole"),
    }
}

/// The error that an answer with a good status holds in place of what was asked for.
pub(super) fn in_disguise(answer: &Answer, api: &str) -> Option<Error> {
    Fault::of(answer).filter(|fault| !fault.code.is_empty()).map(|_| classify(answer, api))
}

fn throttled(answer: &Answer, fault: &Fault) -> Option<Error> {
    let asked_for = pause_asked_for(answer);
    let is_throttle = answer.status == StatusCode::TOO_MANY_REQUESTS
        || asked_for.is_some()
        || contains(&fault.code, "throttling")
        || contains(&fault.message, "flow control");
    is_throttle.then(|| {
        let pause = asked_for.or_else(|| window_left(answer));
        Error::new(Reason::Throttled, "the account's quota is used up").with_retry_after(pause)
    })
}

/// The clock is off, or the nonce was used: a new stamp may do better, once.
fn misdated(fault: &Fault) -> Option<Error> {
    if fault.code.starts_with("InvalidTimeStamp") || fault.code == "IllegalTimestamp" {
        let message = "this machine's clock is more than 15 minutes off; set it right";
        return Some(Error::new(Reason::Denied, message).with_retry(Retry::Resigned).stopping_account());
    }
    (fault.code == "SignatureNonceUsed").then(|| {
        Error::new(Reason::Rejected, "the request reached the cloud a second time").with_retry(Retry::Resigned)
    })
}

/// The credentials themselves are no good. Nobody renews them here, so the account stops for an ended token as well.
fn refused(status: StatusCode, fault: &Fault) -> Option<Error> {
    let code = fault.code.as_str();
    let stopped = |message: &str| Some(Error::new(Reason::Denied, message).stopping_account());
    match code {
        "MissingSecurityToken" => return stopped("these are temporary credentials: name their security token too"),
        "InvalidSecurityToken.MismatchWithAccessKey" | "InvalidSecurityToken.Malformed" => {
            return stopped("the security token does not belong to the access key");
        }
        _ if ["SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignature"]
            .iter()
            .any(|it| code.starts_with(it)) =>
        {
            return stopped("the signature does not fit; check the access key secret");
        }
        _ if code.starts_with("InvalidAccessKeyId") => return stopped("the access key does not exist or is disabled"),
        _ => {}
    }
    if code.starts_with("InvalidSecurityToken") || contains(&fault.message, "SecurityToken.Expired") {
        let message = "the security token has ended; new temporary credentials are needed";
        return Some(Error::new(Reason::Denied, message).stopping_account().stale_token());
    }
    if status == StatusCode::UNAUTHORIZED { stopped("the credentials were refused") } else { None }
}

fn forbidden(status: StatusCode, fault: &Fault, api: &str) -> Option<Error> {
    let code = fault.code.as_str();
    let is_forbidden = status == StatusCode::FORBIDDEN
        || code.starts_with("Forbidden")
        || matches!(code, "NoPermission" | "StatusForbidden" | "ActionUnauthorized")
        || contains(&fault.message, "policy forbidden");
    is_forbidden.then(|| {
        let message = format!("the access key lacks a permission; allow cs:{api} in its RAM policy");
        Error::new(Reason::Denied, message)
    })
}

fn unserved(fault: &Fault) -> Option<Error> {
    let code = fault.code.as_str();
    let is_route = code.starts_with("InvalidAction")
        || matches!(code, "InvalidApi.NotFound" | "InvalidVersion" | "NoSuchVersion" | "UnsupportedHTTPMethod");
    is_route.then(|| {
        let message = "no such API at this endpoint; expected one such as https://cs.cn-hangzhou.aliyuncs.com";
        Error::new(Reason::Rejected, message)
    })
}

/// The task or the cluster is not there. A status 404, or a code that ends in `NotFound`, says nothing by itself.
fn missing(status: StatusCode, fault: &Fault) -> Option<Error> {
    if fault.code == "ErrorClusterNotFound" {
        return Some(Error::new(Reason::NotFound, "the cloud does not know the cluster"));
    }
    let code = fault.code.to_ascii_lowercase();
    let code = code.strip_prefix("error").unwrap_or(&code);
    let by_code = code.starts_with("task") && code.ends_with("notfound");
    let by_message = matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)
        && fault.message.to_ascii_lowercase().split_once("task ").is_some_and(|(_, rest)| rest.contains(" not found"));
    (by_code || by_message).then(|| Error::new(Reason::NotFound, "the cloud does not know the task"))
}

fn broken(status: StatusCode, fault: &Fault) -> Option<Error> {
    let is_theirs = status.is_server_error()
        || matches!(fault.code.as_str(), "InternalError" | "UnknownError" | "ServiceUnavailable");
    is_theirs.then(|| Error::new(Reason::Transport, said(status, fault)))
}

/// Status and message of an error that has nothing to do with credentials.
fn said(status: StatusCode, fault: &Fault) -> String {
    let status = status.as_u16();
    if fault.message.is_empty() {
        format!("HTTP status {status}")
    } else {
        format!("{} (HTTP {status})", fault.message)
    }
}

fn contains(text: &str, lower_case: &str) -> bool {
    text.to_ascii_lowercase().contains(&lower_case.to_ascii_lowercase())
}

/// `x-acs-retry-after`, in milliseconds.
fn pause_asked_for(answer: &Answer) -> Option<Duration> {
    let millis = answer.header("x-acs-retry-after")?.trim().parse().ok()?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// What older gateways say: `x-ratelimit-user: …,TimeLeft:1500`, in milliseconds; the longer of two.
fn window_left(answer: &Answer) -> Option<Duration> {
    let names = ["x-ratelimit-user-api", "x-ratelimit-user"];
    let fields = names.into_iter().filter_map(|name| answer.header(name)).flat_map(|value| value.split(','));
    let times = fields.filter_map(|field| field.trim().strip_prefix("TimeLeft:")?.trim().parse().ok());
    times.max().filter(|millis| *millis > 0).map(Duration::from_millis)
}

impl Fault {
    /// What the body says: the gateway's JSON, the service's JSON, or XML; nothing if it is none of them.
    fn of(answer: &Answer) -> Option<Self> {
        if answer.body.len() > MAX_FAULT {
            return None;
        }
        let text = std::str::from_utf8(&answer.body).ok()?;
        match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(object) => Some(Self { code: member(&object, "Code"), message: member(&object, "Message") }),
            Err(_) => Self::of_xml(text),
        }
    }

    fn of_xml(text: &str) -> Option<Self> {
        let document = roxmltree::Document::parse(text).ok()?;
        let root = document.root_element();
        let child = |name: &str| {
            let node = root.children().find(|node| node.tag_name().name().eq_ignore_ascii_case(name));
            node.and_then(|node| node.text()).unwrap_or_default().trim().to_owned()
        };
        (root.tag_name().name() == "Error").then(|| Self { code: child("Code"), message: child("Message") })
    }
}

/// A member under its capital or small name, as text.
fn member(object: &Map<String, Value>, name: &str) -> String {
    let value = object.get(name).or_else(|| object.get(&name.to_ascii_lowercase()));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName};

    fn answer(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_owned()) }
    }

    fn gateway(status: u16, code: &str, message: &str) -> Error {
        let body = serde_json::json!({"RequestId": "r", "HostId": "h", "Code": code, "Message": message});
        classify(&answer(status, &body.to_string(), &[]), "DescribeTaskInfo")
    }

    fn fixture(name: &str, status: u16, headers: &[(&'static str, &str)]) -> Error {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies/aliyun").join(name);
        classify(&answer(status, &std::fs::read_to_string(path).unwrap(), headers), "DescribeTaskInfo")
    }

    const STOPS: bool = true;

    #[test]
    fn the_table_of_codes() {
        use Reason::{Denied, NotFound, Rejected, Throttled, Transport};
        let table: &[(u16, &str, &str, Reason, Retry, bool)] = &[
            (400, "Throttling", "", Throttled, Retry::Later, false),
            (400, "Throttling.Api", "", Throttled, Retry::Later, false),
            (400, "Rejected.Throttling", "", Throttled, Retry::Later, false),
            (503, "ServiceUnavailable", "denied due to api flow control", Throttled, Retry::Later, false),
            (429, "Whatever", "", Throttled, Retry::Later, false),
            (400, "InvalidTimeStamp.Expired", "", Denied, Retry::Resigned, STOPS),
            (400, "InvalidTimeStamp.Format", "", Denied, Retry::Resigned, STOPS),
            (400, "IllegalTimestamp", "", Denied, Retry::Resigned, STOPS),
            (400, "SignatureNonceUsed", "", Rejected, Retry::Resigned, false),
            (404, "InvalidAccessKeyId.NotFound", "", Denied, Retry::Never, STOPS),
            (400, "InvalidAccessKeyId.Inactive", "", Denied, Retry::Never, STOPS),
            (400, "InvalidAccessKeyId", "", Denied, Retry::Never, STOPS),
            (400, "SignatureDoesNotMatch", "", Denied, Retry::Never, STOPS),
            (403, "SignatureDoesNotMatch", "", Denied, Retry::Never, STOPS),
            (400, "IncompleteSignature", "", Denied, Retry::Never, STOPS),
            (400, "InvalidSignatureMethod", "", Denied, Retry::Never, STOPS),
            (400, "SignatureDoesNotMatch.Odd", "", Denied, Retry::Never, STOPS),
            (400, "MissingSecurityToken", "", Denied, Retry::Never, STOPS),
            (400, "InvalidSecurityToken.Malformed", "", Denied, Retry::Never, STOPS),
            (401, "Odd", "", Denied, Retry::Never, STOPS),
            (403, "Forbidden.RAM", "", Denied, Retry::Never, false),
            (400, "Forbidden", "", Denied, Retry::Never, false),
            (403, "ForbiddenQueryClusterNamespace", "", Denied, Retry::Never, false),
            (400, "NoPermission", "", Denied, Retry::Never, false),
            (400, "BadRequest", "STSToken policy Forbidden for action cs:X", Denied, Retry::Never, false),
            (403, "Odd", "", Denied, Retry::Never, false),
            (404, "InvalidApi.NotFound", "", Rejected, Retry::Never, false),
            (404, "InvalidAction.NotFound", "", Rejected, Retry::Never, false),
            (400, "InvalidVersion", "", Rejected, Retry::Never, false),
            (404, "ErrorClusterNotFound", "", NotFound, Retry::Never, false),
            (404, "ErrorTaskNotFound", "", NotFound, Retry::Never, false),
            (400, "TaskNotFound", "", NotFound, Retry::Never, false),
            (404, "404", "the task T-1 not found", NotFound, Retry::Never, false),
            (400, "400", "Task T-1 is not found", NotFound, Retry::Never, false),
            (404, "NodepoolNotFound", "the node pool is not found", Rejected, Retry::Never, false),
            (404, "Odd.NotFound", "", Rejected, Retry::Never, false),
            (500, "InternalError", "", Transport, Retry::Later, false),
            (400, "UnknownError", "", Transport, Retry::Later, false),
            (500, "500", "the task T-1 not found", Transport, Retry::Later, false),
            (400, "InvalidParameter", "page_size", Rejected, Retry::Never, false),
        ];
        for (status, code, message, reason, retry, stops) in table {
            let error = gateway(*status, code, message);
            let got = (error.reason(), error.retry(), error.stops_account());
            assert_eq!(got, (*reason, *retry, *stops), "{status} {code} {message}");
            assert_eq!(error.code(), *code);
            assert!(!error.is_stale_token(), "{code}");
        }
    }

    #[test]
    fn an_ended_token_is_told_from_a_wrong_one() {
        let by_message = gateway(400, "InvalidParameter", r#"The "SecurityToken.Expired" is not valid"#);
        for error in
            [gateway(400, "InvalidSecurityToken.Expired", ""), gateway(403, "InvalidSecurityToken", ""), by_message]
        {
            assert!(error.is_stale_token() && error.stops_account(), "{error}");
            assert_eq!(error.reason(), Reason::Denied);
        }
    }

    #[test]
    fn the_vendors_samples() {
        let error = fixture("not-found.json", 400, &[]);
        assert_eq!((error.reason(), error.code()), (Reason::NotFound, "400"));
        let error = fixture("throttled.json", 400, &[("x-acs-retry-after", "1500")]);
        assert_eq!((error.reason(), error.retry_after()), (Reason::Throttled, Some(Duration::from_millis(1500))));
        let error = fixture("bad-key.json", 404, &[]);
        assert_eq!((error.reason(), error.stops_account()), (Reason::Denied, true));
        let error = fixture("forbidden.json", 403, &[]);
        assert_eq!(
            error.to_string(),
            "StatusForbidden: the access key lacks a permission; allow cs:DescribeTaskInfo in its RAM policy"
        );
        let error = fixture("unavailable.xml", 503, &[]);
        assert_eq!(error.to_string(), "ServiceUnavailable: The service cannot answer now. (HTTP 503)");
    }

    #[test]
    fn bodies_that_are_not_the_vendors() {
        let html = "<html><body>Bad <br> Gateway</body></html>";
        let classify = |status, body: &str| classify(&answer(status, body, &[]), "DescribeTaskInfo");
        for body in [html, "", "[1]", "\u{0}", &"x".repeat(MAX_FAULT + 1)] {
            assert_eq!(classify(502, body).to_string(), "HTTP status 502");
            assert_eq!(classify(502, body).reason(), Reason::Transport);
            assert_eq!(classify(404, body).reason(), Reason::Rejected);
            assert_eq!(classify(302, body).code(), "rejected");
        }
        let odd = classify(400, r#"{"code": 400, "message": {"text": ["a"]}}"#);
        assert_eq!(odd.to_string(), r#"400: {"text":["a"]} (HTTP 400)"#);
    }

    #[test]
    fn pauses_are_read() {
        let pause = |headers: &[(&'static str, &str)]| {
            classify(&answer(400, r#"{"Code": "Throttling.User"}"#, headers), "DescribeTaskInfo").retry_after()
        };
        assert_eq!(pause(&[]), None);
        assert_eq!(pause(&[("x-acs-retry-after", "soon")]), None);
        assert_eq!(pause(&[("x-acs-retry-after", "18446744073709551615")]), Some(Duration::from_millis(u64::MAX)));
        let older = [("x-ratelimit-user", "Remain:0,TimeLeft:700"), ("x-ratelimit-user-api", "Remain:0, TimeLeft:900")];
        assert_eq!(pause(&older), Some(Duration::from_millis(900)));
    }

    #[test]
    fn what_was_signed_is_not_repeated() {
        let message = "server string to sign is:GET\n/tasks/T-1\nx-acs-security-token:hunter2";
        for code in ["SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurityToken.Expired", "Forbidden.RAM"] {
            assert!(!crate::cloud::chain(&gateway(400, code, message)).contains("hunter2"), "{code}");
        }
    }

    #[test]
    fn a_good_status_may_hide_an_error() {
        let hidden = |body: &str| in_disguise(&answer(200, body, &[]), "DescribeTaskInfo");
        assert_eq!(hidden(r#"{"Code": "Throttling.User"}"#).map(|error| error.reason()), Some(Reason::Throttled));
        assert!(hidden(r#"{"message": "hello"}"#).is_none());
        assert!(hidden("<html></html>").is_none());
    }
}
