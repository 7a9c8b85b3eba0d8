//! Temporary keys of the simulated cloud. They prove themselves: their id holds their end, and everything else of them is
//! made from the id with the account's SecretKey. Nothing is kept.

use super::{Refusal, SECRET_ID, SECRET_KEY};
use crate::cloud::digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What the ids of temporary keys begin with.
const PREFIX: &str = "AKIDtemporary";

/// A SecretId with what belongs to it.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) secret_key: String,
    token: Option<String>,
    end: Option<Timestamp>,
}

/// New temporary keys for whoever `who` names, as they stand in an answer, and their end.
pub(super) fn issue(who: &str, life: SignedDuration, now: Timestamp) -> (Value, Timestamp) {
    let end = now.checked_add(life).unwrap_or(now);
    let digits = digest::sha256_hex(format!("{who} {now}").as_bytes());
    let id = format!("{PREFIX}{}x{}", end.as_second(), digits.get(..12).unwrap_or_default());
    let document = json!({"TmpSecretId": id, "TmpSecretKey": secret_key_of(&id), "Token": token_of(&id)});
    (document, end)
}

/// The keys of that id.
pub(super) fn of_id(secret_id: &str) -> Result<Keys, Refusal> {
    if secret_id == SECRET_ID {
        return Ok(Keys { secret_key: SECRET_KEY.to_owned(), token: None, end: None });
    }
    let end =
        secret_id.strip_prefix(PREFIX).and_then(|rest| rest.split_once('x')).and_then(|(end, _)| end.parse().ok());
    match end.and_then(|end| Timestamp::from_second(end).ok()) {
        Some(end) => {
            Ok(Keys { secret_key: secret_key_of(secret_id), token: Some(token_of(secret_id)), end: Some(end) })
        }
        None => Err(Refusal::new("AuthFailure.SecretIdNotFound", "there is no such SecretId")),
    }
}

impl Keys {
    /// Refuses another token than the keys' own, and keys that have ended.
    pub(super) fn check_token(&self, token: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        let belongs = match (&self.token, token) {
            (Some(expected), Some(token)) => digest::same(expected, token),
            (None, None) => true,
            _ => false,
        };
        if !belongs {
            return Err(Refusal::new("AuthFailure.TokenFailure", "the token is wrong"));
        }
        if self.end.is_some_and(|end| now >= end) {
            return Err(Refusal::new("AuthFailure.TokenFailure", "the token has ended"));
        }
        Ok(())
    }
}

fn secret_key_of(id: &str) -> String {
    hex::encode(digest::hmac_sha256(SECRET_KEY.as_bytes(), format!("key {id}").as_bytes()))
}

/// Real ones are hundreds of characters long, too.
fn token_of(id: &str) -> String {
    digest::base64(&digest::hmac_sha256(SECRET_KEY.as_bytes(), format!("token {id}").as_bytes())).repeat(8)
}
