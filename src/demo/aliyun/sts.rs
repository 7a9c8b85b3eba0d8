//! The simulated security token service: AssumeRole and AssumeRoleWithOIDC.
//!
//! It takes both of the vendor's signatures: the current one, which `gateway` checks, and the older one of the SDK's
//! credential classes, which stands among the parameters.

use super::gateway::{Gateway, Refusal};
use super::keys::{self, Temporary};
use crate::cloud::aliyun::sign::STS_VERSION;
use crate::cloud::{digest, percent};
use crate::demo::http::{Answered, Asked, decode_form};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

/// The one role there is.
pub const ROLE_ARN: &str = "acs:ram::1234567890123456:role/exporter";
/// The one identity provider there is.
pub const OIDC_PROVIDER_ARN: &str = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-demo";
/// The one token that it vouches for.
pub const OIDC_TOKEN: &str = "demo.service-account.token";

/// Seconds of a session, by the vendor's documents.
const DURATIONS: std::ops::RangeInclusive<i64> = 900..=3600;
const ASSUME_ROLE: &str = "AssumeRole";
const WITH_OIDC: &str = "AssumeRoleWithOIDC";

type Parameters = BTreeMap<String, String>;

/// Answers a request to the service.
pub(super) fn answer(gateway: &Gateway, request: &Asked, now: Timestamp) -> Result<Answered, Refusal> {
    let body = String::from_utf8_lossy(&request.body);
    let parameters: Parameters = request.parameters().into_iter().chain(decode_form(&body)).collect();
    let is_signed_by_headers = !request.header("authorization").is_empty();
    let action = if is_signed_by_headers { request.header("x-acs-action") } else { text(&parameters, "Action") };
    match action {
        ASSUME_ROLE if is_signed_by_headers => gateway.admit(request, (ASSUME_ROLE, STS_VERSION), now)?,
        ASSUME_ROLE => {
            check_version(&parameters)?;
            check_signature(request.method.as_str(), &parameters, now)?;
            gateway.check_stamp(text(&parameters, "Timestamp"), text(&parameters, "SignatureNonce"), now)?;
        }
        WITH_OIDC => {
            check_version(&parameters)?;
            check_token(&parameters)?;
        }
        _ => return Err(Refusal::of_gateway(404, "InvalidAction.NotFound", "Specified api is not found.")),
    }
    assume(&parameters, now)
}

fn assume(parameters: &Parameters, now: Timestamp) -> Result<Answered, Refusal> {
    if text(parameters, "RoleArn") != ROLE_ARN {
        return Err(Refusal::of_gateway(404, "EntityNotExist.Role", "The role not exists."));
    }
    let name = text(parameters, "RoleSessionName");
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(is_name) {
        return Err(invalid("RoleSessionName"));
    }
    let duration = parameters.get("DurationSeconds").map_or(Some(3600), |text| text.parse().ok());
    let duration = duration.filter(|seconds| DURATIONS.contains(seconds)).ok_or_else(|| invalid("DurationSeconds"))?;
    let keys = Temporary::issue("Role", now, SignedDuration::from_secs(duration));
    Ok(Answered::json(
        200,
        &json!({
            "RequestId": digest::sha256_hex(name.as_bytes()).to_uppercase(),
            "AssumedRoleUser": {"AssumedRoleId": format!("3307:{name}"), "Arn": format!("{ROLE_ARN}/{name}")},
            "Credentials": keys.document(),
        }),
    ))
}

fn check_version(parameters: &Parameters) -> Result<(), Refusal> {
    if text(parameters, "Version") == STS_VERSION {
        Ok(())
    } else {
        Err(Refusal::of_gateway(400, "InvalidVersion", "Specified parameter Version is not valid."))
    }
}

fn check_token(parameters: &Parameters) -> Result<(), Refusal> {
    if text(parameters, "OIDCProviderArn") != OIDC_PROVIDER_ARN {
        return Err(Refusal::of_gateway(404, "EntityNotExist.OIDCProvider", "The OIDC provider does not exist."));
    }
    if digest::same(text(parameters, "OIDCToken"), OIDC_TOKEN) {
        Ok(())
    } else {
        Err(Refusal::of_gateway(400, "AuthenticationFail.OIDCToken.Invalid", "The OIDC token is invalid."))
    }
}

/// The older signature.
fn check_signature(method: &str, parameters: &Parameters, now: Timestamp) -> Result<(), Refusal> {
    let secret = keys::secret_of(text(parameters, "AccessKeyId"), text(parameters, "SecurityToken"), now)?;
    let signed = parameters.iter().filter(|(name, _)| *name != "Signature");
    let query = percent::pairs(signed.map(|(name, value)| (name.as_str(), value.as_str())));
    let to_sign = format!("{method}&%2F&{}", percent::encode(&query));
    let expected = digest::base64(&digest::hmac_sha1(format!("{secret}&").as_bytes(), to_sign.as_bytes()));
    if digest::same(&expected, text(parameters, "Signature")) {
        return Ok(());
    }
    let message =
        format!("Specified signature is not matched with our calculation. server string to sign is:{to_sign}");
    Err(Refusal::of_gateway(400, "SignatureDoesNotMatch", message))
}

fn invalid(name: &str) -> Refusal {
    Refusal::of_gateway(400, "InvalidParameter", format!("The parameter {name} is wrongly formed."))
}

fn text<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.get(name).map(String::as_str).unwrap_or_default()
}
