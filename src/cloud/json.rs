//! How a cloud's JSON is read: into a document, or into an error that says where it does not fit.
//!
//! The error never says what stands there. The parser's own words are left out for that: they quote what they read, and
//! nobody knows what something that answers in a cloud's place repeats.

use super::Error;
use crate::model::Reason;
use serde::Deserialize;
use serde_json::error::Category;

/// Reads a whole document. `place`: what `text` is called within the answer; empty for the answer itself.
///
/// # Errors
/// [`Reason::Decode`], with the way to the field that does not fit.
pub(super) fn read<'a, Document: Deserialize<'a>>(text: &'a [u8], place: &str) -> Result<Document, Error> {
    // Keeping track of the way costs as much as reading; nearly every answer fits.
    serde_json::from_slice(text).or_else(|_| read_keeping_track(text, place))
}

fn read_keeping_track<'a, Document: Deserialize<'a>>(text: &'a [u8], place: &str) -> Result<Document, Error> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut json);
    let document = read.map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { path.as_str() };
        let dot = if place.is_empty() || path.is_empty() || path.starts_with('[') { "" } else { "." };
        unreadable(text, &format!("{place}{dot}{path}"), error.inner())
    })?;
    json.end().map_err(|error| unreadable(text, place, &error))?;
    Ok(document)
}

fn unreadable(text: &[u8], path: &str, error: &serde_json::Error) -> Error {
    // The way may be long, and a long message is cut, so it comes last.
    let place = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    let (line, column) = (error.line(), error.column());
    let what = flaw(text, error);
    Error::new(Reason::Decode, format!("the answer cannot be read: {what}{place} (line {line}, column {column})"))
}

fn flaw(text: &[u8], error: &serde_json::Error) -> String {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let what = match (error.classify(), first) {
        (_, None) => "it is empty",
        (_, Some(b'<')) => "it is markup, not JSON: something else answers in the cloud's place",
        (Category::Eof, _) => "it is cut off",
        (Category::Data, _) => return missing_field(error).unwrap_or_else(|| "it is not as documented".to_owned()),
        (Category::Syntax | Category::Io, _) if is_too_deep(error) => "it is nested too deep",
        (Category::Syntax | Category::Io, _) => "it is not JSON",
    };
    what.to_owned()
}

/// The one of the parser's sentences that names our field and quotes nothing.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let (name, _) = text.strip_prefix("missing field `")?.split_once('`')?;
    Some(format!("the field `{name}` is missing"))
}

fn is_too_deep(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit exceeded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        rows: Vec<Row>,
    }

    #[derive(Debug, Deserialize)]
    struct Row {
        state: String,
        #[serde(default)]
        below: Option<Box<Outer>>,
    }

    fn failure(text: &str, place: &str) -> String {
        let error = read::<Outer>(text.as_bytes(), place).unwrap_err();
        assert_eq!(error.reason(), Reason::Decode);
        crate::cloud::chain(&error)
    }

    #[test]
    fn what_cannot_be_read_says_where_and_not_what() {
        let read: Outer = read(br#"{"rows": [{"state": "a", "new": {}}]}"#, "").unwrap();
        assert!(read.rows[0].below.is_none() && read.rows[0].state == "a");
        for (text, expected) in [
            ("", "the answer cannot be read: it is empty (line 1, column 0)"),
            (" \n", "it is empty"),
            ("<html>hunter2</html>", "it is markup"),
            (r#"{"rows": [{"state": "hunter2"#, "it is cut off"),
            ("hunter2", "it is not JSON"),
            (r#"{"rows": []} hunter2"#, "it is not JSON"),
            (r#"{"rows": "hunter2"}"#, "it is not as documented at `rows` (line 1, column 18)"),
            (r#"{"rows": [{"state": "a"}, {"state": ["hunter2"]}]}"#, "at `rows[1].state` (line 1, column 36)"),
            (r#"{"rows": [{"hunter2": 1}]}"#, "the field `state` is missing at `rows[0]` (line 1, column 24)"),
        ] {
            let error = failure(text, "");
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_part_of_an_answer_is_called_by_its_name() {
        assert!(failure(r#"{"rows": 7}"#, "Response").contains(" at `Response.rows` ("));
        assert!(failure("7", "Response").contains(" at `Response` ("));
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let text = r#"{"rows":[{"state":"a","below":"#.repeat(10_000);
        assert!(failure(&text, "").contains("it is nested too deep"));
    }

    proptest! {
        #[test]
        fn no_value_is_ever_quoted(secret in "[A-Za-z0-9+/=]{8,40}", form in 0usize..4) {
            let text = [
                format!(r#"{{"rows": "{secret}"}}"#),
                format!(r#"{{"rows": [{{"state": {{"{secret}": "{secret}"}}}}]}}"#),
                format!(r#"{{"rows": ["{secret}"]}}"#),
                format!(r#"{{"rows": [{{"state": "{secret}"#),
            ];
            let error = read::<Outer>(text[form].as_bytes(), "").unwrap_err();
            prop_assert!(!format!("{error} {error:?}").contains(&secret), "{error}");
        }
    }
}
