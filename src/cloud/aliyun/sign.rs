//! The signature ACS3-HMAC-SHA256, step by step; pure functions.
//!
//! A request is signed in the very form it is sent in: nothing after this file may rewrite its path or query.
//! Facts: <https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>

use crate::cloud::credentials::Keys;
use crate::cloud::digest::{hmac_sha256, sha256_hex};
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Error, Stamp, percent};
use bytes::Bytes;
use http::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// The algorithm's name, as it stands in the string to sign and in `Authorization`.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";
/// The version of the container service's API. Another version has actions of the same names.
pub const VERSION: &str = "2015-12-15";
/// The version of the security token service's API.
pub const STS_VERSION: &str = "2015-04-01";

/// What is asked for: an action and its address, not yet signed.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    /// The version of the API.
    pub(super) version: &'static str,
    /// The action's name.
    pub(super) action: &'static str,
    /// The path, as [`canonical_path`] made it.
    pub(super) path: String,
    /// Query parameters, not encoded.
    pub(super) query: &'a [(&'a str, &'a str)],
}

impl Question<'_> {
    /// The signed request.
    ///
    /// # Errors
    /// When a part of it cannot be put into a header or a URL.
    pub(super) fn sign(&self, endpoint: &Endpoint, key: &Keys, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let query = canonical_query(self.query);
        let payload = sha256_hex(b"");
        let fields = canonical_fields(self.fields(endpoint, key, stamp, &payload));
        let canonical = canonical_request(Method::GET.as_str(), &self.path, &query, &fields, &payload);
        let authorization = authorization(&key.id, &key.secret, &fields, &string_to_sign(&canonical));

        let separator = if query.is_empty() { "" } else { "?" };
        let mut request = Request::get(endpoint.url(&format!("{}{separator}{query}", self.path)))
            .header("accept", "application/json")
            .header("authorization", secret_value(&authorization)?);
        // The HTTP client says `host` itself, from the URL, which is the endpoint's.
        for (name, value) in fields.iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, secret_value(value)?);
        }
        request.body(Bytes::new()).map_err(unsendable)
    }

    /// The headers the documentation asks to sign. Not `accept` and `user-agent`: proxies may rewrite them.
    fn fields(&self, endpoint: &Endpoint, key: &Keys, stamp: &Stamp, payload: &str) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("host", endpoint.authority().to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", payload.to_owned()),
            ("x-acs-date", stamp.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("x-acs-signature-nonce", stamp.nonce.clone()),
            ("x-acs-version", self.version.to_owned()),
        ];
        if let Some(token) = &key.token {
            fields.push(("x-acs-accesskey-id", key.id.expose_secret().to_owned()));
            fields.push(("x-acs-security-token", token.expose_secret().to_owned()));
        }
        fields
    }
}

/// A path of these segments, each encoded once: `/` within a segment becomes `%2F`.
pub fn canonical_path(segments: &[&str]) -> String {
    let segments: Vec<String> = segments.iter().map(|segment| percent::encode(segment)).collect();
    format!("/{}", segments.join("/"))
}

/// Query parameters by name, encoded, as they are signed and sent. Without any it is empty.
pub fn canonical_query<Text: AsRef<str>>(parameters: &[(Text, Text)]) -> String {
    let mut parameters: Vec<(&str, &str)> =
        parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    parameters.sort_unstable();
    percent::pairs(parameters)
}

/// Header fields as they are signed: names in lower case and in order, values trimmed, several values of one name
/// sorted and joined by commas.
pub fn canonical_fields<Name: AsRef<str>, Value: AsRef<str>>(
    fields: impl IntoIterator<Item = (Name, Value)>,
) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        values.entry(name.as_ref().to_ascii_lowercase()).or_default().push(value.as_ref().trim().to_owned());
    }
    let joined = |mut values: Vec<String>| {
        values.sort_unstable();
        values.join(",")
    };
    values.into_iter().map(|(name, values)| (name, joined(values))).collect()
}

/// Step one: the request in one text. `payload` is the hexadecimal SHA-256 of the body.
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    fields: &BTreeMap<String, String>,
    payload: &str,
) -> String {
    let headers: String = fields.iter().flat_map(|(name, value)| [name, ":", value, "\n"]).collect();
    format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", signed_headers(fields))
}

/// Step two: what the secret is applied to.
pub fn string_to_sign(canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// Step three: the signature. The secret is the key as it is; nothing is derived from it.
pub fn signature(secret: &SecretString, string_to_sign: &str) -> String {
    hex::encode(hmac_sha256(secret.expose_secret().as_bytes(), string_to_sign.as_bytes()))
}

/// The value of the header `Authorization`.
pub fn authorization(
    id: &SecretString,
    secret: &SecretString,
    fields: &BTreeMap<String, String>,
    string_to_sign: &str,
) -> String {
    format!(
        "{ALGORITHM} Credential={},SignedHeaders={},Signature={}",
        id.expose_secret(),
        signed_headers(fields),
        signature(secret, string_to_sign)
    )
}

fn signed_headers(fields: &BTreeMap<String, String>) -> String {
    fields.keys().map(String::as_str).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::path::{Path, PathBuf};

    #[derive(Deserialize)]
    struct Case {
        method: String,
        path: Vec<String>,
        query: Vec<(String, String)>,
        headers: Vec<(String, String)>,
        access_key_id: String,
        access_key_secret: String,
    }

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sign/aliyun")
    }

    fn text(case: &str, file: &str) -> String {
        std::fs::read_to_string(folder().join(case).join(file)).unwrap()
    }

    /// `published` stands in the vendor's documentation of the signature. The others hold made-up values; what they
    /// expect is what Python's standard library computes and, but for `odd-characters`, what the official SDK
    /// (alibabacloud-tea-openapi 0.4.6) does.
    #[test]
    fn every_step_of_every_vector() {
        let cases: Vec<String> = std::fs::read_dir(folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(cases.len() >= 6, "{cases:?}");
        for name in cases {
            let case: Case = serde_json::from_str(&text(&name, "request.json")).unwrap();
            let segments: Vec<&str> = case.path.iter().map(String::as_str).collect();
            let fields = canonical_fields(case.headers);
            let (path, query) = (canonical_path(&segments), canonical_query(&case.query));
            let canonical = canonical_request(&case.method, &path, &query, &fields, &sha256_hex(b""));
            assert_eq!(canonical, text(&name, "canonical-request.txt"), "{name}: canonical request");
            let to_sign = string_to_sign(&canonical);
            assert_eq!(to_sign, text(&name, "string-to-sign.txt"), "{name}: string to sign");
            let (id, secret) = (case.access_key_id.into(), case.access_key_secret.into());
            let authorization = authorization(&id, &secret, &fields, &to_sign);
            assert_eq!(authorization, text(&name, "authorization.txt"), "{name}: authorization");
        }
    }

    fn sign(question: &Question<'_>, token: Option<&str>) -> Request<Bytes> {
        let key = Keys {
            id: "LTAI5tFakeAccessKeyId01".into(),
            secret: "FakeAccessKeySecretForTests0123".into(),
            token: token.map(SecretString::from),
        };
        let stamp = Stamp {
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            nonce: "0123456789abcdef0123456789abcdef".to_owned(),
        };
        question.sign(&Endpoint::https("cs.cn-hangzhou.aliyuncs.com").unwrap(), &key, &stamp).unwrap()
    }

    #[test]
    fn whole_requests_carry_the_vectors_signatures() {
        let task = || Question {
            version: VERSION,
            action: "DescribeTaskInfo",
            path: canonical_path(&["tasks", "T-5faa48fb31b6b8078d000006"]),
            query: &[],
        };
        let tasks = Question {
            version: VERSION,
            action: "DescribeClusterTasks",
            path: canonical_path(&["clusters", "c78592bfe92244365b3c3ad47f1de0001", "tasks"]),
            query: &[("page_size", "50"), ("page_number", "1")],
        };
        let cases = [
            ("access-key", sign(&task(), None), "/tasks/T-5faa48fb31b6b8078d000006"),
            ("security-token", sign(&task(), Some("FAKE+SecurityToken/==")), "/tasks/T-5faa48fb31b6b8078d000006"),
            (
                "query",
                sign(&tasks, None),
                "/clusters/c78592bfe92244365b3c3ad47f1de0001/tasks?page_number=1&page_size=50",
            ),
        ];
        for (name, request, address) in cases {
            assert_eq!(request.headers()["authorization"], text(name, "authorization.txt").as_str(), "{name}");
            assert_eq!(request.uri().to_string(), format!("https://cs.cn-hangzhou.aliyuncs.com{address}"), "{name}");
            assert!(request.headers().values().filter(|value| value.is_sensitive()).count() >= 2);
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = Keys { id: "LTAI5t".into(), secret: "hunter2".into(), token: Some("token3".into()) };
        let shown = format!("{key:?}");
        assert!(!shown.contains("LTAI5t") && !shown.contains("hunter2") && !shown.contains("token3"), "{shown}");
    }

    proptest! {
        #[test]
        fn a_query_says_the_same_in_any_order(
            parameters in prop::collection::vec((any::<String>(), any::<String>()), 0..8).prop_shuffle()
        ) {
            let mut backwards = parameters.clone();
            backwards.reverse();
            let query = canonical_query(&parameters);
            prop_assert_eq!(&query, &canonical_query(&backwards));
            let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
            let mut read: Vec<(String, String)> = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect();
            let mut expected = parameters;
            expected.sort();
            prop_assert!(read.is_sorted());
            read.sort();
            prop_assert_eq!(read, expected);
        }
    }
}
