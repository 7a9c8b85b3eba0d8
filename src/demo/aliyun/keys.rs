//! The keys of the simulated cloud: one that lasts, and temporary ones.
//!
//! Temporary keys prove themselves: the id says when they end, secret and token are made of it. Nothing is kept.

use super::gateway::Refusal;
use super::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};
use crate::cloud::digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

const PREFIX: &str = "STS.Demo";
/// Real tokens are several hundred characters long.
const REPEATED: usize = 8;

/// Keys that end.
#[derive(Debug)]
pub(super) struct Temporary {
    id: String,
    ends_at: Timestamp,
}

impl Temporary {
    /// Keys that `giver` gives for so long.
    pub(super) fn issue(giver: &str, now: Timestamp, life: SignedDuration) -> Self {
        let ends_at = Timestamp::from_second((now + life).as_second()).unwrap_or(now);
        Self { id: format!("{PREFIX}{giver}{}", ends_at.as_second()), ends_at }
    }

    /// The keys that an id names.
    fn named(id: &str) -> Option<Self> {
        let rest = id.strip_prefix(PREFIX)?.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let ends_at = Timestamp::from_second(rest.parse().ok()?).ok()?;
        Some(Self { id: id.to_owned(), ends_at })
    }

    fn secret(&self) -> String {
        digest::base64(&digest::hmac_sha256(ACCESS_KEY_SECRET.as_bytes(), self.id.as_bytes()))
    }

    fn token(&self) -> String {
        digest::base64(&digest::hmac_sha256(self.secret().as_bytes(), b"token")).repeat(REPEATED)
    }

    /// Their four parts in the vendor's words.
    pub(super) fn document(&self) -> Map<String, Value> {
        let parts = [
            ("AccessKeyId", self.id.clone()),
            ("AccessKeySecret", self.secret()),
            ("SecurityToken", self.token()),
            ("Expiration", self.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ];
        parts.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect()
    }
}

/// The secret of an access key, if it may be used with that token.
pub(super) fn secret_of(id: &str, token: &str, now: Timestamp) -> Result<String, Refusal> {
    let token_refused = |code, message| Err(Refusal::of_gateway(400, code, message));
    let mismatch = "InvalidSecurityToken.MismatchWithAccessKey";
    if id == ACCESS_KEY_ID {
        if !token.is_empty() {
            return token_refused(mismatch, "Specified SecurityToken mismatch with the AccessKey.");
        }
        return Ok(ACCESS_KEY_SECRET.to_owned());
    }
    let unknown = || Refusal::of_gateway(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
    let keys = Temporary::named(id).ok_or_else(unknown)?;
    if token.is_empty() {
        return token_refused("MissingSecurityToken", "SecurityToken is mandatory for this action.");
    }
    if !digest::same(&keys.token(), token) {
        return token_refused(mismatch, "Specified SecurityToken mismatch with the AccessKey.");
    }
    if keys.ends_at <= now {
        return token_refused("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
    }
    Ok(keys.secret())
}
