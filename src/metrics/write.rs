//! How samples, labels and headers are written. Samples are the same bytes in text 0.0.4 and OpenMetrics 1.0; only headers
//! differ.

use super::Format;
use super::catalogue::{Family, Kind};
use crate::model::{BUCKETS, Histogram, MAX_LABEL};
use std::fmt::{Display, Write as _};

/// Upper bounds as label values: OpenMetrics wants the point, and the text format takes it.
const BOUNDS: [&str; BUCKETS.len() + 1] =
    ["1.0", "5.0", "15.0", "60.0", "300.0", "900.0", "3600.0", "14400.0", "86400.0", "+Inf"];

/// Appends `name="value"`, after a comma where something stands before it.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() && !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(name);
    text.push_str("=\"");
    push_escaped(text, value);
    text.push('"');
}

/// A label value: cut, escaped, without control characters.
fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars().take(MAX_LABEL) {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            character if character.is_control() => text.push(' '),
            character => text.push(character),
        }
    }
}

/// Appends the lines before a family's samples.
pub(super) fn push_header(text: &mut String, format: Format, family: &Family) {
    header(text, format, family.name, family.kind, family.help);
}

fn header(text: &mut String, format: Format, name: &str, kind: Kind, help: &str) {
    let name = match format {
        Format::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        Format::Text => name,
    };
    push(text, format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
    let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit));
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        push(text, format_args!("# UNIT {name} {unit}\n"));
    }
}

/// Appends the samples of a histogram: `labels` without braces, maybe empty.
pub(super) fn push_histogram(text: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    for (suffix, rest) in histogram_samples(histogram) {
        push(text, format_args!("{name}{suffix}{{{labels}{rest}"));
    }
}

/// Suffix of the name, and what follows the labels, of each sample of a histogram.
pub(super) fn histogram_samples(histogram: &Histogram) -> impl Iterator<Item = (&'static str, String)> + '_ {
    let buckets = BOUNDS
        .into_iter()
        .zip(histogram.cumulative())
        .map(|(bound, (_, count))| ("_bucket", format!(",le=\"{bound}\"}} {count}\n")));
    buckets.chain([("_sum", format!("}} {}\n", histogram.sum())), ("_count", format!("}} {}\n", histogram.count()))])
}

/// Appends one sample: `labels` without braces, maybe empty.
pub(super) fn push_sample(text: &mut String, name: &str, labels: &str, value: impl Display) {
    if labels.is_empty() {
        push(text, format_args!("{name} {value}\n"));
    } else {
        push(text, format_args!("{name}{{{labels}}} {value}\n"));
    }
}

/// Appends formatted text: writing to a `String` does not fail.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        tracing::error!("a value could not be formatted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a parser makes of an escaped label value.
    fn unescape(text: &str) -> String {
        let mut characters = text.chars();
        let mut value = String::new();
        while let Some(character) = characters.next() {
            match character {
                '\\' => match characters.next().unwrap() {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        }
        value
    }

    proptest! {
        #[test]
        fn an_escaped_value_reads_as_it_was(value in "[^\\p{Cc}]{0,200}", breaks in 0usize..3) {
            let value = value + &"\n".repeat(breaks);
            let mut text = String::new();
            push_label(&mut text, "a", &value);
            let inner = text.strip_prefix("a=\"").unwrap().strip_suffix('"').unwrap();
            prop_assert_eq!(unescape(inner), value);
            prop_assert!(!inner.contains('\n'));
        }

        #[test]
        fn any_text_stays_one_quoted_value(value in any::<String>()) {
            let mut text = String::new();
            push_label(&mut text, "a", &value);
            prop_assert!(!text.contains('\n'));
            let inner = text.strip_prefix("a=\"").unwrap().strip_suffix('"').unwrap();
            let mut escaped = false;
            for character in inner.chars() {
                prop_assert!(escaped || character != '"');
                escaped = character == '\\' && !escaped;
            }
            prop_assert!(!escaped);
        }
    }

    #[test]
    fn bounds_are_the_buckets() {
        for (text, bound) in BOUNDS.iter().zip(BUCKETS) {
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), bound.to_bits());
        }
    }

    #[test]
    fn a_counter_loses_its_suffix_in_openmetrics_headers_only() {
        let family = Family { name: "waited_seconds_total", kind: Kind::Counter, help: "Waits.", labels: &[] };
        let mut text = String::new();
        push_header(&mut text, Format::Text, &family);
        push_header(&mut text, Format::OpenMetrics, &family);
        assert_eq!(
            text,
            "# HELP waited_seconds_total Waits.\n# TYPE waited_seconds_total counter\n\
             # HELP waited_seconds Waits.\n# TYPE waited_seconds counter\n# UNIT waited_seconds seconds\n"
        );
    }
}
