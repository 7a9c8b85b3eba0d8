//! The gateway before the simulated APIs: who may pass, and how it says no.

use super::{ACCESS_KEY, SECRET_KEY, temporary};
use crate::cloud::digest;
use crate::cloud::huawei::sign::{self, Signable};
use crate::demo::{Answered, Asked};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A time of signing may be off by so much.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(15);
/// More failures in a row lock the key.
const FAILURES: u32 = 5;
/// For how long.
const LOCKED: SignedDuration = SignedDuration::from_mins(5);

/// Access keys and how often each failed.
#[derive(Debug, Default)]
pub(super) struct Keys {
    failures: Mutex<HashMap<String, Failures>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    in_a_row: u32,
    last: Timestamp,
}

/// What the header `Authorization` declares.
struct Declared<'a> {
    access_key: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl Keys {
    /// Checks the signature over the headers the caller says it has signed.
    pub(super) fn check_signature(&self, request: &Asked, now: Timestamp) -> Result<(), Answered> {
        let missing = || unauthorized("APIGW.0301", "Incorrect IAM authentication information: x-auth-token not found");
        let declared = Declared::read(request.header("authorization")).ok_or_else(missing)?;
        if self.is_locked(declared.access_key, now) {
            let text = "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden";
            return Err(unauthorized("APIGW.0301", text));
        }
        check_date(request, &declared, now)?;
        let secret = match request.header("x-security-token") {
            "" if declared.access_key == ACCESS_KEY => SECRET_KEY.to_owned(),
            "" => {
                self.note_failure(declared.access_key, now);
                let access_key = declared.access_key;
                let text =
                    format!("Incorrect IAM authentication information: Get secretKey failed,ak:{access_key} not exist");
                return Err(unauthorized("APIGW.0301", &text));
            }
            token => temporary::secret_of(declared.access_key, token, now).ok_or_else(|| {
                unauthorized("APIGW.0301", "Incorrect IAM authentication information: decrypt token fail")
            })?,
        };
        if !declared.is_right(request, &secret) {
            self.note_failure(declared.access_key, now);
            return Err(unauthorized(
                "APIGW.0301",
                "Incorrect IAM authentication information: verify aksk signature fail",
            ));
        }
        self.failures().remove(declared.access_key);
        Ok(())
    }

    fn is_locked(&self, access_key: &str, now: Timestamp) -> bool {
        let locked = |failures: &Failures| failures.in_a_row > FAILURES && now.duration_since(failures.last) < LOCKED;
        self.failures().get(access_key).is_some_and(locked)
    }

    fn note_failure(&self, access_key: &str, now: Timestamp) {
        let mut failures = self.failures();
        let failures = failures.entry(access_key.to_owned()).or_default();
        if now.duration_since(failures.last) >= LOCKED {
            failures.in_a_row = 0;
        }
        *failures = Failures { in_a_row: failures.in_a_row + 1, last: now };
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Declared<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let items = header.strip_prefix(sign::ALGORITHM)?.split(',');
        let items: HashMap<&str, &str> = items.filter_map(|item| item.trim().split_once('=')).collect();
        Some(Self {
            access_key: items.get("Access")?,
            signed_headers: items.get("SignedHeaders")?.split(';').collect(),
            signature: items.get("Signature")?,
        })
    }

    fn is_right(&self, request: &Asked, secret: &str) -> bool {
        let parameters = request.parameters();
        let query: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let headers: Vec<(&str, &str)> = self.signed_headers.iter().map(|name| (*name, request.header(name))).collect();
        let signable = Signable {
            method: request.method.as_str(),
            path: &request.path,
            query: &query,
            headers: &headers,
            body: &request.body,
        };
        let to_sign = sign::string_to_sign(request.header("x-sdk-date"), &sign::canonical_request(&signable));
        digest::same(&sign::signature(secret, &to_sign), self.signature)
    }
}

fn check_date(request: &Asked, declared: &Declared<'_>, now: Timestamp) -> Result<(), Answered> {
    let text = request.header("x-sdk-date");
    let date = DateTime::strptime("%Y%m%dT%H%M%SZ", text).and_then(|date| date.to_zoned(TimeZone::UTC));
    let is_signed = declared.signed_headers.contains(&"x-sdk-date");
    match date {
        Ok(date) if is_signed && date.timestamp().duration_since(now).abs() <= TOLERANCE => Ok(()),
        Ok(_) if is_signed => {
            let now = sign::date(now);
            let text = format!(
                "Incorrect app authentication information: signature expired, signature time:{text},server time:{now}"
            );
            Err(unauthorized("APIGW.0303", &text))
        }
        _ => Err(unauthorized("APIGW.0301", "Incorrect IAM authentication information: X-Sdk-Date is not signed")),
    }
}

pub(super) fn unauthorized(code: &str, message: &str) -> Answered {
    error(401, code, message)
}

/// An error of the gateway itself.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answered {
    let body = json!({"error_code": code, "error_msg": message, "request_id": digest::sha256_hex(message.as_bytes())});
    Answered::json(status, &body)
}
