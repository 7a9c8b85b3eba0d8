//! The exposition formats and the choice between them by a request's `Accept` header.
//!
//! Pure: it reads a header's text, never a request, and writes nothing.

/// The exposition formats a scrape can be answered in. What is told is the same in all; the lines
/// of a sample are in both texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text format 0.0.4: what everybody gets who does not ask for anything else.
    Text,
    /// OpenMetrics text format 1.0: ends with `# EOF`.
    OpenMetrics,
    /// Messages `io.prometheus.client.MetricFamily`, each after its length: what Prometheus asks for to get native
    /// histograms.
    Protobuf,
}

/// The parameters without which a request for protobuf is one for something else: text, or a message of others.
const PROTO: &str = "io.prometheus.client.MetricFamily";
const ENCODING: &str = "delimited";

impl Format {
    /// Every format, the default first.
    pub const ALL: [Self; 3] = [Self::Text, Self::OpenMetrics, Self::Protobuf];

    /// The value of the header `Content-Type`. It has no `escaping` parameter: no name of ours needs any.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// The format to answer in, by the value of the header `Accept`.
///
/// The higher quality wins, then the range that names a format more closely, then the one that comes first; a request
/// that fits no format gets text rather than a refusal, as Prometheus's own libraries do. Like theirs, OpenMetrics asked
/// for as 0.0.1 or without a version is answered as 1.0.0, and protobuf is only for those who name it.
pub fn negotiate(accept: Option<&str>) -> Format {
    let ranges: Vec<Range<'_>> = accept.unwrap_or_default().split(',').filter_map(Range::parse).collect();
    // Of formats that are wanted alike, which is none of them, the last is taken.
    let wanted = Format::ALL.into_iter().rev().max_by_key(|format| preference(*format, &ranges));
    wanted.unwrap_or(Format::Text)
}

/// How much a format is wanted; compares by quality, then closeness, then place in the header. None: not at all.
fn preference(format: Format, ranges: &[Range<'_>]) -> Option<(u16, Closeness, std::cmp::Reverse<usize>)> {
    let named = ranges.iter().enumerate().filter_map(|(place, range)| {
        let closeness = range.names(format)?;
        Some((closeness, range.quality, std::cmp::Reverse(place)))
    });
    // The closest range decides over the wider ones, even with a lower quality: `text/plain;q=0, */*` is no text.
    let (closeness, quality, place) = named.max()?;
    (quality > 0).then_some((quality, closeness, place))
}

/// How closely a media range names a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Anything,
    Type,
    Subtype,
}

/// One element of an `Accept` header.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    version: Option<&'a str>,
    proto: Option<&'a str>,
    encoding: Option<&'a str>,
    /// In thousandths, as the header allows three decimals.
    quality: u16,
}

impl<'a> Range<'a> {
    /// Nothing for an element that cannot be read; it then counts as not sent.
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = element.split(';');
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut range =
            Self { main: main.trim(), sub: sub.trim(), version: None, proto: None, encoding: None, quality: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "q" | "Q" => range.quality = thousandths(value)?,
                name if name.eq_ignore_ascii_case("version") => range.version = Some(value),
                name if name.eq_ignore_ascii_case("proto") => range.proto = Some(value),
                name if name.eq_ignore_ascii_case("encoding") => range.encoding = Some(value),
                _ => {}
            }
        }
        Some(range)
    }

    fn names(&self, format: Format) -> Option<Closeness> {
        let (main, sub, versions): (_, _, &[&str]) = match format {
            Format::Text => ("text", "plain", &["0.0.4"]),
            Format::OpenMetrics => ("application", "openmetrics-text", &["1.0.0", "0.0.1"]),
            Format::Protobuf => return self.is_protobuf().then_some(Closeness::Subtype),
        };
        if self.version.is_some_and(|version| !versions.contains(&version)) {
            return None;
        }
        match (self.main, self.sub) {
            ("*", "*") => Some(Closeness::Anything),
            (given, "*") if given.eq_ignore_ascii_case(main) => Some(Closeness::Type),
            (given, name) if given.eq_ignore_ascii_case(main) && name.eq_ignore_ascii_case(sub) => {
                Some(Closeness::Subtype)
            }
            _ => None,
        }
    }

    fn is_protobuf(&self) -> bool {
        let is = |given: Option<&str>, wanted: &str| given.is_some_and(|given| given.eq_ignore_ascii_case(wanted));
        is(Some(self.main), "application")
            && is(Some(self.sub), "vnd.google.protobuf")
            && is(self.proto, PROTO)
            && is(self.encoding, ENCODING)
    }
}

/// A quality: `0`, `1`, or one of them with up to three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u16 = digits.then(|| format!("{decimals:0<3}"))?.parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Prometheus 2.42 and 2.43 to 2.48: OpenMetrics by default.
    const PROMETHEUS_2_42: &str = "application/openmetrics-text;version=1.0.0,\
        application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const PROMETHEUS_2_53: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    /// With native histograms switched on.
    const PROMETHEUS_2_53_PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,\
        application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    const PROMETHEUS_2_42_PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,\
        application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const PROMETHEUS_3_PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
        application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const PROMETHEUS_3_UNDERSCORES: &str = "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=underscores;q=0.4,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    /// `scrape_protocols: [PrometheusText0.0.4]`.
    const PROMETHEUS_3_TEXT_ONLY: &str = "text/plain;version=0.0.4;q=0.6,*/*;q=0.5";
    const CHROMIUM: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

    #[test]
    fn accept_headers_and_the_format_they_get() {
        let rows = [
            (PROMETHEUS_2_42, Format::OpenMetrics),
            (PROMETHEUS_2_53, Format::OpenMetrics),
            (PROMETHEUS_2_42_PROTOBUF, Format::Protobuf),
            (PROMETHEUS_2_53_PROTOBUF, Format::Protobuf),
            (PROMETHEUS_3_PROTOBUF, Format::Protobuf),
            (PROMETHEUS_3, Format::OpenMetrics),
            (PROMETHEUS_3_UNDERSCORES, Format::OpenMetrics),
            (PROMETHEUS_3_TEXT_ONLY, Format::Text),
            (CHROMIUM, Format::Text),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/*", Format::Text),
            ("application/json", Format::Text),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
                Format::Protobuf,
            ),
            (
                "Application/VND.Google.Protobuf; PROTO=\"io.prometheus.client.MetricFamily\"; Encoding=Delimited",
                Format::Protobuf,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0,*/*",
                Format::Text,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.2,\
                 text/plain;q=0.3",
                Format::Text,
            ),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", Format::Text),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text,\
                 application/openmetrics-text;q=0.5",
                Format::OpenMetrics,
            ),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", Format::Text),
            ("application/vnd.google.protobuf;proto=some.other.Message;encoding=delimited", Format::Text),
            ("application/vnd.google.protobuf", Format::Text),
            ("text/plain", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", Format::OpenMetrics),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", Format::Text),
            ("Application/OpenMetrics-Text; Version=1.0.0", Format::OpenMetrics),
            ("application/*", Format::OpenMetrics),
            ("application/openmetrics-text,*/*", Format::OpenMetrics),
            ("application/openmetrics-text,text/plain", Format::OpenMetrics),
            ("text/plain,application/openmetrics-text", Format::Text),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.499", Format::Text),
            ("text/plain;q=0.499,application/openmetrics-text;q=0.5", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=0.0,*/*", Format::Text),
            ("text/plain;q=0,*/*", Format::OpenMetrics),
            ("application/openmetrics-text;q=2", Format::Text),
            ("application/openmetrics-text;q=0.5,*/*;q=0.8", Format::Text),
        ];
        for (accept, format) in rows {
            assert_eq!(negotiate(Some(accept)), format, "{accept}");
        }
        assert_eq!(negotiate(None), Format::Text);
    }

    proptest! {
        #[test]
        fn any_text_gets_a_format(accept in "\\PC*") {
            prop_assert!(Format::ALL.contains(&negotiate(Some(&accept))));
        }

        #[test]
        fn the_higher_quality_wins(text in 1u16..1000, open_metrics in 1u16..1000) {
            prop_assume!(text != open_metrics);
            let accept = format!("text/plain;q=0.{text:03},application/openmetrics-text;q=0.{open_metrics:03}");
            let expected = if text > open_metrics { Format::Text } else { Format::OpenMetrics };
            prop_assert_eq!(negotiate(Some(&accept)), expected);
        }

        #[test]
        fn header_like_text_gets_a_format(accept in "([a-z*]{0,4}/?[a-z*]{0,4}(;(q|version)=?[0-9.]{0,6})*,?){0,6}") {
            prop_assert!(Format::ALL.contains(&negotiate(Some(&accept))));
        }
    }
}
