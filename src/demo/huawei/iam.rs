//! The simulated IAM: tokens for a password or for an identity provider's token, keys for the latter, and the projects of
//! the account.
//!
//! A token proves itself: it holds the instant it was issued and a code made with the password. Nothing is kept.

use super::temporary::{self, Ticket};
use super::{DOMAIN, ID_TOKEN, IDP_ID, PASSWORD, PROJECT_ID, REGION, USER_NAME, gateway};
use crate::cloud::digest;
use crate::demo::Answered;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How long a token lives.
const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Real tokens are several kilobytes long.
const REPEATED: usize = 64;

/// KeystoneListProjects.
pub(super) fn list_projects(parameters: &[(String, String)]) -> Result<Answered, Answered> {
    let mut wanted = None;
    for (name, value) in parameters {
        match name.as_str() {
            "name" => wanted = Some(value.as_str()),
            _ => return Err(gateway::error(400, "IAM.0007", &format!("unknown parameter {name}"))),
        }
    }
    let all = [(PROJECT_ID, REGION), ("fedcba9876543210fedcba9876543210", "MOS")];
    let shown = all.iter().filter(|(_, name)| wanted.is_none_or(|wanted| wanted == *name));
    let projects: Vec<Value> = shown
        .map(|(id, name)| json!({"id": id, "name": name, "domain_id": "d78c", "is_domain": false, "enabled": true}))
        .collect();
    Ok(Answered::json(200, &json!({"projects": projects, "links": {"next": null, "previous": null}})))
}

/// KeystoneCreateUserTokenByPassword.
pub(super) fn create_token(parameters: &[(String, String)], body: &[u8], now: Timestamp) -> Result<Answered, Answered> {
    if let Some((name, _)) = parameters.iter().find(|(name, _)| name != "nocatalog") {
        return Err(gateway::error(400, "IAM.0007", &format!("unknown parameter {name}")));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if body.pointer("/auth/identity/methods") != Some(&json!(["password"])) {
        return Err(gateway::error(400, "IAM.0007", "Request parameter auth.identity.methods is invalid"));
    }
    let given = ["name", "password", "domain/name"].map(|field| text(&format!("/auth/identity/password/user/{field}")));
    if given != [USER_NAME, PASSWORD, DOMAIN] {
        return Err(gateway::unauthorized("IAM.0011", "The username or password is wrong"));
    }
    let scope = (text("/auth/scope/project/id"), text("/auth/scope/project/name"));
    if scope != (PROJECT_ID, "") && scope != ("", REGION) {
        let error =
            json!({"error": {"code": 401, "message": "The project could not be found", "title": "Unauthorized"}});
        return Err(Answered::json(401, &error));
    }
    let date = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let token = json!({"token": {
        "methods": ["password"], "issued_at": date(now), "expires_at": date(now + LIFE),
        "project": {"id": PROJECT_ID, "name": REGION, "domain": {"name": DOMAIN}},
        "user": {"name": USER_NAME, "domain": {"name": DOMAIN}},
    }});
    Ok(Answered::json(201, &token).with_header("x-subject-token", token_of(now)))
}

/// CreateTokenWithIdToken: a token without a project, good for keys.
pub(super) fn create_token_with_id_token(idp_id: &str, body: &[u8], now: Timestamp) -> Result<Answered, Answered> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let id_token = body.pointer("/auth/id_token/id").and_then(Value::as_str).unwrap_or_default();
    if idp_id != IDP_ID || id_token != ID_TOKEN {
        return Err(gateway::unauthorized("IAM.0001", "The identity provider's token is not accepted"));
    }
    let token = json!({"token": {"methods": ["mapped"], "user": {"name": "FederationUser"}}});
    Ok(Answered::json(201, &token).with_header("x-subject-token", Ticket::Unscoped.until(now + LIFE)))
}

/// CreateTemporaryAccessKeyByToken.
pub(super) fn create_keys_by_token(body: &[u8], now: Timestamp) -> Result<Answered, Answered> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let identity = body.pointer("/auth/identity").cloned().unwrap_or_default();
    let token = identity.pointer("/token/id").and_then(Value::as_str).unwrap_or_default();
    let seconds = identity.pointer("/token/duration_seconds").and_then(Value::as_i64).unwrap_or(900);
    if identity.get("methods") != Some(&json!(["token"])) || !(900..=86_400).contains(&seconds) {
        return Err(gateway::error(400, "IAM.0007", "Request parameter auth.identity is invalid"));
    }
    if !Ticket::Unscoped.is_good(token, now) {
        return Err(gateway::unauthorized("IAM.0066", "The token has expired"));
    }
    let keys = temporary::keys_until(now + SignedDuration::from_secs(seconds));
    Ok(Answered::json(201, &json!({"credential": keys.old_names()})))
}

/// Whether a token is one of ours and has not ended.
pub(super) fn check_token(token: &str, now: Timestamp) -> Result<(), Answered> {
    let issued = token
        .split_once('.')
        .and_then(|(issued, _)| issued.parse().ok())
        .and_then(|issued| Timestamp::from_nanosecond(issued).ok());
    let lasts = |issued: &Timestamp| *issued <= now && now.duration_since(*issued) < LIFE;
    match issued.filter(lasts) {
        Some(issued) if digest::same(&token_of(issued), token) => Ok(()),
        _ => Err(gateway::unauthorized("APIGW.0307", "The token must be updated")),
    }
}

fn token_of(issued: Timestamp) -> String {
    let issued = issued.as_nanosecond().to_string();
    let code = digest::base64(&digest::hmac_sha256(PASSWORD.as_bytes(), issued.as_bytes()));
    format!("{issued}.{}", code.repeat(REPEATED))
}
