//! Header values nobody logs.

use super::Error;
use crate::model::Reason;
use http::HeaderValue;

/// A text as the value of a header that no debug print shows.
///
/// # Errors
/// [`Reason::Rejected`] for a text with a character that no header has. The text is not part of the error.
pub(super) fn secret_value(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(text).map_err(unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A request that cannot be put on the wire.
pub(super) fn unsendable(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Reason::Rejected, "the request cannot be built; is there an odd character in a key?").with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sent_and_not_shown() {
        let value = secret_value("hunter2").unwrap();
        assert_eq!(value, "hunter2");
        assert!(!format!("{value:?}").contains("hunter2"));
        let error = secret_value("hunter2\n").unwrap_err();
        assert!(!format!("{error:?} {}", crate::cloud::chain(&error)).contains("hunter2"));
    }
}
