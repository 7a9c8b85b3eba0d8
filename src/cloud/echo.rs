//! What an answer repeats of the secrets that were sent does not get into an error.
//!
//! Each cloud's table keeps only the messages that are known to be harmless. This is for those nobody knows: a gateway
//! that prints the headers it was given, an error code that is new.

use super::{Answer, Call, Error};
use bytes::Bytes;

/// Shorter texts are no secrets of a cloud, and would be found everywhere.
const SHORTEST: usize = 8;
const MASK: &[u8] = b"***";

/// What a call makes of an answer. If that is an error, it is one that was made without the call's secrets.
pub(super) fn judge<C: Call>(call: &C, answer: &Answer) -> Result<C::Reply, Error> {
    call.reply(answer).map_err(|error| match without(&answer.body, &call.secrets()) {
        Some(body) => call.reply(&Answer { body, ..answer.clone() }).err().unwrap_or(error),
        None => error,
    })
}

/// The body with every secret masked; none if there is none in it.
fn without(body: &Bytes, secrets: &[&str]) -> Option<Bytes> {
    let mut masked: Option<Vec<u8>> = None;
    for form in secrets.iter().filter(|secret| secret.len() >= SHORTEST).flat_map(|secret| forms(secret)) {
        let text = masked.as_deref().unwrap_or(body);
        if let Some(replaced) = replace(text, form.as_bytes()) {
            masked = Some(replaced);
        }
    }
    masked.map(Bytes::from)
}

/// A secret as it is, and as JSON may have it, with and without the slashes escaped.
fn forms(secret: &str) -> [String; 3] {
    let quoted = serde_json::Value::from(secret).to_string();
    let escaped = quoted.trim_matches('"').to_owned();
    let slashes = escaped.replace('/', "\\/");
    [secret.to_owned(), escaped, slashes]
}

/// The text with every `pattern` masked; none if there is none in it.
fn replace(text: &[u8], pattern: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text;
    let mut replaced = Vec::new();
    let mut found = false;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(pattern) {
            replaced.extend_from_slice(MASK);
            rest = after;
            found = true;
        } else {
            replaced.push(*byte);
            rest = after;
        }
    }
    found.then_some(replaced)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;
    use serde_json::json;

    /// Puts each of a call's secrets wherever an answer could repeat it, and looks for it in whatever error comes of that.
    pub(in crate::cloud) fn no_error_repeats_a_secret<C: Call>(call: &C, codes: &[&str])
    where
        C::Reply: std::fmt::Debug,
    {
        assert!(!call.secrets().is_empty());
        for secret in call.secrets() {
            for code in codes.iter().copied().chain([secret, "SomethingNew.Tomorrow"]) {
                for body in bodies(code, &format!("server string to sign is: POST\n/ x-token:{secret}\nend")) {
                    for status in [200, 302, 400, 401, 403, 404, 429, 500, 503] {
                        let (status, headers) = (StatusCode::from_u16(status).unwrap(), HeaderMap::new());
                        let answer = Answer { status, headers, body: body.clone().into() };
                        let error = judge(call, &answer).unwrap_err();
                        let shown = format!("{error} {error:?} {} {answer:?}", crate::cloud::chain(&error));
                        assert!(!shown.contains(secret), "{status} {body}: {shown}");
                    }
                }
            }
        }
    }

    /// Every shape of an error of any cloud, and some of nobody's.
    fn bodies(code: &str, message: &str) -> Vec<String> {
        let nested = json!({"code": code, "message": message, "title": message});
        vec![
            json!({"Response": {"Error": {"Code": code, "Message": message}, "RequestId": message}}).to_string(),
            json!({"Response": message}).to_string(),
            json!({"Response": {"TaskState": [message]}}).to_string(),
            json!({"code": code.parse::<i64>().unwrap_or(4600), "message": message, "codeDesc": message}).to_string(),
            json!({"Code": code, "Message": message, "Recommend": message}).to_string(),
            json!({"code": code, "message": message, "requestId": message}).to_string(),
            json!({"errorCode": code, "errorMessage": message, "error_code": code, "message": message}).to_string(),
            json!({"error_code": code, "error_msg": message}).to_string().replace('/', "\\/"),
            json!({"error": nested}).to_string(),
            json!({"state": [message], "status": message, "tasks": message, "clusters": message}).to_string(),
            format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
            format!("<html>{message}</html>"),
            message.to_owned(),
        ]
    }

    proptest! {
        #[test]
        fn nothing_but_the_secret_is_masked(before in "[a-z]{0,9}", secret in "[A-Z/\"]{8,20}", after in "[a-z]{0,9}") {
            let body = Bytes::from(format!("{before}{secret}{after}{secret}"));
            let masked = without(&body, &["unrelated", &secret]);
            prop_assert_eq!(masked, Some(Bytes::from(format!("{before}***{after}***"))));
            prop_assert_eq!(without(&Bytes::from(before), &[&secret]), None);
        }
    }
}
