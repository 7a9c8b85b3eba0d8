//! Names and numbers of credential sources that cannot be wrong once they exist.

use crate::cloud::settings::Interval;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// What the vendor takes at the most; <https://www.tencentcloud.com/document/product/1150/49456>.
const LONGEST: Duration = Duration::from_hours(12);
/// A shorter life would be spent on renewals.
const SHORTEST: Duration = Duration::from_mins(1);

macro_rules! name {
    ($(#[$attribute:meta])* $name:ident, $fits:expr, $expected:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub(super) struct $name(pub(super) String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let fits: fn(&str) -> bool = $fits;
                if fits(&text) { Ok(Self(text)) } else { Err(format!("{text:?} {}", $expected)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A role, by the name that holds in every account.
    RoleArn,
    |text| text.starts_with("qcs::cam::uin/") && text.contains(":role") && text.chars().all(|c| !c.is_whitespace()),
    "is no role; expected its description, such as qcs::cam::uin/100000000001:roleName/exporter"
);
name!(
    /// A name for what is done under a role, which the vendor's audit log shows.
    SessionName,
    |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        (2..=128).contains(&text.len()) && text.chars().all(fits)
    },
    "is no name of a session; expected 2 to 128 letters, digits and _+=,.@-, such as cloud-task-exporter"
);
name!(
    /// A role or a profile within what it belongs to; it becomes part of a path.
    PlainName,
    |text| !text.is_empty() && !text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()),
    "is no name; expected one without blanks and slashes"
);

impl Default for SessionName {
    fn default() -> Self {
        Self("cloud-task-exporter".to_owned())
    }
}

/// How long keys of a role are good for, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyLife(pub(super) u64);

impl Default for KeyLife {
    /// The vendor's.
    fn default() -> Self {
        Self(7200)
    }
}

impl TryFrom<Interval> for KeyLife {
    type Error = String;

    fn try_from(Interval(duration): Interval) -> Result<Self, String> {
        if (SHORTEST..=LONGEST).contains(&duration) {
            Ok(Self(duration.as_secs()))
        } else {
            Err("keys of a role last from 1m to 12h; expected a length of time such as 2h".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let arn = |text: &str| RoleArn::try_from(text.to_owned());
        assert!(arn("qcs::cam::uin/1:roleName/a").is_ok() && arn("qcs::cam::uin/1:role/4611686018427397919").is_ok());
        for wrong in ["", "exporter", "acs:ram::1:role/a", "qcs::cam::uin/1:roleName/a b"] {
            assert!(arn(wrong).unwrap_err().contains("qcs::cam::uin/100000000001:roleName/exporter"), "{wrong}");
        }
        for wrong in ["", "a", "a b", "ü-ü", &"a".repeat(129)] {
            assert!(SessionName::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert_eq!(SessionName::try_from(SessionName::default().0), Ok(SessionName::default()));
        assert!(PlainName::try_from("../a".to_owned()).is_err() && PlainName::try_from("a.b".to_owned()).is_ok());
    }

    #[test]
    fn a_life_is_within_the_vendors_bounds() {
        let life = |seconds| KeyLife::try_from(Interval(Duration::from_secs(seconds)));
        assert_eq!((life(60), life(43_200)), (Ok(KeyLife(60)), Ok(KeyLife(43_200))));
        assert!(life(59).is_err() && life(43_201).is_err());
    }
}
