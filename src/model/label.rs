//! A cloud's own words that become label values: bounded where they come in, because they are kept for every task.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;

/// The longest label value, in characters: nobody reads a longer one, and everybody pays for it.
pub const MAX_LABEL: usize = 256;

/// A text of at most [`MAX_LABEL`] characters, none of them a control character: a longer one is cut, and a line break or the
/// like becomes a space.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct LabelText(Box<str>);

impl From<&str> for LabelText {
    fn from(text: &str) -> Self {
        let shown = |character: char| if character.is_control() { ' ' } else { character };
        Self(text.chars().take(MAX_LABEL).map(shown).collect())
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
        fn a_text_is_kept_up_to_the_bound(text in "[^\\p{Cc}]{0,300}") {
            let label = LabelText::from(text.as_str());
            prop_assert_eq!(label.to_string(), text.chars().take(MAX_LABEL).collect::<String>());
        }

        #[test]
        fn any_text_becomes_a_short_line_and_stays_it(text in any::<String>()) {
            let label = LabelText::from(text.as_str());
            prop_assert!(label.chars().count() <= MAX_LABEL && !label.contains(char::is_control));
            prop_assert_eq!(LabelText::from(&*label), label);
        }
    }

    #[test]
    fn megabytes_are_not_kept() {
        assert_eq!(LabelText::from("é".repeat(1 << 20)).len(), 2 * MAX_LABEL);
    }
}
