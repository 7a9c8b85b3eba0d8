//! TC3-HMAC-SHA256, the signature of API 3.0, as pure steps that can be looked at one by one.
//!
//! <https://www.tencentcloud.com/document/product/599/33212> describes it. It knows no action and sends nothing.

use crate::cloud::digest::{hmac_sha256, sha256_hex};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// The name of the algorithm, first word of `Authorization`.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";

/// What of a request is signed.
#[derive(Debug)]
pub struct Signed<'a> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// What stands after `?`, exactly as sent.
    pub query: &'a str,
    /// The headers that are signed, by lower-case name; at least `content-type` and `host`.
    pub headers: BTreeMap<&'a str, &'a str>,
    /// The body as sent.
    pub payload: &'a [u8],
}

/// What a signature is good for: an instant (its UTC day among it) and a service.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The value of `X-TC-Timestamp`.
    pub at: Timestamp,
    /// The service's name, such as `batch`.
    pub service: &'a str,
}

impl Scope<'_> {
    fn date(&self) -> String {
        self.at.strftime("%Y-%m-%d").to_string()
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{TERMINATOR}", self.date(), self.service)
    }
}

impl Signed<'_> {
    /// The names of the signed headers, as `SignedHeaders` lists them.
    pub fn header_names(&self) -> String {
        self.headers.keys().copied().collect::<Vec<_>>().join(";")
    }
}

/// Step 1: the request in one unambiguous form. The path is always `/`.
pub fn canonical_request(signed: &Signed<'_>) -> String {
    let Signed { method, query, headers, payload } = signed;
    let lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}:{}", value.trim().to_lowercase())).collect();
    // The block of headers ends with a line end of its own.
    let headers = lines.join("\n") + "\n";
    format!("{method}\n/\n{query}\n{headers}\n{}\n{}", signed.header_names(), sha256_hex(payload))
}

/// Step 2: what is signed.
pub fn string_to_sign(scope: &Scope<'_>, canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{}\n{scope}\n{}", scope.at.as_second(), sha256_hex(canonical_request.as_bytes()))
}

/// Step 3: the signature, in lower-case hexadecimal digits.
pub fn signature(secret_key: &str, scope: &Scope<'_>, string_to_sign: &str) -> String {
    let day = hmac_sha256(format!("TC3{secret_key}").as_bytes(), scope.date().as_bytes());
    let service = hmac_sha256(&day, scope.service.as_bytes());
    let key = hmac_sha256(&service, TERMINATOR.as_bytes());
    hex::encode(hmac_sha256(&key, string_to_sign.as_bytes()))
}

/// Steps 1 to 4: the value of `Authorization`.
pub fn authorization(secret_id: &str, secret_key: &str, scope: &Scope<'_>, signed: &Signed<'_>) -> String {
    let string_to_sign = string_to_sign(scope, &canonical_request(signed));
    let signature = signature(secret_key, scope, &string_to_sign);
    format!(
        "{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={}, Signature={signature}",
        signed.header_names()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::path::{Path, PathBuf};

    #[derive(Deserialize)]
    struct Case {
        method: String,
        query: String,
        signed_headers: BTreeMap<String, String>,
        body: String,
        timestamp: i64,
        service: String,
        secret_id: String,
        secret_key: String,
    }

    fn text(folder: &Path, name: &str) -> String {
        std::fs::read_to_string(folder.join(name))
            .unwrap_or_else(|error| panic!("{}/{name}: {error}", folder.display()))
    }

    fn folders(prefix: &str) -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sign/tencent");
        let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).collect()
    }

    /// Every folder of recorded signatures, step by step, so that a failure names the step.
    #[test]
    fn recorded_signatures() {
        let folders = folders("v3-");
        assert!(folders.len() >= 9, "{folders:?}");
        for folder in folders {
            let case: Case = serde_json::from_str(&text(&folder, "request.json")).unwrap();
            let scope = Scope { at: Timestamp::from_second(case.timestamp).unwrap(), service: &case.service };
            let signed = Signed {
                method: &case.method,
                query: &case.query,
                headers: case.signed_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
                payload: case.body.as_bytes(),
            };
            let canonical = canonical_request(&signed);
            assert_eq!(canonical, text(&folder, "canonical-request.txt"), "canonical request of {folder:?}");
            let string = string_to_sign(&scope, &canonical);
            assert_eq!(string, text(&folder, "string-to-sign.txt"), "string to sign of {folder:?}");
            let authorization = authorization(&case.secret_id, &case.secret_key, &scope, &signed);
            assert_eq!(authorization, text(&folder, "authorization.txt"), "authorization of {folder:?}");
        }
    }
}
