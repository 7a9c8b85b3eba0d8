//! A histogram of seconds with the project's fixed classic buckets: small, comparable, cheap to keep by the ten thousand.

use serde::{Deserialize, Serialize};

/// Upper bounds of the classic buckets, in seconds. A last bucket without a bound follows them.
pub const BUCKETS: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

/// Counts of durations by bucket, and their sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Observations per bucket (not cumulative); the last has no upper bound.
    counts: [u32; BUCKETS.len() + 1],
    sum: f64,
}

impl Histogram {
    /// Adds one duration, in seconds. A negative one (clocks of two machines) counts as zero; one that is no number is
    /// left out.
    pub fn observe(&mut self, seconds: f64) {
        if !seconds.is_finite() {
            return;
        }
        let seconds = seconds.max(0.0);
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
            self.sum += seconds;
        }
    }

    /// Upper bound and cumulative count of each bucket; the bound of the last is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().scan(0u64, |total, count| {
            *total = total.saturating_add(u64::from(*count));
            Some(*total)
        }))
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
    }

    proptest! {
        #[test]
        fn buckets_never_fall_and_end_at_the_count(values in prop::collection::vec(any::<f64>(), 0..50)) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.observe(*value);
            }
            let cumulative: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
            prop_assert!(cumulative.is_sorted());
            prop_assert_eq!(cumulative.last().copied(), Some(histogram.count()));
        }
    }
}
