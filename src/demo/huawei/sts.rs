//! The simulated STS: keys of an agency, for other keys or for an identity provider's token.

use super::{AGENCY_URN, ID_TOKEN, PROVIDER_URN, gateway, temporary};
use crate::demo::Answered;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

type Fields = Map<String, Value>;

/// AssumeAgency; whoever asks has signed.
pub(super) fn assume_agency(body: &[u8], now: Timestamp) -> Result<Answered, Answered> {
    let fields = read(body, &["external_id"])?;
    session(&fields, now)
}

/// AssumeAgencyWithOIDC.
pub(super) fn assume_agency_with_oidc(body: &[u8], now: Timestamp) -> Result<Answered, Answered> {
    let fields = read(body, &["provider_urn", "id_token"])?;
    if (text(&fields, "provider_urn"), text(&fields, "id_token")) != (PROVIDER_URN, ID_TOKEN) {
        return Err(gateway::unauthorized("STS5.0009", "the id token is not accepted"));
    }
    session(&fields, now)
}

fn read(body: &[u8], more: &[&str]) -> Result<Fields, Answered> {
    const COMMON: [&str; 5] = ["agency_urn", "agency_session_name", "duration_seconds", "policy", "policy_ids"];
    let fields: Fields = serde_json::from_slice(body).map_err(|_| invalid("the body is no JSON document"))?;
    match fields.keys().find(|name| !COMMON.contains(&name.as_str()) && !more.contains(&name.as_str())) {
        Some(name) => Err(invalid(&format!("unknown parameter {name}"))),
        None => Ok(fields),
    }
}

fn session(fields: &Fields, now: Timestamp) -> Result<Answered, Answered> {
    let name = text(fields, "agency_session_name");
    let is_sane = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=128).contains(&name.len()) || !name.bytes().all(is_sane) {
        return Err(invalid("agency_session_name is invalid"));
    }
    let seconds = fields.get("duration_seconds").map_or(Some(3600), Value::as_i64).unwrap_or_default();
    if !(900..=43_200).contains(&seconds) {
        return Err(invalid("duration_seconds is invalid"));
    }
    if text(fields, "agency_urn") != AGENCY_URN {
        return Err(gateway::error(403, "PAP5.0018", "no permission to assume the agency"));
    }
    let keys = temporary::keys_until(now + SignedDuration::from_secs(seconds));
    let agency = json!({"urn": format!("{AGENCY_URN}/{name}"), "id": "0a1b"});
    Ok(Answered::json(200, &json!({"credentials": keys.new_names(), "assumed_agency": agency})))
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn invalid(message: &str) -> Answered {
    gateway::error(400, "STS5.0001", message)
}
