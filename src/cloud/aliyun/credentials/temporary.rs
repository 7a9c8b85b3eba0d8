//! Temporary keys as every service of the vendor gives them, and what becomes of them.
//!
//! No error says anything of what was read.

use crate::cloud::credentials::{Given, Keys};
use crate::cloud::{Answer, Error, json};
use crate::model::Reason;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;

/// The vendor's temporary keys last for twelve hours at the most. Whatever says more is asked again after so long.
const LONGEST: SignedDuration = SignedDuration::from_hours(36);

/// Temporary keys, letter by letter. They are never shown.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemporaryKeys {
    /// Where they are the whole answer.
    code: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    security_token: Option<String>,
    expiration: Option<String>,
}

impl TemporaryKeys {
    /// The keys with their end. `told_at`: the time by the clock of whoever gave them.
    ///
    /// # Errors
    /// When a part is missing or unfit, or the keys have ended.
    pub(super) fn given(self, told_at: Timestamp) -> Result<Given, Error> {
        let keys = Keys {
            id: key("AccessKeyId", self.access_key_id.as_deref())?,
            secret: key("AccessKeySecret", self.access_key_secret.as_deref())?,
            token: Some(key("SecurityToken", self.security_token.as_deref())?),
        };
        until(keys, self.expiration.as_deref().unwrap_or_default(), "Expiration", told_at)
    }
}

/// The keys of an answer that has them on its top level beside `Code`.
///
/// # Errors
/// When the answer is none with keys; `asked` says who was asked.
pub(super) fn read_flat(answer: &Answer, asked: &str) -> Result<Given, Error> {
    check_status(answer, asked)?;
    let keys: TemporaryKeys = json::read(&answer.body, "")?;
    if keys.code.as_deref() != Some("Success") {
        return Err(Error::new(Reason::Denied, format!("{asked} gave no keys: its `Code` is not `Success`")));
    }
    keys.given(answer.told_at())
}

/// Whether an answer has the status 200.
///
/// # Errors
/// When it has another.
pub(super) fn check_status(answer: &Answer, asked: &str) -> Result<(), Error> {
    let status = answer.status;
    if status == http::StatusCode::OK {
        return Ok(());
    }
    let reason = if status.is_server_error() { Reason::Transport } else { Reason::Denied };
    Err(Error::new(reason, format!("{asked} answered with HTTP status {}", status.as_u16())))
}

/// A part of a key; `name` is what it is called where it was read.
///
/// # Errors
/// When it is missing, or no key has such characters.
pub(super) fn key(name: &str, text: Option<&str>) -> Result<SecretString, Error> {
    match text.map(str::trim) {
        None | Some("") => Err(Error::new(Reason::Denied, format!("`{name}` is missing"))),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text.into()),
        Some(_) => {
            let message = format!("`{name}` has a blank or another character that no key has");
            Err(Error::new(Reason::Denied, message))
        }
    }
}

/// Keys with an end such as `2026-01-02T03:04:05Z`.
///
/// # Errors
/// When the end is missing, cannot be read, or is over.
pub(super) fn until(keys: Keys, end: &str, name: &str, told_at: Timestamp) -> Result<Given, Error> {
    let end: Timestamp = end.trim().parse().map_err(|_| {
        Error::new(Reason::Decode, format!("`{name}` is no time; expected one such as 2026-01-02T03:04:05Z"))
    })?;
    if end <= told_at {
        return Err(Error::new(Reason::Denied, "the temporary keys it has have ended"));
    }
    Ok(Given::until(keys, end.min(told_at.saturating_add(LONGEST).unwrap_or(end)), told_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use serde_json::{Value, json};

    fn answer(status: u16, body: &Value) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Fri, 02 Jan 2026 03:00:00 GMT".parse().unwrap());
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_string()) }
    }

    fn body() -> Value {
        json!({
            "Code": "Success", "AccessKeyId": "STS.hunter2", "AccessKeySecret": "hunter2", "SecurityToken": "hunter2=",
            "Expiration": "2026-01-02T04:00:00Z", "LastUpdated": "2026-01-02T03:00:00Z",
        })
    }

    #[test]
    fn keys_last_by_the_clock_of_the_answer() {
        let given = format!("{:?}", read_flat(&answer(200, &body()), "it").unwrap());
        assert!(given.contains("left: 3600s") && given.contains("2026-01-02T04:00:00Z"), "{given}");
        let mut forever = body();
        forever["Expiration"] = "9999-01-02T04:00:00Z".into();
        let given = format!("{:?}", read_flat(&answer(200, &forever), "it").unwrap());
        assert!(given.contains("left: 129600s"), "{given}");
    }

    #[test]
    fn whatever_is_wrong_nothing_of_the_answer_is_shown() {
        let wrongs: &[(&str, Value)] = &[
            ("Code", json!("hunter2")),
            ("Code", Value::Null),
            ("AccessKeyId", json!("")),
            ("AccessKeyId", json!({"hunter2": "hunter2"})),
            ("AccessKeySecret", json!("hunter2\nhunter2")),
            ("SecurityToken", Value::Null),
            ("Expiration", json!("hunter2")),
            ("Expiration", json!(["hunter2"])),
            ("Expiration", Value::Null),
            ("Expiration", json!("2026-01-02T03:00:00Z")),
        ];
        for (name, value) in wrongs {
            let mut body = body();
            body[*name] = value.clone();
            let error = read_flat(&answer(200, &body), "it").unwrap_err();
            let shown = format!("{error:?} {}", crate::cloud::chain(&error));
            assert!(!shown.contains("hunter2"), "{name} {value}: {shown}");
        }
        for (status, reason) in [(404, Reason::Denied), (302, Reason::Denied), (503, Reason::Transport)] {
            let error = read_flat(&answer(status, &body()), "it").unwrap_err();
            assert_eq!(error.reason(), reason);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let error = read_flat(&answer(200, &json!("hunter2")), "it").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
