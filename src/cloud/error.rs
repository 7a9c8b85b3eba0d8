//! Why a call to a cloud failed: one type for every cloud, made by each cloud's own table of codes.
//!
//! `Display` says this layer only; the chain of causes is joined where it is logged, once. Nothing here holds a request, a
//! body or a key.

use crate::model::Reason;
use std::time::Duration;

/// How much of a provider's text is kept, in characters.
const MAX_MESSAGE: usize = 300;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Whether the same request may be sent again within the same poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No: the answer would be the same.
    Never,
    /// Yes, after a pause.
    Later,
    /// Once, at once, signed anew: the nonce was used, or our clock is off.
    Resigned,
}

/// A failed call.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Error {
    reason: Reason,
    code: Option<Box<str>>,
    message: Box<str>,
    retry: Retry,
    retry_after: Option<Duration>,
    stops_account: bool,
    stale_token: bool,
    #[source]
    source: Option<Source>,
}

impl Error {
    /// A failure of that kind. `message` is cut and cleaned; it says what is wrong, in lower case, without a full stop.
    pub fn new(reason: Reason, message: impl AsRef<str>) -> Self {
        let retry = match reason {
            Reason::Timeout | Reason::Transport | Reason::Throttled => Retry::Later,
            Reason::Denied | Reason::NotFound | Reason::Rejected | Reason::Decode => Retry::Never,
        };
        Self {
            reason,
            code: None,
            message: clean(message.as_ref()).into(),
            retry,
            retry_after: None,
            stops_account: false,
            stale_token: false,
            source: None,
        }
    }

    /// With the provider's own code, which is also the value of the label `code`.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = Some(clean(code).into());
        self
    }

    /// With the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// With another rule for trying again than the reason's own.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// With the pause the provider asked for.
    #[must_use]
    pub const fn with_retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }

    /// The provider refused the credentials themselves: nothing else of this account will do better.
    #[must_use]
    pub const fn stopping_account(mut self) -> Self {
        self.stops_account = true;
        self
    }

    /// The provider refused a temporary token that may have ended: a new one, once, may do better.
    #[must_use]
    pub const fn stale_token(mut self) -> Self {
        self.stale_token = true;
        self
    }

    /// What kind of failure it is.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The value of the label `code`: the provider's code, else the reason.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or(self.reason.as_str())
    }

    /// Whether to send the same request again.
    pub const fn retry(&self) -> Retry {
        self.retry
    }

    /// The pause the provider asked for.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the whole account stops.
    pub const fn stops_account(&self) -> bool {
        self.stops_account
    }

    /// Whether new temporary credentials may help.
    pub const fn is_stale_token(&self) -> bool {
        self.stale_token
    }

    fn text(&self) -> String {
        match &self.code {
            Some(code) if self.message.is_empty() => code.to_string(),
            Some(code) => format!("{code}: {}", self.message),
            None => self.message.to_string(),
        }
    }
}

/// A provider's text on one line, without control characters, cut to a sane length.
fn clean(text: &str) -> String {
    let mut words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = String::new();
    for word in words.by_ref().filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The whole chain of causes on one line, for the one place that logs it.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_short_line() {
        let error = Error::new(Reason::Rejected, "two\nlines\tand\u{7} more").with_code("Bad.Thing");
        assert_eq!(error.to_string(), "Bad.Thing: two lines and more");
        let long = Error::new(Reason::Rejected, "é".repeat(1000)).to_string();
        assert_eq!(long.chars().count(), MAX_MESSAGE + 1);
    }

    #[test]
    fn the_chain_names_every_cause_once() {
        let inner = std::io::Error::other("connection refused");
        let error = Error::new(Reason::Transport, "no connection").with_source(inner);
        assert_eq!(chain(&error), "no connection: connection refused");
    }
}
