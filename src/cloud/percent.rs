//! Percent-encoding as every cloud's signature wants it: only the characters that RFC 3986 calls unreserved stay.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one part of a path or a query.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Parameters in the order given, as a query or a form says them.
pub fn pairs<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> =
        parameters.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encoding_is_undone_by_decoding_and_leaves_nothing_reserved(text in any::<String>()) {
            let encoded = encode(&text);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
            prop_assert!(encoded.bytes().all(plain), "{encoded}");
            let decoded = percent_decode_str(&encoded).decode_utf8().unwrap();
            prop_assert_eq!(decoded, text);
        }
    }

    #[test]
    fn what_a_signature_is_made_of_survives() {
        assert_eq!(pairs([("Signature", "a+b/c= ü&"), ("e", "")]), "Signature=a%2Bb%2Fc%3D%20%C3%BC%26&e=");
        assert_eq!(pairs([]), "");
    }
}
