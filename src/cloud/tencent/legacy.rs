//! API 2.0: requests to `/v2/index.php` with every parameter, the signature among them, in a form.
//!
//! <https://cloud.tencent.com/document/api/599/12686> is one of the pages that are left of it. Of the signature there are
//! pure steps; nothing is sent here.

use super::access::Access;
use crate::cloud::digest::{base64, hmac_sha1, hmac_sha256};
use crate::cloud::header::unsendable;
use crate::cloud::{Error, Stamp, percent};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The path of every request.
pub const PATH: &str = "/v2/index.php";

/// The parameters of a request by name, lists flattened to `Name.0`.
pub type Parameters = BTreeMap<String, String>;

/// How a request of API 2.0 is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "TencentSignatureMethod")]
pub enum SignatureMethod {
    /// For gateways that know nothing better.
    #[serde(rename = "HmacSHA1")]
    HmacSha1,
    /// The better one.
    #[default]
    #[serde(rename = "HmacSHA256")]
    HmacSha256,
}

impl SignatureMethod {
    /// The value of the parameter `SignatureMethod`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HmacSHA1",
            Self::HmacSha256 => "HmacSHA256",
        }
    }
}

/// Step 1: what is signed. Values are not percent-encoded in it; `Signature` itself is not part of it.
pub fn string_to_sign(method: &str, host: &str, path: &str, parameters: &Parameters) -> String {
    let dotted: BTreeMap<String, &String> =
        parameters.iter().map(|(name, value)| (name.replace('_', "."), value)).collect();
    let pairs: Vec<String> = dotted.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{method}{host}{path}?{}", pairs.join("&"))
}

/// Step 2: the value of `Signature`.
pub fn signature(secret_key: &str, method: SignatureMethod, string_to_sign: &str) -> String {
    let (key, message) = (secret_key.as_bytes(), string_to_sign.as_bytes());
    base64(&match method {
        SignatureMethod::HmacSha1 => hmac_sha1(key, message),
        SignatureMethod::HmacSha256 => hmac_sha256(key, message),
    })
}

/// The signed request of an action. The form is in the body: a query would stand in the logs of everything on the way.
pub(super) fn request(
    access: &Access<'_>,
    method: SignatureMethod,
    action: &str,
    own: &Value,
    stamp: &Stamp,
) -> Result<http::Request<Bytes>, Error> {
    let mut parameters = Parameters::new();
    flatten("", own, &mut parameters);
    parameters.extend(common(access, method, action, stamp));
    let string = string_to_sign("POST", access.site.endpoint.authority(), PATH, &parameters);
    let signature = signature(access.keys.secret.expose_secret(), method, &string);
    parameters.insert("Signature".to_owned(), signature);
    http::Request::post(access.site.endpoint.url(PATH))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form(&parameters)))
        .map_err(unsendable)
}

/// The parameters every action has.
fn common(access: &Access<'_>, method: SignatureMethod, action: &str, stamp: &Stamp) -> Parameters {
    let keys = access.keys;
    let mut common = vec![
        ("Action", action.to_owned()),
        ("Version", super::access::VERSION.to_owned()),
        ("Region", access.site.region.to_string()),
        ("Timestamp", stamp.at.as_second().to_string()),
        ("Nonce", nonce(stamp).to_string()),
        ("SecretId", keys.id.expose_secret().to_owned()),
        ("SignatureMethod", method.as_str().to_owned()),
    ];
    common.extend(keys.token.as_ref().map(|token| ("Token", token.expose_secret().to_owned())));
    common.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A positive number out of the stamp's hexadecimal digits, small enough for any integer type the vendor may use.
fn nonce(stamp: &Stamp) -> u32 {
    let digits = stamp.nonce.get(..7).unwrap_or(&stamp.nonce);
    u32::from_str_radix(digits, 16).unwrap_or_default().saturating_add(1)
}

/// Lists and objects as the vendor writes them in a form: `Filters.0.Name`.
fn flatten(name: &str, value: &Value, into: &mut Parameters) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(key, value)| flatten(&below(key), value, into)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| flatten(&below(&index.to_string()), value, into));
        }
        Value::String(text) => {
            into.insert(name.to_owned(), text.clone());
        }
        Value::Bool(_) | Value::Number(_) => {
            into.insert(name.to_owned(), value.to_string());
        }
    }
}

fn form(parameters: &Parameters) -> String {
    percent::pairs(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    #[derive(Deserialize)]
    struct Case {
        method: String,
        host: String,
        path: String,
        parameters: Parameters,
        secret_key: String,
    }

    /// Every folder of recorded signatures of the old dialect, step by step.
    #[test]
    fn recorded_signatures() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sign/tencent");
        let mut cases = 0;
        for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.starts_with("v1-") && !name.starts_with("v2-") {
                continue;
            }
            let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
            let case: Case = serde_json::from_str(&text("request.json")).unwrap();
            let method = match case.parameters["SignatureMethod"].as_str() {
                "HmacSHA1" => SignatureMethod::HmacSha1,
                _ => SignatureMethod::HmacSha256,
            };
            let string = string_to_sign(&case.method, &case.host, &case.path, &case.parameters);
            assert_eq!(string, text("string-to-sign.txt"), "string to sign of {name}");
            assert_eq!(signature(&case.secret_key, method, &string), text("signature.txt"), "signature of {name}");
            cases += 1;
        }
        assert!(cases >= 6, "{cases}");
    }

    #[test]
    fn lists_are_flattened_from_zero() {
        let own = json!({"Filters": [{"Name": "zone", "Values": ["a", "b"]}], "Limit": 5, "Offset": null});
        let mut parameters = Parameters::new();
        flatten("", &own, &mut parameters);
        let form = form(&parameters);
        assert_eq!(form, "Filters.0.Name=zone&Filters.0.Values.0=a&Filters.0.Values.1=b&Limit=5");
    }
}
