//! Temporary keys and tickets that prove themselves: each holds the instant it ends and a code made with the account's
//! secret key. Nothing is kept.

use super::SECRET_KEY;
use crate::cloud::digest;
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a ticket is good for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ticket {
    /// To go with a temporary access key.
    Security,
    /// For the metadata service.
    Metadata,
    /// To be changed for keys by IAM.
    Unscoped,
}

impl Ticket {
    /// A ticket that ends then.
    pub(super) fn until(self, end: Timestamp) -> String {
        let end = end.as_nanosecond();
        let code = digest::hmac_sha256(SECRET_KEY.as_bytes(), format!("{self:?}.{end}").as_bytes());
        format!("{end}.{}", digest::base64(&code))
    }

    /// Whether a ticket is one of these and has not ended.
    pub(super) fn is_good(self, ticket: &str, now: Timestamp) -> bool {
        let end = ticket.split_once('.').and_then(|(end, _)| end.parse().ok());
        let end = end.and_then(|end| Timestamp::from_nanosecond(end).ok());
        end.is_some_and(|end| now < end && digest::same(&self.until(end), ticket))
    }
}

/// A temporary key.
pub(super) struct TemporaryKeys {
    access: String,
    secret: String,
    token: String,
    end: Timestamp,
}

/// The keys that end then; the same ones whenever they are asked for.
pub(super) fn keys_until(end: Timestamp) -> TemporaryKeys {
    let token = Ticket::Security.until(end);
    TemporaryKeys { access: access_of(&token), secret: secret_by(&token), token, end }
}

/// The secret of a temporary access key; none unless it goes with that token and has not ended.
pub(super) fn secret_of(access: &str, token: &str, now: Timestamp) -> Option<String> {
    (Ticket::Security.is_good(token, now) && access == access_of(token)).then(|| secret_by(token))
}

impl TemporaryKeys {
    /// As IAM and the metadata service tell them.
    pub(super) fn old_names(&self) -> Value {
        json!({"access": self.access, "secret": self.secret, "securitytoken": self.token, "expires_at": self.end()})
    }

    /// As STS tells them.
    pub(super) fn new_names(&self) -> Value {
        let Self { access, secret, token, .. } = self;
        json!({"access_key_id": access, "secret_access_key": secret, "security_token": token, "expiration": self.end()})
    }

    fn end(&self) -> String {
        self.end.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    }
}

fn access_of(token: &str) -> String {
    let letters = digest::sha256_hex(token.as_bytes()).to_uppercase();
    format!("HSTA{}", letters.chars().take(16).collect::<String>())
}

fn secret_by(token: &str) -> String {
    let code = digest::hmac_sha256(SECRET_KEY.as_bytes(), token.as_bytes());
    hex::encode(code).chars().take(40).collect()
}
