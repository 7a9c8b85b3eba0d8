//! Who may ask the simulated cloud: the signatures of both dialects, verified over what the caller says is signed.

use super::super::http::Asked;
use super::super::strict::Nonces;
use super::{Refusal, keys};
use crate::cloud::digest::same;
use crate::cloud::tencent::legacy::{self, SignatureMethod};
use crate::cloud::tencent::sign::{self, Scope, Signed};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A signature of API 3.0 is good for so long, before and after.
const WINDOW: SignedDuration = SignedDuration::from_secs(300);
/// One of API 2.0.
const LEGACY_WINDOW: SignedDuration = SignedDuration::from_hours(2);

/// The parts of `Authorization`.
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let parts = header.strip_prefix(sign::ALGORITHM)?.split(',');
        let parts: BTreeMap<&str, &str> = parts.filter_map(|part| part.trim().split_once('=')).collect();
        let part = |name: &str| parts.get(name).copied();
        Some(Self {
            credential: part("Credential")?,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        })
    }
}

/// What API 2.0 posts.
const FORM: &str = "application/x-www-form-urlencoded";

/// Refuses every method but `GET` and `POST`, and content of another kind than `posted` in the latter.
fn check_protocol(asked: &Asked, posted: &str) -> Result<(), Refusal> {
    let kind = asked.header("content-type").split(';').next().unwrap_or_default().trim();
    let wrong = |what: String| Err(Refusal::new("UnsupportedProtocol", what));
    match asked.method.as_str() {
        "GET" => Ok(()),
        "POST" if kind == posted => Ok(()),
        "POST" => wrong(format!("content of the kind {kind:?} is not taken")),
        method => wrong(format!("the method {method} is not taken")),
    }
}

/// Verifies a request of API 3.0 to a service.
pub(super) fn verify(asked: &Asked, service: &str, now: Timestamp) -> Result<(), Refusal> {
    check_protocol(asked, "application/json")?;
    let header = asked.header("authorization");
    if header.is_empty() {
        return Err(Refusal::new("MissingParameter", "the header Authorization is missing"));
    }
    let Some(authorization) = Authorization::parse(header) else {
        return Err(Refusal::new("AuthFailure.InvalidAuthorization", "the header Authorization cannot be read"));
    };
    let secret_id = authorization.credential.split('/').next().unwrap_or_default();
    let keys = keys::of_id(secret_id)?;
    let at = timestamp(asked.header("x-tc-timestamp"))?;
    if now.duration_since(at).abs() > WINDOW {
        return Err(Refusal::new("AuthFailure.SignatureExpire", "the signature is more than five minutes off"));
    }
    let token = asked.headers.contains_key("x-tc-token").then(|| asked.header("x-tc-token"));
    keys.check_token(token, now)?;
    let scope = Scope { at, service };
    let headers: BTreeMap<&str, &str> =
        authorization.signed_headers.split(';').map(|name| (name, asked.header(name))).collect();
    let signs_enough =
        ["content-type", "host"].iter().all(|name| headers.get(name).is_some_and(|value| !value.is_empty()));
    let signed = Signed { method: asked.method.as_str(), query: &asked.query, headers, payload: &asked.body };
    let string = sign::string_to_sign(&scope, &sign::canonical_request(&signed));
    let expected = sign::signature(&keys.secret_key, &scope, &string);
    let in_scope = authorization.credential == format!("{secret_id}/{scope}");
    if signs_enough && in_scope && same(&expected, authorization.signature) { Ok(()) } else { Err(signature_failure()) }
}

/// Verifies a request of API 2.0, whose parameters are `form`.
pub(super) fn verify_legacy(
    asked: &Asked,
    form: &legacy::Parameters,
    nonces: &Nonces,
    now: Timestamp,
) -> Result<(), Refusal> {
    check_protocol(asked, FORM)?;
    let parameter = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    for name in ["Action", "Region", "Timestamp", "Nonce", "SecretId", "Signature", "Version"] {
        if parameter(name).is_empty() {
            return Err(Refusal::new("MissingParameter", format!("the parameter {name} is missing")));
        }
    }
    let keys = keys::of_id(parameter("SecretId"))?;
    keys.check_token(form.get("Token").map(String::as_str), now)?;
    let method = match parameter("SignatureMethod") {
        "" | "HmacSHA1" => SignatureMethod::HmacSha1,
        "HmacSHA256" => SignatureMethod::HmacSha256,
        other => return Err(Refusal::new("AuthFailure.SignatureFailure", format!("there is no method {other:?}"))),
    };
    let signed: legacy::Parameters = form
        .iter()
        .filter(|(name, _)| *name != "Signature")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let string = legacy::string_to_sign(asked.method.as_str(), asked.header("host"), legacy::PATH, &signed);
    if !same(&legacy::signature(&keys.secret_key, method, &string), parameter("Signature")) {
        return Err(signature_failure());
    }
    let at = timestamp(parameter("Timestamp"))?;
    let fresh = now.duration_since(at).abs() <= LEGACY_WINDOW;
    let stamp = format!("{}/{}", parameter("Timestamp"), parameter("Nonce"));
    if fresh && nonces.is_new(&stamp, LEGACY_WINDOW, now) {
        Ok(())
    } else {
        Err(Refusal::new("4500", "nonce and timestamp were used before, or the timestamp is hours off"))
    }
}

/// Verifies a request that must not be signed.
pub(super) fn verify_unsigned(asked: &Asked) -> Result<(), Refusal> {
    check_protocol(asked, "application/json")?;
    timestamp(asked.header("x-tc-timestamp"))?;
    if asked.header("authorization") != "SKIP" || asked.headers.contains_key("x-tc-token") {
        let message = "this action is not signed: Authorization is SKIP, and there is no token";
        return Err(Refusal::new("AuthFailure.InvalidAuthorization", message));
    }
    Ok(())
}

fn timestamp(text: &str) -> Result<Timestamp, Refusal> {
    let seconds = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    seconds.ok_or_else(|| Refusal::new("InvalidParameter", format!("{text:?} is no timestamp")))
}

fn signature_failure() -> Refusal {
    Refusal::new("AuthFailure.SignatureFailure", "the signature is not the one expected")
}
