//! Single values of a config that cannot be wrong once they exist. Each is made from what the file says by `TryFrom`, whose
//! error says what is wrong and what would be right.

use regex::Regex;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest free text that becomes a label value.
const MAX_TEXT: usize = 128;
/// Nobody means an interval longer than a year.
const MAX_INTERVAL: Duration = Duration::from_hours(366 * 24);

/// A length of time such as `30s`, `1m 30s` or `7d`; zero where the field says it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", description = "A length of time such as 30s, 10m or 7d.")]
pub struct Interval(pub Duration);

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let duration =
            humantime::parse_duration(&text).map_err(|_| format!("{text:?} does not do; {INTERVAL_EXAMPLE}"))?;
        if duration > MAX_INTERVAL {
            return Err(format!("{text:?} is longer than a year; {INTERVAL_EXAMPLE}"));
        }
        Ok(Self(duration))
    }
}

const INTERVAL_EXAMPLE: &str = "expected a length of time with its unit, such as 30s, 10m, 1h or 7d";

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntervalVisitor)
    }
}

/// A number has its own error: whoever writes `30` would not learn from "expected a text" that a unit is missing.
struct IntervalVisitor;

impl Visitor<'_> for IntervalVisitor {
    type Value = Interval;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a length of time such as 30s")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Interval, E> {
        Interval::try_from(text.to_owned()).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Interval, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Interval, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Interval, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! text_value {
    ($(#[$attribute:meta])* $name:ident, $check:expr) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(pub Arc<str>);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text)?;
                Ok(Self(text.into()))
            }
        }
    };
}

text_value!(
    /// The user's name for an account.
    AccountName,
    |text| short_text(text, "an account name such as prod")
);
text_value!(
    /// The user's name for a group of targets.
    GroupName,
    |text| short_text(text, "a group name such as nightly-etl")
);
text_value!(
    /// A cloud's region, such as `ap-guangzhou`. New regions appear, so only the shape is checked: it becomes part of a
    /// host name.
    RegionName,
    |text| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !text.is_empty() && text.len() <= 64 && text.bytes().all(plain) {
            Ok(())
        } else {
            Err(format!("{text:?} is no region name; expected one such as ap-guangzhou, cn-hangzhou or cn-north-4"))
        }
    }
);
text_value!(
    /// The name of a label the user adds to `cloud_task_info`.
    LabelName,
    |text| {
        let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let rest = |byte: u8| first(byte) || byte.is_ascii_digit();
        if !text.bytes().next().is_some_and(first) || !text.bytes().all(rest) {
            return Err(format!("{text:?} is no label name; expected letters, digits and underscores, such as team"));
        }
        if text.starts_with("__") || RESERVED.contains(&text) {
            return Err(format!("the label name {text:?} is taken; choose another, such as my_{}", text.trim_start_matches('_')));
        }
        Ok(())
    }
);
text_value!(
    /// The value of a label the user adds to `cloud_task_info`; may be empty.
    LabelValue,
    |text| {
        if text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control) {
            Ok(())
        } else {
            Err(format!("a label value is at most {MAX_TEXT} characters on one line"))
        }
    }
);

/// Label names that have a meaning of their own, here or in Prometheus.
const RESERVED: [&str; 17] = [
    "provider",
    "account",
    "cloud_region",
    "group",
    "task_id",
    "job_id",
    "task_name",
    "task_type",
    "cluster_id",
    "job",
    "instance",
    "region",
    "type",
    "cluster",
    "le",
    "quantile",
    "phase",
];

fn short_text(text: &str, example: &str) -> Result<(), String> {
    let fits = !text.trim().is_empty() && text.trim() == text && text.chars().count() <= MAX_TEXT;
    if fits && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(format!("{text:?} does not do; expected {example}, at most {MAX_TEXT} characters"))
    }
}

/// Requests per second, more than zero.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", description = "Requests per second for each API action, such as 2 or 0.5.")]
pub struct RateLimit(pub f64);

impl TryFrom<f64> for RateLimit {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if rate.is_finite() && (0.001..=100_000.0).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(format!("{rate} does not do; expected requests per second from 0.001 to 100000, such as 2"))
        }
    }
}

/// A regular expression.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", description = "A regular expression (RE2 syntax), such as ^etl-")]
pub struct Pattern(pub Regex);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let compiled = regex::RegexBuilder::new(&text).size_limit(1 << 20).build();
        compiled.map(Self).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("{text:?} is no regular expression: {reason}; expected one such as ^etl-")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_read_like_prometheus_ones() {
        let read = |text: &str| Interval::try_from(text.to_owned()).map(|interval| interval.0.as_secs());
        assert_eq!(read("30s"), Ok(30));
        assert_eq!(read("1h30m"), Ok(5400));
        assert_eq!(read("7d"), Ok(604_800));
        assert_eq!(read("0s"), Ok(0));
        for wrong in ["", "30", "soon", "-1s", "1000y"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn label_names_leave_prometheus_its_own() {
        let read = |text: &str| LabelName::try_from(text.to_owned()).is_ok();
        assert!(read("team") && read("_x1"));
        assert!(!read("job") && !read("__name") && !read("1a") && !read("a-b") && !read("") && !read("task_id"));
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong_with_it() {
        let message = Pattern::try_from("(".to_owned()).unwrap_err();
        assert!(message.contains("unclosed group"), "{message}");
    }
}
