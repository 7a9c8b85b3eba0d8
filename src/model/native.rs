//! The native buckets of a histogram: exponential, only those that hold something, as Prometheus defines them for schema 3.
//!
//! Bucket `i` holds what is greater than `2^((i-1)/8)` and at most `2^(i/8)`: neighbours differ by nine per cent.

use serde::{Deserialize, Serialize};

/// How fine the buckets are: two to the power of it for each doubling.
pub const SCHEMA: i32 = 3;
/// What is no greater counts as zero; the usual threshold, 2^-128.
pub const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);

/// Upper bounds of the buckets from a half to one; the last of them ends at one.
const OCTAVE: [f64; 8] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    std::f64::consts::FRAC_1_SQRT_2,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_4,
    0.917_004_043_204_671_2,
];
/// The bits of a number that hold its exponent.
const EXPONENT: u64 = 0x7ff << 52;
/// The exponent of numbers from a half to one.
const OF_HALVES: u16 = 1022;

/// Counts of numbers that are not negative, by native bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Native {
    zero: u32,
    /// Index and count of each bucket that holds something, by index.
    buckets: Vec<(i16, u32)>,
}

impl Native {
    /// Counts a finite number so many times.
    pub(super) fn add(&mut self, number: f64, times: u32) {
        if times == 0 {
            return;
        }
        let count = if number <= ZERO_THRESHOLD { &mut self.zero } else { self.bucket(index(number)) };
        *count = count.saturating_add(times);
    }

    fn bucket(&mut self, index: i16) -> &mut u32 {
        let place = self.buckets.partition_point(|(before, _)| *before < index);
        if self.buckets.get(place).is_none_or(|(found, _)| *found != index) {
            // A task keeps three of these for as long as it is known, and gets a new bucket seldom.
            self.buckets.reserve_exact(1);
            self.buckets.insert(place, (index, 0));
        }
        // The place is there; the zero bucket stands in for one that is not.
        self.buckets.get_mut(place).map_or(&mut self.zero, |(_, count)| count)
    }

    /// How many numbers count as zero.
    pub const fn zero(&self) -> u32 {
        self.zero
    }

    /// Index and count of each bucket that holds something, by index.
    pub fn buckets(&self) -> &[(i16, u32)] {
        &self.buckets
    }

    /// How many numbers were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() + u64::from(self.zero)
    }

    /// The runs of buckets without a gap: how far each begins after the end of the one before (the first: its index), and
    /// how many buckets it has.
    pub fn spans(&self) -> impl Iterator<Item = (i32, usize)> + '_ {
        let runs = self.buckets.chunk_by(|(before, _), (after, _)| i32::from(*before) + 1 == i32::from(*after));
        runs.scan(0, |end, run| {
            let (first, last) = (run.first()?.0, run.last()?.0);
            let offset = i32::from(first) - *end;
            *end = i32::from(last) + 1;
            Some((offset, run.len()))
        })
    }

    /// The count of each bucket as the difference to that of the bucket before.
    pub fn deltas(&self) -> impl Iterator<Item = i64> + '_ {
        self.buckets.iter().scan(0, |before, (_, count)| {
            let delta = i64::from(*count) - *before;
            *before = i64::from(*count);
            Some(delta)
        })
    }

    /// The same, in no more memory than it needs; none where buckets are empty or not in order.
    pub(super) fn checked(mut self) -> Option<Self> {
        self.buckets.shrink_to_fit();
        let is_sorted = self.buckets.is_sorted_by(|(before, _), (after, _)| before < after);
        (is_sorted && self.buckets.iter().all(|(_, count)| *count > 0)).then_some(self)
    }
}

/// The bucket of a number above the zero threshold: its exponent says which octave, its fraction which eighth.
fn index(number: f64) -> i16 {
    let bits = number.to_bits();
    let fraction = f64::from_bits(bits & !EXPONENT | u64::from(OF_HALVES) << 52);
    let eighth = OCTAVE.partition_point(|bound| *bound < fraction);
    let octave =
        u16::try_from((bits & EXPONENT) >> 52).map_or(0, |exponent| exponent.cast_signed() - OF_HALVES.cast_signed());
    (octave - 1) * 8 + i16::try_from(eighth).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Where a bucket ends, by the definition and not by the table.
    fn bound(index: i16) -> f64 {
        2f64.powf(f64::from(index) / 8.0)
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        for octave in -16i16..=20 {
            for (eighth, of_octave) in (0i16..).zip(OCTAVE) {
                let end = of_octave * 2f64.powi(octave.into());
                let expected = (octave - 1) * 8 + eighth;
                assert_eq!(
                    (index(end), index(end.next_up()), index(end.next_down())),
                    (expected, expected + 1, expected)
                );
                assert!((end / bound(expected) - 1.0).abs() < 1e-14, "{end}");
            }
        }
        assert_eq!((index(1.0), index(2.0), index(f64::MAX)), (0, 8, 8192));
        assert_eq!(index(ZERO_THRESHOLD.next_up()), -1023);
        assert_eq!(ZERO_THRESHOLD.to_bits(), 2f64.powi(-128).to_bits());
    }

    proptest! {
        #[test]
        fn a_number_falls_in_its_bucket(number in prop_oneof![0.001..1e6f64, (ZERO_THRESHOLD.next_up()..f64::MAX)]) {
            let found = index(number);
            prop_assert!(number <= bound(found) * (1.0 + 1e-12) && number > bound(found - 1) * (1.0 - 1e-12), "{found}");
        }

        #[test]
        fn spans_and_deltas_tell_the_buckets(numbers in prop::collection::vec(prop_oneof![Just(0.0), 0.01..100.0f64, 0.0..1e7f64], 0..60)) {
            let (mut native, mut expected) = (Native::default(), BTreeMap::<i16, u32>::new());
            for number in &numbers {
                native.add(*number, 1);
                if *number > 0.0 {
                    *expected.entry(index(*number)).or_default() += 1;
                }
            }
            let (mut next, mut count) = (0i32, 0i64);
            let mut deltas = native.deltas();
            let mut told = Vec::new();
            for (offset, length) in native.spans() {
                next += offset;
                for _ in 0..length {
                    count += deltas.next().unwrap();
                    told.push((i16::try_from(next).unwrap(), u32::try_from(count).unwrap()));
                    next += 1;
                }
            }
            prop_assert_eq!(deltas.next(), None);
            drop(deltas);
            prop_assert_eq!(&told, native.buckets());
            prop_assert_eq!(told.into_iter().collect::<BTreeMap<_, _>>(), expected);
            prop_assert_eq!(native.count(), u64::try_from(numbers.len()).unwrap());
            prop_assert_eq!(native.buckets.capacity(), native.buckets.len(), "no memory is kept for nothing");
            prop_assert_eq!(native.clone().checked(), Some(native));
        }
    }
}
