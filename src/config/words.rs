//! The words of the YAML reader and of serde turned into words for the person who writes the file: what is wrong, what
//! would be right, and nothing that may be a secret.

use crate::cloud::settings::Step;

/// More than one document in the file.
pub(super) const SECOND_DOCUMENT: &str =
    "a second document; the config is one, so remove this `---` and what is not needed";
/// Aliases that repeat too much.
pub(super) const TOO_LARGE: &str = "aliases (`*name`) make the document too large; write fewer of them";

/// A tag, which no setting needs.
pub(super) const TAG: &str = "YAML tags (`!name`) have no meaning here; write the value without one";
/// A merge key that has nothing to merge.
pub(super) const NOTHING_TO_MERGE: &str = "nothing to merge; expected an alias of a mapping, such as `<<: *name`";

/// What a message of serde says.
#[derive(Debug)]
pub(super) struct Told {
    /// In our words.
    pub(super) message: String,
    /// The mistake is the key.
    pub(super) is_key: bool,
    /// The mistake is that there is no value.
    pub(super) is_nothing: bool,
    /// The key that was probably meant.
    pub(super) meant: Option<String>,
}

/// Says in our words what the YAML reader says of text that is no YAML.
pub(super) fn of_yaml(message: &str) -> String {
    let known: [(&str, &str); 18] = [
        ("more than one document", SECOND_DOCUMENT),
        ("repetition limit exceeded", TOO_LARGE),
        (TOO_LARGE, TOO_LARGE),
        ("recursion limit exceeded", "nested too deeply; no setting is deeper than ten levels"),
        ("unknown anchor", "an alias (`*name`) of no anchor (`&name`); put a text that begins with `*` in quotes"),
        ("cannot start any token", "a text may not begin with this character; put the text in quotes"),
        (
            "mapping values are not allowed",
            "a `:` too many, a `:` missing just above, or wrong indentation; put a text with `: ` in it in quotes",
        ),
        ("not allowed in this context", "no list item and no key can be here; check the indentation here and above"),
        ("could not find expected ':'", "a key without `:`; expected `key: value`"),
        ("did not find expected key", "no key where one belongs; check the indentation here and the quotes above"),
        ("did not find expected '-'", "no list item where one belongs; check the indentation here and above"),
        ("did not find expected ',' or", "a bracket is not closed, or a comma is missing"),
        ("quoted scalar", "a quote is not closed, or an escape in it is unknown"),
        ("unexpected end of stream", "the file ends too early; a quote or a bracket is not closed"),
        ("a key that is a plain text", "a key that is no text; expected `key: value`"),
        ("directive", "a directive (`%` at the begin of a line) has no meaning here; remove it"),
        ("invalid value", TAG),
        ("tag", TAG),
    ];
    // Never the reader's own words: some of them repeat the value.
    let ours = known.iter().find(|(theirs, _)| message.contains(theirs)).map(|(_, ours)| *ours);
    format!("{}{}", ours.unwrap_or("no valid YAML here; expected `key: value` lines"), opening(message))
}

/// Where the quote or the bracket was opened, since what is wrong shows only much later.
fn opening(message: &str) -> String {
    let context = message.split_once(", while ").map_or("", |(_, context)| context);
    match context.rsplit_once(" at line ") {
        Some((what, place)) if what.contains("quoted") || what.contains("flow") => format!(" (opened at line {place})"),
        _ => String::new(),
    }
}

/// Says in our words what serde says of the value at a path.
pub(super) fn of_serde(message: &str, path: &[Step]) -> Told {
    let plain = |message: String| Told { message, is_key: false, is_nothing: false, meant: None };
    if message.starts_with("unknown field ") {
        return unknown_key(message, path);
    }
    if let Some((kind, found, expected)) = mismatch(message) {
        let is_nothing = kind == "type" && found.starts_with("unit");
        return Told { is_nothing, ..plain(of_mismatch(found, expected, is_private(path))) };
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let found = rest.split(", expected").next().unwrap_or_default();
        let expected = listed(rest.split_once(", expected").unwrap_or_default().1).join(", ");
        let found = if is_private(path) { "an unknown word" } else { found };
        return plain(format!("{found} is not known here; expected one of {expected}"));
    }
    plain(message.to_owned())
}

/// `invalid type: integer `5`, expected a string` in its parts.
fn mismatch(message: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = message.strip_prefix("invalid ")?.split_once(": ")?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some((kind, found, expected))
}

fn of_mismatch(found: &str, expected: &str, is_private: bool) -> String {
    let (expected, echo) = match expected {
        "a string" | "path string" => ("a text", true),
        "a boolean" => ("true or false", true),
        "f32" | "f64" => ("a number", true),
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => ("a whole number", true),
        "a Value::Tagged enum" => ("a word", true),
        "a sequence" => ("a list", false),
        "a map" => ("a mapping (`key: value` lines)", false),
        other if other.starts_with("struct ") => ("a mapping (`key: value` lines)", false),
        other => (other, false),
    };
    let found = found_words(found, echo && !is_private);
    let hint = match expected {
        "a text" if is_scalar(&found) => "; put it in quotes",
        "a list" if found != "nothing" => "; begin each item with `- `",
        _ => "",
    };
    format!("expected {expected}, found {found}{hint}")
}

fn is_scalar(found: &str) -> bool {
    !["a list", "a mapping", "nothing"].contains(&found)
}

/// The value is shown only where a plain setting is expected: a text in a wrong place may be a secret.
fn found_words(found: &str, echo: bool) -> String {
    let (kind, value) = match found.split_once(['`', '"']) {
        Some((kind, value)) => (kind.trim_end(), value.trim_end_matches(['`', '"'])),
        None => (found, ""),
    };
    let words = match kind {
        "integer" | "floating point" => "the number",
        "boolean" => "the word",
        "string" | "character" => "the text",
        "sequence" => return "a list".to_owned(),
        "map" => return "a mapping".to_owned(),
        "unit value" => return "nothing".to_owned(),
        other => return other.to_owned(),
    };
    match words {
        "the text" if echo => format!("{words} {value:?}"),
        _ if echo => format!("{words} {value}"),
        _ => words.replace("the ", "a "),
    }
}

fn unknown_key(message: &str, path: &[Step]) -> Told {
    let key = match path.last() {
        Some(Step::Key(key)) => key.as_str(),
        _ => "",
    };
    // The key's own text is no part of the list, whatever quotes it has.
    let rest = message.strip_prefix(&format!("unknown field `{key}`")).unwrap_or_default();
    let known = listed(rest);
    let meant = nearest(key, &known).map(str::to_owned);
    let hint = meant.as_ref().map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    let one_of = if known.len() > 1 { "one of " } else { "" };
    let message = format!("unknown key; {hint}expected {one_of}{}", known.join(", "));
    Told { message, is_key: true, is_nothing: false, meant }
}

/// The names in backticks.
fn listed(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The name that is few letters away, if one is.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let length = key.chars().count();
    let is_near = |distance: usize| distance < length && distance <= length.div_ceil(3).min(3);
    let distances = known.iter().map(|name| (distance(key, name), *name));
    let near = distances.filter(|(distance, name)| is_near(*distance) || has_same_letters(key, name));
    near.min().map(|(_, name)| name)
}

fn has_same_letters(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(one) == sorted(other)
}

/// Letters to add, drop or change to make one text of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, letter) in from.chars().enumerate() {
        let (mut diagonal, mut left) = (index, index + 1);
        let mut next = vec![left];
        for (other, above) in to.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(letter != other)).min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

const PRIVATE: &str = "credentials";

fn is_private(path: &[Step]) -> bool {
    path.iter().any(|step| matches!(step, Step::Key(key) if key == PRIVATE))
}

/// A path as it may be shown: a key among credentials that does not look like one may be a secret in the wrong place.
pub(super) fn shown(path: &[Step]) -> Vec<Step> {
    let mut is_private = false;
    path.iter()
        .map(|step| match step {
            Step::Key(key) if is_private && !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
                Step::Key("…".to_owned())
            }
            Step::Key(key) => {
                is_private |= key == PRIVATE;
                step.clone()
            }
            Step::Index(_) => step.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serde_words(message: &str) -> String {
        of_serde(message, &[Step::Key("x".to_owned())]).message
    }

    #[test]
    fn serde_is_translated() {
        for (theirs, ours) in [
            ("invalid type: integer `5`, expected a string", "expected a text, found the number 5; put it in quotes"),
            ("invalid type: string \"yes\", expected a boolean", "expected true or false, found the text \"yes\""),
            ("invalid value: integer `-1`, expected usize", "expected a whole number, found the number -1"),
            ("invalid type: sequence, expected a string", "expected a text, found a list"),
            ("invalid type: unit value, expected a sequence", "expected a list, found nothing"),
            (
                "invalid type: string \"AKID\", expected struct X",
                "expected a mapping (`key: value` lines), found a text",
            ),
            (
                "invalid type: floating point `1.2`, expected a Value::Tagged enum",
                "expected a word, found the number 1.2",
            ),
            ("unknown field `x`, expected `a` or `b`", "unknown key; expected one of a, b"),
            ("unknown variant `4.0`, expected `2.0` or `3.0`", "`4.0` is not known here; expected one of 2.0, 3.0"),
            ("a sentence of a type of ours", "a sentence of a type of ours"),
        ] {
            assert_eq!(serde_words(theirs), ours);
        }
    }

    #[test]
    fn a_near_key_is_named() {
        let known = ["interval", "timeout", "job", "tencent"];
        assert_eq!(nearest("intervall", &known), Some("interval"));
        assert_eq!(nearest("tencnet", &known), Some("tencent"));
        assert_eq!(nearest("jobs", &known), Some("job"));
        assert_eq!(nearest("jbo", &known), Some("job"));
        assert_eq!(nearest("region", &known), None);
        assert_eq!(nearest("", &known), None);
    }

    #[test]
    fn distances_are_symmetric() {
        for (from, to, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("é", "e", 1)] {
            assert_eq!(distance(from, to), expected);
            assert_eq!(distance(to, from), expected);
        }
    }

    #[test]
    fn a_secret_in_place_of_a_key_is_not_shown() {
        let path = |keys: &[&str]| keys.iter().map(|key| Step::Key((*key).to_owned())).collect::<Vec<_>>();
        assert_eq!(shown(&path(&["credentials", "secret_kye"])), path(&["credentials", "secret_kye"]));
        assert_eq!(shown(&path(&["credentials", "secret_key", "hunter2"])), path(&["credentials", "secret_key", "…"]));
    }
}
