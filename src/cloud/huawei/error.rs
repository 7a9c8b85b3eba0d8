//! Which failure an answer is: the tables of codes of CCE, of the API gateway in front of it, and of IAM.
//!
//! Vendor documents: CCE "Error Codes", API Gateway "Error Codes", IAM "Error Codes". Texts of refused credentials are
//! never passed on: the gateway quotes keys in them.

use crate::cloud::{Answer, Error, Retry};
use crate::model::Reason;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::time::Duration;

/// Larger bodies hold no error of the vendor's.
const MAX_BODY: usize = 64 * 1024;

/// What a request carried to show who asks; a refusal is put into its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// A signature.
    Key,
    /// An IAM token.
    Token,
    /// User name and password.
    Password,
    /// The token of an identity provider.
    IdentityToken,
}

/// The error an answer that is no good tells of.
pub(super) fn classify(answer: &Answer, shown: Shown) -> Error {
    let told = Told::read(&answer.body);
    let status = told.code.as_deref().and_then(status_in_code).unwrap_or_else(|| answer.status.as_u16());
    let error = match class_of(status, &told) {
        Class::Throttled => told.error(Reason::Throttled, status).with_retry_after(retry_after(answer)),
        Class::Unavailable => told.error(Reason::Transport, status).with_retry_after(retry_after(answer)),
        Class::Clock => {
            Error::new(Reason::Denied, "the cloud takes the time of the signature for more than 15 minutes off")
                .with_retry(Retry::Resigned)
                .stopping_account()
        }
        Class::Credentials => refused(&told, shown),
        Class::Permission => told.error(Reason::Denied, status),
        Class::NoSuchJob => Error::new(Reason::NotFound, "the cloud knows no such job in this project and region"),
        Class::NoSuchApi => Error::new(
            Reason::Rejected,
            format!(
                "the endpoint knows no such API (HTTP {status}); expected the address of CCE, IAM or STS in its region"
            ),
        ),
        Class::Rejected => told.error(Reason::Rejected, status),
    };
    match told.code {
        Some(code) => error.with_code(&code),
        None => error,
    }
}

/// The error that an answer with a good status holds in place of a document, if it holds one.
pub(super) fn in_disguise(answer: &Answer, shown: Shown) -> Option<Error> {
    Told::read(&answer.body).code.is_some().then(|| classify(answer, shown))
}

enum Class {
    Throttled,
    Unavailable,
    Clock,
    Credentials,
    Permission,
    NoSuchJob,
    NoSuchApi,
    Rejected,
}

/// The same gateway code comes with different statuses, so codes go before the status only where they are unmistakable.
fn class_of(status: u16, told: &Told) -> Class {
    let code = told.code.as_deref().unwrap_or_default();
    if told.message.contains("signature expired") {
        return Class::Clock;
    }
    match (family(code), last_digits(code)) {
        (Family::Gateway, "0308") | (Family::Iam, "0012") => Class::Throttled,
        (Family::Gateway, "0301" | "0303" | "0305" | "0307")
        | (
            Family::Iam,
            // The last two: the user is disabled, or may use no API.
            "0001" | "0061" | "0062" | "0063" | "0064" | "0065" | "0066" | "0067" | "0080" | "0081",
        ) => Class::Credentials,
        (Family::Gateway, "0302" | "0304" | "0306" | "0310" | "0402" | "0802")
        | (Family::Iam, "0002" | "0003" | "0082" | "0083") => Class::Permission,
        (Family::Cce, _) if status == 404 => Class::NoSuchJob,
        _ => class_of_status(status),
    }
}

fn class_of_status(status: u16) -> Class {
    match status {
        429 => Class::Throttled,
        401 => Class::Credentials,
        403 => Class::Permission,
        404 => Class::NoSuchApi,
        500.. => Class::Unavailable,
        _ => Class::Rejected,
    }
}

/// Whoever holds the credentials tries others, if there are any.
fn refused(told: &Told, shown: Shown) -> Error {
    let message = match shown {
        Shown::Key if told.message.contains("reach the limit") => {
            "the access key is locked for five minutes after too many refused signatures"
        }
        Shown::Key => "the access key or its signature is not accepted",
        Shown::Token => "the token is not accepted",
        Shown::Password => "user name, password, domain or project is not accepted",
        Shown::IdentityToken => "the identity provider's token is not accepted",
    };
    Error::new(Reason::Denied, message).stopping_account()
}

enum Family {
    Gateway,
    Cce,
    Iam,
    Other,
}

fn family(code: &str) -> Family {
    match code.split_once('.').map(|(family, _)| family) {
        // The gateway had the shorter name first, and keeps it in some regions.
        Some("APIGW" | "APIG") => Family::Gateway,
        Some("CCE" | "CCE_CM") => Family::Cce,
        Some("IAM") => Family::Iam,
        _ => Family::Other,
    }
}

fn last_digits(code: &str) -> &str {
    code.rsplit_once('.').map_or("", |(_, digits)| digits)
}

/// CCE's own codes hold the status: two digits of component, three of status, three of serial number.
fn status_in_code(code: &str) -> Option<u16> {
    let digits = code.strip_prefix("CCE.").filter(|digits| digits.len() == 8)?;
    digits.get(2..5)?.parse().ok().filter(|status| (400..600).contains(status))
}

/// Seconds, which the vendor gives with a fraction.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds: f64 = answer.header("retry-after")?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// What a body tells of an error, in any of the vendor's shapes.
#[derive(Debug, Default)]
struct Told {
    code: Option<String>,
    message: String,
}

type Fields<'a> = HashMap<String, &'a RawValue>;

impl Told {
    fn read(body: &[u8]) -> Self {
        let small = Some(body).filter(|body| body.len() <= MAX_BODY);
        let Some(fields) = small.and_then(|body| serde_json::from_slice::<Fields<'_>>(body).ok()) else {
            return Self::default();
        };
        let nested = fields.get("error").and_then(|inner| serde_json::from_str::<Fields<'_>>(inner.get()).ok());
        let levels: Vec<&Fields<'_>> = [Some(&fields), nested.as_ref()].into_iter().flatten().collect();
        // The documented code goes before the internal one, the more telling text before the plainer.
        let code = first(&levels, &["errorCode", "error_code", "code"]).filter(|code| code.contains('.'));
        let message = first(&levels, &["message", "errorMessage", "error_msg"]).unwrap_or_default();
        Self { code, message }
    }

    fn error(&self, reason: Reason, status: u16) -> Error {
        if self.message.is_empty() {
            Error::new(reason, format!("the cloud answered with HTTP status {status}"))
        } else {
            Error::new(reason, &self.message)
        }
    }
}

/// The first of these fields, from the outer level inwards, that is a text and not empty.
fn first(levels: &[&Fields<'_>], names: &[&str]) -> Option<String> {
    let text = |value: &RawValue| String::deserialize(value).ok().filter(|text| !text.is_empty());
    levels.iter().find_map(|fields| names.iter().find_map(|name| text(fields.get(*name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec().into(),
        }
    }

    fn gateway(code: &str, message: &str) -> String {
        json!({"error_code": code, "error_msg": message, "request_id": "9c1b"}).to_string()
    }

    fn cce(code: &str) -> String {
        json!({"errorCode": code, "errorMessage": "says why"}).to_string()
    }

    #[test]
    fn each_row_of_the_table() {
        let html = "<html><body>Bad Gateway</body></html>".to_owned();
        let both = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 400,
            "errorCode": "CCE.01400001", "errorMessage": "Invalid request.", "error_code": "CCE_CM.0004",
            "error_msg": "Request is invalid", "message": "job id is too long", "reason": "BadRequest"});
        let keystone =
            json!({"error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}});
        let nested = json!({"error": {"error_code": "IAM.0011", "error_msg": "wrong"}});
        let internal = json!({"error_code": "CCE_CM.0410", "error_msg": "gone"});
        let rows = [
            (429, gateway("APIGW.0308", "over ratelimit,limit:1000,time:1 minute"), Reason::Throttled, "APIGW.0308"),
            (429, gateway("APIG.0308", "over ratelimit"), Reason::Throttled, "APIG.0308"),
            (429, cce("CCE.02429001"), Reason::Throttled, "CCE.02429001"),
            (429, html.clone(), Reason::Throttled, "throttled"),
            (429, gateway("IAM.0012", "slower"), Reason::Throttled, "IAM.0012"),
            (401, gateway("APIGW.0301", "verify aksk signature fail"), Reason::Denied, "APIGW.0301"),
            (401, cce("CCE.01401001"), Reason::Denied, "CCE.01401001"),
            (401, keystone.to_string(), Reason::Denied, "denied"),
            (401, nested.to_string(), Reason::Denied, "IAM.0011"),
            (401, String::new(), Reason::Denied, "denied"),
            (403, cce("CCE.01403001"), Reason::Denied, "CCE.01403001"),
            (401, gateway("IAM.0080", "the user is disabled"), Reason::Denied, "IAM.0080"),
            (403, gateway("APIGW.0802", "forbidden in region"), Reason::Denied, "APIGW.0802"),
            (404, cce("CCE.01404001"), Reason::NotFound, "CCE.01404001"),
            (404, internal.to_string(), Reason::NotFound, "CCE_CM.0410"),
            (404, gateway("APIGW.0101", "The API does not exist"), Reason::Rejected, "APIGW.0101"),
            (404, html.clone(), Reason::Rejected, "rejected"),
            (400, both.to_string(), Reason::Rejected, "CCE.01400001"),
            (414, gateway("APIGW.0201", "URI too long"), Reason::Rejected, "APIGW.0201"),
            (302, String::new(), Reason::Rejected, "rejected"),
            (500, cce("CCE.01500001"), Reason::Transport, "CCE.01500001"),
            (504, gateway("APIGW.0201", "Backend timeout"), Reason::Transport, "APIGW.0201"),
            (502, html, Reason::Transport, "transport"),
            (503, gateway("IAM.0006", "unavailable"), Reason::Transport, "IAM.0006"),
            (200, cce("CCE.01500001"), Reason::Transport, "CCE.01500001"),
            (200, cce("CCE.01404001"), Reason::NotFound, "CCE.01404001"),
        ];
        for (status, body, reason, code) in rows {
            let error = classify(&answer(status, &body), Shown::Key);
            assert_eq!((error.reason(), error.code()), (reason, code), "{status} {body}");
            let stops = status == 401;
            assert_eq!(error.stops_account(), stops, "{status} {body}");
        }
    }

    #[test]
    fn the_telling_text_is_kept_and_that_of_refused_keys_is_not() {
        let body =
            json!({"errorCode": "CCE.01400001", "errorMessage": "Invalid request.", "message": "job id is too long"});
        let error = classify(&answer(400, &body.to_string()), Shown::Key);
        assert_eq!(error.to_string(), "CCE.01400001: job id is too long");
        let body = gateway("APIGW.0301", "Get secretKey failed,ak:AKHUNTER2 not exist");
        for shown in [Shown::Key, Shown::Token, Shown::Password, Shown::IdentityToken] {
            let text = classify(&answer(401, &body), shown).to_string();
            assert!(!text.contains("HUNTER2"), "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_tried_once_more_and_then_stops_the_account() {
        let text = "Incorrect app authentication information: signature expired, \
                    signature time:20230527T000431Z,server time:20230527T020608Z";
        for code in ["APIGW.0303", "APIG.0303", "APIGW.0301"] {
            let error = classify(&answer(401, &gateway(code, text)), Shown::Key);
            assert_eq!((error.reason(), error.retry()), (Reason::Denied, Retry::Resigned));
            assert!(error.stops_account());
        }
    }

    #[test]
    fn a_pause_may_have_a_fraction() {
        let pause = |text: &str| {
            let mut answer = answer(429, "");
            answer.headers.insert("retry-after", text.parse().unwrap());
            classify(&answer, Shown::Key).retry_after()
        };
        assert_eq!(pause("56.818"), Some(Duration::from_millis(56_818)));
        assert_eq!(pause("3"), Some(Duration::from_secs(3)));
        for text in ["-1", "NaN", "1e300", "soon", ""] {
            assert_eq!(pause(text), None, "{text}");
        }
    }

    #[test]
    fn an_error_in_a_good_answer_is_found_and_a_job_is_none() {
        assert!(in_disguise(&answer(200, &cce("CCE.01404001")), Shown::Key).is_some());
        assert!(in_disguise(&answer(200, r#"{"kind":"Job","status":{"phase":"Running"}}"#), Shown::Key).is_none());
        assert!(in_disguise(&answer(200, "<html>"), Shown::Key).is_none());
    }
}
