//! How samples, labels and headers are written as text. Samples are the same bytes in text 0.0.4 and OpenMetrics 1.0; only
//! headers differ.

use super::Format;
use super::catalogue::{Family, Unit};
use super::sample::{Labels, Samples, Value, shown};
use crate::model::Histogram;
use std::fmt::{self, Display, Write as _};

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

fn push_escaped(text: &mut String, value: &str) {
    for character in shown(value) {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            character => text.push(character),
        }
    }
}

/// Appends the lines before a family's samples.
pub(super) fn push_header(text: &mut String, format: Format, family: &Family) {
    let Family { name, kind, help, .. } = family;
    let name = match format {
        Format::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        Format::Text | Format::Protobuf => name,
    };
    push(text, format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
    let unit = match family.unit() {
        Unit::Seconds | Unit::Timestamp => "seconds",
        Unit::Bytes => "bytes",
        Unit::RequestsPerSecond | Unit::None => return,
    };
    if format == Format::OpenMetrics {
        push(text, format_args!("# UNIT {name} {unit}\n"));
    }
}

/// A sample of a histogram: the suffix of its name, the bound of its bucket if it is one, its value.
pub(super) type Part = (&'static str, Option<Bound>, Value);

/// The samples of a histogram, classic as text is.
pub(super) fn parts(histogram: &Histogram) -> impl Iterator<Item = Part> + '_ {
    let buckets = histogram.cumulative().map(|(bound, count)| ("_bucket", Some(Bound(bound)), Value::Whole(count)));
    let sum = ("_sum", None, Value::Real(histogram.sum()));
    buckets.chain([sum, ("_count", None, Value::Whole(histogram.count()))])
}

/// An upper bound as label value: OpenMetrics wants the point, and the text format takes it.
#[derive(Clone, Copy)]
pub(super) struct Bound(f64);

impl Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() { write!(formatter, "{:?}", self.0) } else { formatter.write_str("+Inf") }
    }
}

/// Appends whole lines for a family of that name.
pub(super) struct Lines<'a> {
    pub(super) name: &'static str,
    pub(super) text: &'a mut String,
}

impl Lines<'_> {
    fn push(&mut self, labels: &Labels<'_>, (suffix, bound, value): Part) {
        let (text, name) = (&mut *self.text, self.name);
        push(text, format_args!("{name}{suffix}{{"));
        for (name, value) in labels {
            push_label(text, name, value);
        }
        if let Some(bound) = bound {
            push(text, format_args!(",le=\"{bound}\""));
        }
        if text.ends_with('{') {
            text.pop();
        } else {
            text.push('}');
        }
        push(text, format_args!(" {value}\n"));
    }
}

impl Samples for Lines<'_> {
    fn sample(&mut self, labels: &Labels<'_>, value: Value) {
        self.push(labels, ("", None, value));
    }

    fn histogram(&mut self, labels: &Labels<'_>, histogram: &Histogram) {
        parts(histogram).for_each(|part| self.push(labels, part));
    }
}

/// Appends formatted text: writing to a `String` does not fail.
pub(super) fn push(text: &mut String, arguments: fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        tracing::error!("a value could not be formatted");
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Kind;
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
    fn lines_have_their_labels_in_braces_or_none() {
        let mut histogram = Histogram::new(&[0.5, 60.0]);
        histogram.observe(2.0);
        let mut text = String::new();
        let mut lines = Lines { name: "a", text: &mut text };
        lines.sample(&[], Value::Whole(1));
        lines.sample(&[("b", "{")], Value::Real(0.5));
        lines.histogram(&[("b", "c")], &histogram);
        assert_eq!(
            text,
            "a 1\na{b=\"{\"} 0.5\na_bucket{b=\"c\",le=\"0.5\"} 0\na_bucket{b=\"c\",le=\"60.0\"} 1\n\
             a_bucket{b=\"c\",le=\"+Inf\"} 1\na_sum{b=\"c\"} 2\na_count{b=\"c\"} 1\n"
        );
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
