//! SDK-HMAC-SHA256, the signature of Huawei Cloud's API gateway, as pure functions; each of its steps stands alone.
//!
//! It sends nothing and reads no clock: the time is one of the signed headers. Facts: "API request signing guide" of
//! the vendor, checked against the signers of its Python and Go SDKs.

use crate::cloud::digest::{hmac_sha256, sha256_hex};
use crate::cloud::percent;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

/// The name of the algorithm.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it is sent.
    pub path: &'a str,
    /// The parameters of the query, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Names, in lower case, and values of the headers to sign.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// The value of `X-Sdk-Date`.
pub fn date(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The query as it is signed: sorted and encoded. Sent in the same form, it cannot differ from what was signed.
pub fn canonical_query(parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    percent::pairs(sorted)
}

/// The names of the signed headers, as the signature declares them.
pub fn signed_headers(headers: &[(&str, &str)]) -> String {
    let names: Vec<&str> = sorted(headers).into_iter().map(|(name, _)| name).collect();
    names.join(";")
}

/// Step one: the request in one canonical text.
pub fn canonical_request(request: &Signable<'_>) -> String {
    let headers: Vec<String> =
        sorted(request.headers).iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    [
        request.method,
        &canonical_path(request.path),
        &canonical_query(request.query),
        // Each header ends its own line, so an empty line follows them.
        &headers.concat(),
        &signed_headers(request.headers),
        &sha256_hex(request.body),
    ]
    .join("\n")
}

/// Step two: what the key signs.
pub fn string_to_sign(date: &str, canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{date}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// Step three: the signature.
pub fn signature(secret: &str, string_to_sign: &str) -> String {
    hex::encode(hmac_sha256(secret.as_bytes(), string_to_sign.as_bytes()))
}

/// Step four: the value of `Authorization`.
pub fn authorization(access_key: &str, signed_headers: &str, signature: &str) -> String {
    format!("{ALGORITHM} Access={access_key}, SignedHeaders={signed_headers}, Signature={signature}")
}

/// The path as it is signed. It ends with a slash, which the path that is sent must not: the gateway knows no such API.
fn canonical_path(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let encoded: Vec<String> = decoded.split('/').map(percent::encode).collect();
    let mut path = encoded.join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

fn sorted<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers = headers.to_vec();
    headers.sort_unstable();
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::path::Path;

    #[derive(Deserialize)]
    struct Case {
        access_key: String,
        secret_key: String,
        method: String,
        path: String,
        query: Vec<(String, String)>,
        headers: BTreeMap<String, String>,
        body: String,
    }

    fn pairs<'a>(items: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(&'a str, &'a str)> {
        items.into_iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// Each folder is a request signed by the vendor's SDKs: a difference shows in the first step that went wrong.
    #[test]
    fn vectors_of_the_vendors_sdks() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sign/huawei");
        let mut cases = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let read = |file: &str| std::fs::read_to_string(path.join(file)).unwrap();
            let case: Case = serde_json::from_str(&read("request.json")).unwrap();
            let query = pairs(case.query.iter().map(|(key, value)| (key, value)));
            let headers = pairs(&case.headers);
            let (method, body) = (case.method.as_str(), case.body.as_bytes());
            let request = Signable { method, path: &case.path, query: &query, headers: &headers, body };

            let canonical = canonical_request(&request);
            assert_eq!(canonical, read("canonical-request.txt"), "canonical request of {}", path.display());
            let to_sign = string_to_sign(&case.headers["x-sdk-date"], &canonical);
            assert_eq!(to_sign, read("string-to-sign.txt"), "string to sign of {}", path.display());
            let signature = signature(&case.secret_key, &to_sign);
            let authorization = authorization(&case.access_key, &signed_headers(&headers), &signature);
            assert_eq!(authorization, read("authorization.txt"), "authorization of {}", path.display());
            cases += 1;
        }
        assert_eq!(cases, 8);
    }

    #[test]
    fn the_date_is_compact_and_in_utc() {
        assert_eq!(date("2024-01-02T03:04:05.999Z".parse().unwrap()), "20240102T030405Z");
    }

    #[test]
    fn the_canonical_path_ends_with_one_slash_and_escapes_once() {
        assert_eq!(canonical_path("/"), "/");
        assert_eq!(canonical_path("/a%20b/c~d/"), "/a%20b/c~d/");
        assert_eq!(canonical_path("/a%e9"), "/a%EF%BF%BD/");
    }

    proptest! {
        #[test]
        fn a_canonical_query_is_one_query_whatever_the_order(
            parameters in prop::collection::vec((".{0,8}", ".{0,8}"), 0..6)
        ) {
            let mut given: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (&**key, &**value)).collect();
            let canonical = canonical_query(&given);
            given.reverse();
            prop_assert_eq!(&canonical, &canonical_query(&given));

            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%=&".contains(&byte);
            prop_assert!(canonical.bytes().all(plain));
            let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
            let read: Vec<(String, String)> = canonical
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap())
                .map(|(key, value)| (decode(key), decode(value)))
                .collect();
            let mut expected = parameters.clone();
            expected.sort();
            prop_assert_eq!(read, expected);
        }
    }
}
