//! CCE's times as text, read into instants.
//!
//! Jobs carry Go's default form, `2018-08-02 08:12:40.672772389 +0000 UTC`, whose fraction loses its trailing zeros;
//! other CCE objects carry RFC 3339. A text that is neither is no reason to refuse a whole answer: it counts as no
//! time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The instant a text tells; none if it is empty, Go's zero time, or not understood.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let mut words = text.split_whitespace();
    let date = words.next()?;
    let instant: Timestamp = match (words.next(), words.next()) {
        (None, _) => date.parse().ok()?,
        // What follows the offset is an abbreviation of the zone and Go's monotonic reading, which say nothing more.
        (Some(time), Some(offset)) => format!("{date}T{time}{offset}").parse().ok()?,
        (Some(_), None) => return None,
    };
    (instant.to_zoned(TimeZone::UTC).year() > 1).then_some(instant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::Offset;
    use proptest::prelude::*;

    #[test]
    fn every_form_seen_in_the_vendors_documents() {
        let cases = [
            ("2018-08-02 08:12:40.672772389 +0000 UTC", "2018-08-02T08:12:40.672772389Z"),
            ("2018-08-02 08:12:40.67277238 +0000 UTC", "2018-08-02T08:12:40.67277238Z"),
            ("2025-09-02 10:23:38.987955 +0000 UTC", "2025-09-02T10:23:38.987955Z"),
            ("2025-09-02 10:23:38 +0000 UTC", "2025-09-02T10:23:38Z"),
            ("2025-09-02 18:23:38.5 +0800 CST", "2025-09-02T10:23:38.5Z"),
            ("2025-09-02 10:23:38.5 +0000 UTC m=+0.000012", "2025-09-02T10:23:38.5Z"),
            ("2021-05-27T08:15:30Z", "2021-05-27T08:15:30Z"),
            (" 2021-05-27T08:15:30Z", "2021-05-27T08:15:30Z"),
            ("2021-05-27T16:15:30.123456+08:00", "2021-05-27T08:15:30.123456Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Some(expected.parse().unwrap()), "{text:?}");
        }
    }

    #[test]
    fn what_tells_no_time_is_none() {
        for text in [
            "",
            "   ",
            "0001-01-01 00:00:00 +0000 UTC",
            "0001-01-01T00:00:00Z",
            "soon",
            "2018-08-02",
            "2018-08-02 08:12:40",
            "2018-08-02 08:12:40 UTC",
            "2018-13-02 08:12:40 +0000 UTC",
            "1722586360",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    fn instants() -> impl Strategy<Value = Timestamp> {
        // Round fractions are what the trailing zeros are about.
        let fraction =
            (0i32..1_000_000_000, 0u32..10).prop_map(|(nanos, digits)| nanos - nanos % 10i32.pow(9 - digits));
        (0i64..4_000_000_000, fraction).prop_map(|(second, nanos)| Timestamp::new(second, nanos).unwrap())
    }

    proptest! {
        #[test]
        fn go_time_survives(instant in instants(), hours in -12i8..=14, monotonic in any::<bool>()) {
            let zoned = instant.to_zoned(Offset::constant(hours).to_time_zone());
            let mut text = zoned.strftime("%Y-%m-%d %H:%M:%S%.f %z XST").to_string();
            if monotonic {
                text.push_str(" m=+1.5");
            }
            prop_assert_eq!(parse(&text), Some(instant), "{}", text);
        }

        #[test]
        fn rfc_3339_survives(instant in instants()) {
            prop_assert_eq!(parse(&instant.to_string()), Some(instant));
        }

        #[test]
        fn no_text_is_a_reason_to_stop(text in ".{0,60}") {
            parse(&text);
        }
    }
}
