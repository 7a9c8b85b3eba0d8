//! A histogram of seconds: classic buckets with fixed bounds, comparable everywhere, and native ones beside them. Small:
//! ten thousand tasks have three each.

use super::Native;
use serde::{Deserialize, Serialize};

/// Upper bounds of the classic buckets of tasks, in seconds. A last bucket without a bound follows them.
pub const BUCKETS: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

/// Counts of durations by bucket, and their sum. Only one with the bounds of [`BUCKETS`] can be read again once it was
/// written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Record")]
pub struct Histogram {
    #[serde(skip_serializing)]
    bounds: &'static [f64],
    /// Observations per classic bucket (not cumulative); the last has no upper bound.
    counts: Box<[u32]>,
    sum: f64,
    native: Native,
}

/// A histogram as it was written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    counts: [u32; BUCKETS.len() + 1],
    sum: f64,
    /// None if it was written before there were native buckets.
    native: Option<Native>,
}

impl TryFrom<Record> for Histogram {
    type Error = &'static str;

    fn try_from(Record { counts, sum, native }: Record) -> Result<Self, Self::Error> {
        let native = match native {
            Some(native) => native.checked().ok_or("the native buckets are not in order")?,
            None => assumed(counts),
        };
        if native.count() != counts.iter().map(|count| u64::from(*count)).sum::<u64>() {
            return Err("the native buckets hold another number of observations than the classic ones");
        }
        Ok(Self { bounds: &BUCKETS, counts: counts.into(), sum, native })
    }
}

/// Native buckets for what is known by classic bucket only: they must hold as much, or Prometheus refuses the histogram. All
/// of a bucket goes to where its upper bound falls, and what is above every bound to where the last one does: a quantile
/// is then a bound near the one that the classic buckets would tell.
fn assumed(counts: [u32; BUCKETS.len() + 1]) -> Native {
    let mut native = Native::default();
    let last = BUCKETS.last().copied();
    for (bound, count) in BUCKETS.into_iter().chain(last).zip(counts) {
        native.add(bound, count);
    }
    native
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new(&BUCKETS)
    }
}

impl Histogram {
    /// An empty one. The bounds are those of the classic buckets, in seconds and in order.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0.0, native: Native::default() }
    }

    /// Adds one duration, in seconds. A negative one (clocks of two machines) counts as zero; one that is no number is
    /// left out.
    pub fn observe(&mut self, seconds: f64) {
        if !seconds.is_finite() {
            return;
        }
        if self.count() >= u64::from(u32::MAX) {
            // To begin anew is what Prometheus expects of whoever counts; to stop is not.
            *self = Self::new(self.bounds);
        }
        let seconds = seconds.max(0.0);
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
            self.sum += seconds;
            self.native.add(seconds, 1);
        }
    }

    /// Upper bound and cumulative count of each classic bucket; the bound of the last is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().scan(0u64, |total, count| {
            *total = total.saturating_add(u64::from(*count));
            Some(*total)
        }))
    }

    /// The native buckets; they count what the classic ones do.
    pub const fn native(&self) -> &Native {
        &self.native
    }

    /// How many durations were observed.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The sum of the observed durations, in seconds.
    pub const fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let mut histogram = Histogram::default();
        for seconds in [0.0, 1.0, 1.5, 86_400.0, 86_401.0, -3.0, f64::NAN] {
            histogram.observe(seconds);
        }
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts, [3, 4, 4, 4, 4, 4, 4, 4, 5, 6]);
        assert_eq!(histogram.count(), 6);
        assert_eq!((histogram.native().zero(), histogram.native().buckets()), (2, &[(0, 1), (5, 1), (132, 2)][..]));
    }

    #[test]
    fn a_full_one_begins_anew() {
        let full = format!("{{\"counts\":[{},0,0,0,0,0,0,0,0,1],\"sum\":1.0}}", u32::MAX - 1);
        let mut histogram: Histogram = serde_json::from_str(&full).unwrap();
        assert_eq!(histogram.count(), u64::from(u32::MAX));
        histogram.observe(2.0);
        assert_eq!((histogram.count(), histogram.native().count(), histogram.sum().to_bits()), (1, 1, 2f64.to_bits()));
    }

    #[test]
    fn what_was_counted_before_native_buckets_stands_at_the_upper_bounds() {
        let old = "{\"counts\":[2,3,0,0,0,0,0,0,4,5],\"sum\":500000.5}";
        let histogram: Histogram = serde_json::from_str(old).unwrap();
        let mut expected = Native::default();
        for (seconds, times) in [(1.0, 2), (5.0, 3), (86_400.0, 9)] {
            expected.add(seconds, times);
        }
        assert_eq!((histogram.native(), histogram.count()), (&expected, 14));
    }

    #[test]
    fn buckets_that_do_not_add_up_are_not_believed() {
        for (native, mistake) in [
            ("{\"zero\":0,\"buckets\":[[1,1]]}", "another number"),
            ("{\"zero\":0,\"buckets\":[[3,1],[1,1]]}", "not in order"),
            ("{\"zero\":2,\"buckets\":[[3,0]]}", "not in order"),
            ("{\"zero\":2,\"buckets\":[],\"surprise\":1}", "unknown field"),
        ] {
            let text = format!("{{\"counts\":[2,0,0,0,0,0,0,0,0,0],\"sum\":1.0,\"native\":{native}}}");
            let error = serde_json::from_str::<Histogram>(&text).unwrap_err().to_string();
            assert!(error.contains(mistake), "{error}");
        }
    }

    proptest! {
        #[test]
        fn buckets_never_fall_and_both_kinds_end_at_the_count(values in prop::collection::vec(any::<f64>(), 0..50)) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.observe(*value);
            }
            let cumulative: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
            prop_assert!(cumulative.is_sorted());
            prop_assert_eq!(cumulative.last().copied(), Some(histogram.count()));
            prop_assert_eq!(histogram.native().count(), histogram.count());
        }

        #[test]
        fn what_is_written_down_is_read_again(values in prop::collection::vec(0.0..1e6f64, 0..50)) {
            let mut histogram = Histogram::default();
            for seconds in values {
                histogram.observe(seconds);
            }
            let text = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
        }
    }
}
