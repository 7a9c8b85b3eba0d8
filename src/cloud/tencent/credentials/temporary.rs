//! Temporary keys as the vendor's services hand them out, and when they end.

use crate::cloud::credentials::{Given, Keys};
use crate::cloud::{Answer, Error};
use crate::model::Reason;
use jiff::Timestamp;
use serde::Deserialize;

/// The three parts, as the metadata service and STS call them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemporaryKeys {
    tmp_secret_id: String,
    tmp_secret_key: String,
    token: String,
}

impl TemporaryKeys {
    /// The keys with their end, in seconds since 1970, as `answer` told it.
    ///
    /// # Errors
    /// When a part is empty, or the end is none that lies ahead.
    pub(super) fn until(self, expired_time: i64, answer: &Answer) -> Result<Given, Error> {
        let Self { tmp_secret_id, tmp_secret_key, token } = self;
        if [&tmp_secret_id, &tmp_secret_key, &token].iter().any(|part| part.trim().is_empty()) {
            return Err(Error::new(Reason::Decode, "the temporary keys are not whole: a part is empty"));
        }
        let keys = Keys { id: tmp_secret_id.into(), secret: tmp_secret_key.into(), token: Some(token.into()) };
        let told_at = answer.told_at();
        match Timestamp::from_second(expired_time) {
            Ok(end) if end > told_at => Ok(Given::until(keys, end, told_at)),
            Ok(end) => Err(Error::new(Reason::Decode, format!("the temporary keys ended before they came, at {end}"))),
            Err(error) => Err(Error::new(Reason::Decode, "`ExpiredTime` is no time").with_source(error)),
        }
    }
}
