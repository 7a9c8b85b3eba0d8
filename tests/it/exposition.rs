//! An independent reader of the protobuf exposition: the messages of `metrics.proto` (prometheus/client_model 0.6), as far
//! as an exporter of gauges, counters and histograms uses them, decoded by prost.

use prost::Message;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub help: Option<String>,
    #[prost(enumeration = "MetricType", optional, tag = "3")]
    pub r#type: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub metric: Vec<Metric>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 4,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub struct LabelPair {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// A `Gauge` or a `Counter`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Number {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    pub schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    pub zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    pub positive_delta: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    pub cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub upper_bound: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    pub offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub length: Option<u32>,
}

/// A series as text names it: the name of the sample, its labels, what it says.
pub type Sample = (String, BTreeMap<String, String>, f64);

/// The families of a stream, each after its length. Nothing may be left over, and written again they are the same bytes: no
/// field is unknown here, or in another place than the tools of protobuf put it.
pub fn read(mut stream: &[u8]) -> Vec<MetricFamily> {
    let whole = stream;
    let mut families = Vec::new();
    while !stream.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut stream).unwrap());
    }
    let mut again = Vec::new();
    for family in &families {
        family.encode_length_delimited(&mut again).unwrap();
    }
    assert!(again == whole, "written by another the families differ");
    families
}

impl MetricFamily {
    /// What text would tell of it, classic buckets and all.
    pub fn samples(&self) -> Vec<Sample> {
        self.metric.iter().flat_map(|metric| self.samples_of(metric)).collect()
    }

    fn samples_of(&self, metric: &Metric) -> Vec<Sample> {
        let labels: BTreeMap<String, String> =
            metric.label.iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect();
        assert_eq!(labels.len(), metric.label.len(), "a label stands twice: {metric:?}");
        let sample = |suffix: &str, value| (format!("{}{suffix}", self.name()), labels.clone(), value);
        match (self.r#type(), &metric.gauge, &metric.counter, &metric.histogram) {
            (MetricType::Gauge, Some(number), None, None) | (MetricType::Counter, None, Some(number), None) => {
                vec![sample("", number.value.unwrap())]
            }
            (MetricType::Histogram, None, None, Some(histogram)) => {
                histogram.check();
                let count = u32::try_from(histogram.sample_count()).unwrap().into();
                let bounds = histogram.bucket.iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
                let buckets = bounds.chain([(f64::INFINITY, histogram.sample_count())]).map(|(bound, count)| {
                    let (name, mut labels, value) = sample("_bucket", u32::try_from(count).unwrap().into());
                    let bound = if bound.is_finite() { format!("{bound:?}") } else { "+Inf".to_owned() };
                    labels.insert("le".to_owned(), bound);
                    (name, labels, value)
                });
                buckets.chain([sample("_sum", histogram.sample_sum()), sample("_count", count)]).collect()
            }
            _ => panic!("a metric of another type than its family: {metric:?}"),
        }
    }
}

impl Histogram {
    /// Upper bound and count of each native bucket above zero.
    pub fn native(&self) -> Vec<(f64, u64)> {
        let (mut index, mut count) = (0, 0);
        let mut deltas = self.positive_delta.iter();
        let mut buckets = Vec::new();
        for span in &self.positive_span {
            index += span.offset();
            for _ in 0..span.length() {
                count += deltas.next().unwrap();
                buckets.push((2f64.powf(f64::from(index) / 2f64.powi(self.schema())), u64::try_from(count).unwrap()));
                index += 1;
            }
        }
        assert_eq!(deltas.next(), None, "a bucket for each delta");
        buckets
    }

    /// What Prometheus asks of a native histogram, and that it tells what the classic buckets do.
    fn check(&self) {
        assert_eq!((self.schema, self.zero_threshold), (Some(3), Some(2f64.powi(-128))));
        let native = self.native();
        assert!(native.iter().all(|(_, count)| *count > 0), "a bucket without an observation");
        let spans = self.positive_span.iter().skip(1);
        assert!(spans.clone().all(|span| span.offset() > 0 && span.length() > 0), "spans that touch");
        let counted = |buckets: &[(f64, u64)]| buckets.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(counted(&native) + self.zero_count.unwrap(), self.sample_count());
        for bucket in &self.bucket {
            let (bound, below) = (bucket.upper_bound(), bucket.cumulative_count());
            // A native bucket in which the bound falls holds some of both sides.
            let surely: Vec<_> = native.iter().copied().filter(|(end, _)| *end <= bound).collect();
            let perhaps: Vec<_> = native.iter().copied().filter(|(end, _)| *end < bound * 1.0906).collect();
            let zero = self.zero_count();
            assert!((counted(&surely) + zero..=counted(&perhaps) + zero).contains(&below), "{self:?}");
        }
    }
}
