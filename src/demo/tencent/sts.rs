//! The simulated STS and metadata service: temporary keys for whoever may have them.

use super::keys;
use super::parameters::Parameters;
use super::{PROVIDER_ID, ROLE_ARN, ROLE_NAME, Refusal, WEB_IDENTITY_TOKEN};
use crate::cloud::digest::same;
use crate::demo::Answered;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The version of its documents.
pub(super) const VERSION: &str = "2018-08-13";
/// Where the metadata service keeps keys.
pub(super) const METADATA_PATH: &str = "/latest/meta-data/cam/security-credentials/";
/// Shorter than the vendor's, so that renewals are to be seen.
const METADATA_LIFE: SignedDuration = SignedDuration::from_mins(10);
const DEFAULT_SECONDS: usize = 7200;
const MOST_SECONDS: usize = 43_200;

/// AssumeRole.
pub(super) fn assume_role(parameters: &Parameters, now: Timestamp) -> Result<Value, Refusal> {
    parameters.only(&["RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId"])?;
    of_role(parameters, now)
}

/// AssumeRoleWithWebIdentity.
pub(super) fn assume_role_with_web_identity(parameters: &Parameters, now: Timestamp) -> Result<Value, Refusal> {
    parameters.only(&["ProviderId", "WebIdentityToken", "RoleArn", "RoleSessionName", "DurationSeconds"])?;
    if parameters.required("ProviderId")? != PROVIDER_ID {
        return Err(Refusal::new("ResourceNotFound.RoleNotFound", "there is no such identity provider"));
    }
    if !same(parameters.required("WebIdentityToken")?, WEB_IDENTITY_TOKEN) {
        return Err(Refusal::new("InvalidParameter.WebIdentityTokenError", "the token is not the provider's"));
    }
    of_role(parameters, now)
}

fn of_role(parameters: &Parameters, now: Timestamp) -> Result<Value, Refusal> {
    if parameters.required("RoleArn")? != ROLE_ARN {
        return Err(Refusal::new("ResourceNotFound.RoleNotFound", "there is no such role"));
    }
    let name = parameters.required("RoleSessionName")?;
    let fits = |c: char| c.is_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=128).contains(&name.chars().count()) || !name.chars().all(fits) {
        return Err(Refusal::new("InvalidParameter.ParamError", "RoleSessionName is no name of a session"));
    }
    let seconds = parameters.number("DurationSeconds")?.unwrap_or(DEFAULT_SECONDS);
    if seconds == 0 || seconds > MOST_SECONDS {
        return Err(Refusal::new(
            "InvalidParameter.OverTimeError",
            format!("DurationSeconds is {MOST_SECONDS} at the most"),
        ));
    }
    let life = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default());
    let (credentials, end) = keys::issue(name, life, now);
    Ok(json!({"Credentials": credentials, "ExpiredTime": end.as_second(), "Expiration": iso(end)}))
}

/// The metadata service, for what stands behind [`METADATA_PATH`].
pub(super) fn metadata(name: &str, now: Timestamp) -> Option<Answered> {
    if name.is_empty() {
        let body = ROLE_NAME.to_owned();
        return Some(Answered { status: 200, headers: Vec::new(), content_type: "text/plain", body });
    }
    if name != ROLE_NAME {
        return None;
    }
    let (mut document, end) = keys::issue("the metadata service", METADATA_LIFE, now);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("ExpiredTime".to_owned(), end.as_second().into());
        fields.insert("Expiration".to_owned(), iso(end).into());
        fields.insert("Code".to_owned(), "Success".into());
    }
    Some(Answered::json(200, &document))
}

fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
