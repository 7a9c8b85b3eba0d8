//! A cloud's own words that become label values: bounded where they come in, because they are kept for every task.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;

/// The longest label value, in characters: nobody reads a longer one, and everybody pays for it.
pub const MAX_LABEL: usize = 256;

/// A text of at most [`MAX_LABEL`] characters; a longer one is cut.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct LabelText(Box<str>);

impl From<&str> for LabelText {
    fn from(text: &str) -> Self {
        let end = text.char_indices().nth(MAX_LABEL).map_or(text.len(), |(end, _)| end);
        Self(text.get(..end).unwrap_or_default().into())
    }
}

impl From<String> for LabelText {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl Deref for LabelText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LabelText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_kept_up_to_the_bound(text in ".{0,300}") {
            let label = LabelText::from(text.as_str());
            prop_assert_eq!(label.to_string(), text.chars().take(MAX_LABEL).collect::<String>());
        }
    }

    #[test]
    fn megabytes_are_not_kept() {
        assert_eq!(LabelText::from("é".repeat(1 << 20)).len(), 2 * MAX_LABEL);
    }
}
