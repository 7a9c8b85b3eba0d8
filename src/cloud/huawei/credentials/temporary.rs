//! Temporary keys as IAM, STS, the metadata service and pod identity hand them out: one document under several names.
//!
//! The names are those that `StsAccessor` of `huaweicloudsdkcore` 3.1.219 takes.

use super::super::time;
use super::key;
use crate::cloud::credentials::{Given, Keys};
use crate::cloud::{Answer, Error, json};
use crate::model::Reason;
use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    #[serde(alias = "credentials")]
    credential: Option<Parts>,
    #[serde(flatten)]
    bare: Parts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts {
    #[serde(alias = "accessKeyId", alias = "access_key_id")]
    access: Option<String>,
    #[serde(alias = "secretAccessKey", alias = "secret_access_key")]
    secret: Option<String>,
    #[serde(alias = "securityToken", alias = "security_token")]
    securitytoken: Option<String>,
    #[serde(alias = "expiration")]
    expires_at: Option<String>,
}

/// The keys of an answer, with their end.
///
/// # Errors
/// [`Reason::Decode`] where a part of them is missing, or they have ended.
pub(super) fn keys(answer: &Answer) -> Result<Given, Error> {
    let Document { credential, bare } = json::read(&answer.body, "")?;
    let Parts { access, secret, securitytoken, expires_at } = credential.unwrap_or(bare);
    let part = |name: &str, value: Option<String>| {
        let value = value.ok_or_else(|| unreadable(&format!("it has no `{name}`")))?;
        key(name, &value).map_err(|_| unreadable(&format!("`{name}` is empty or has a character that no key has")))
    };
    let keys = Keys {
        id: part("access", access)?,
        secret: part("secret", secret)?,
        token: Some(part("securitytoken", securitytoken)?),
    };
    let no_end = || unreadable("`expires_at` is missing, or is no time");
    let expires_at = expires_at.as_deref().and_then(time::parse).ok_or_else(no_end)?;
    let told_at = answer.told_at();
    if expires_at <= told_at {
        return Err(unreadable(&format!("the keys had ended before they came, at {expires_at}")));
    }
    Ok(Given::until(keys, expires_at, told_at))
}

fn unreadable(what: &str) -> Error {
    Error::new(Reason::Decode, format!("the answer with temporary keys cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    fn answer(body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Wed, 01 Jan 2025 00:00:00 GMT".parse().unwrap());
        Answer { status: StatusCode::OK, headers, body: body.to_owned().into() }
    }

    fn parts(names: [&str; 4]) -> Value {
        let values = ["AK", "hunter2hunter2", "ST/+==", "2025-01-01T01:00:00.000000Z"];
        Value::Object(names.into_iter().zip(values).map(|(name, value)| (name.to_owned(), json!(value))).collect())
    }

    #[test]
    fn every_name_the_vendors_sdk_takes() {
        let old = parts(["access", "secret", "securitytoken", "expires_at"]);
        let camel = parts(["accessKeyId", "secretAccessKey", "securityToken", "expiration"]);
        let snake = parts(["access_key_id", "secret_access_key", "security_token", "expiration"]);
        let documents = [json!({"credential": old}), json!({"credentials": snake, "assumed_agency": {}}), camel, old];
        for document in documents {
            let keys = keys(&answer(&document.to_string())).unwrap().keys().clone();
            assert_eq!(keys.secrets(), ["AK", "hunter2hunter2", "ST/+=="], "{document}");
        }
        let whole = json!({"credential": parts(["access", "secret", "securitytoken", "expires_at"])}).to_string();
        let shorter = whole.replace(".000000Z", "Z");
        assert_eq!(keys(&answer(&shorter)).unwrap().keys().clone().token.unwrap().expose_secret(), "ST/+==");
    }

    #[test]
    fn what_is_not_whole_is_an_error_that_shows_nothing() {
        let whole = parts(["access", "secret", "securitytoken", "expires_at"]);
        let changed = |name: &str, value: Value| {
            let mut document = whole.clone();
            document[name] = value;
            json!({"credential": document}).to_string()
        };
        for (body, expected) in [
            (changed("access", Value::Null), "it has no `access`"),
            (changed("secret", json!("hunter2 hunter2")), "`secret` is empty or has a character"),
            (changed("secret", json!(["hunter2"])), "not as documented"),
            (changed("securitytoken", json!("")), "`securitytoken` is empty"),
            (changed("expires_at", json!("soon hunter2")), "`expires_at` is missing, or is no time"),
            (changed("expires_at", json!("2024-12-31T23:59:59Z")), "had ended before they came"),
            (r#"{"credential": "hunter2"}"#.to_owned(), "not as documented"),
            (r#"{"hunter2": 1}"#.to_owned(), "it has no `access`"),
            ("hunter2".to_owned(), "not JSON"),
        ] {
            let error = keys(&answer(&body)).unwrap_err();
            let shown = format!("{} {error:?}", crate::cloud::chain(&error));
            assert_eq!(error.reason(), Reason::Decode, "{body}");
            assert!(shown.contains(expected) && !shown.contains("hunter2"), "{body}: {shown}");
        }
    }
}
