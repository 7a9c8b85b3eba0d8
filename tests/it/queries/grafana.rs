//! Grafana's macros and variables in a query: which there are, and a text without them that Prometheus can read.

use super::expression::VARIABLE;
use regex::{Captures, Regex};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

/// Macros of lengths of time, and lengths nobody writes: a window of such a length was one.
pub const WINDOWS: [(&str, &str, Duration); 3] = [
    ("__rate_interval", "4m1s", Duration::from_secs(241)),
    ("__interval", "1m1s", Duration::from_secs(61)),
    ("__range", "1h1s", Duration::from_secs(3601)),
];

static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))").unwrap());

/// The text with values in the place of macros and variables, and the names of the variables.
pub fn neutral(text: &str) -> (String, BTreeSet<String>) {
    let mut used = BTreeSet::new();
    let plain = NAME.replace_all(text, |found: &Captures<'_>| {
        let name = found.get(1).or(found.get(2)).map_or("", |name| name.as_str());
        // A group of a regular expression, as `label_replace` has it.
        if name.chars().all(|c| c.is_ascii_digit()) {
            return found[0].to_owned();
        }
        if let Some((_, value, _)) = WINDOWS.iter().find(|(macro_name, ..)| *macro_name == name) {
            return (*value).to_owned();
        }
        used.insert(name.to_owned());
        let before = found.get(0).map_or("", |whole| &text[..whole.start()]);
        let quotes = before.matches('"').count() - before.matches("\\\"").count();
        // Outside of a text it can only be a number.
        if quotes % 2 == 1 { VARIABLE.to_owned() } else { "1".to_owned() }
    });
    (plain.into_owned(), used)
}

#[test]
fn macros_and_variables_are_replaced() {
    let (text, used) =
        neutral("rate(x{a=~\"$group\",b=\"\\\"${task_id:raw}\"}[$__rate_interval]) label \"$1\" $__range_s");
    assert_eq!(text, format!("rate(x{{a=~\"{VARIABLE}\",b=\"\\\"{VARIABLE}\"}}[4m1s]) label \"$1\" 1"));
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["__range_s", "group", "task_id"]);
}
