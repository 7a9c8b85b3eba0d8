//! How many lines of a kind are written: a flood of the same says no more than its first lines and a number.
//!
//! What makes two events the same kind is the caller's to say; what the number looks like, too.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;
use tokio::time::Instant;

/// Of one kind, in any [`WINDOW`] at most so many lines.
pub(super) const LINES: usize = 10;
/// See [`LINES`].
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// What was written lately, by kind.
#[derive(Debug)]
pub(super) struct Pace<Kind> {
    kinds: HashMap<Kind, Recent>,
    swept: Option<Instant>,
}

/// The lines of one kind.
#[derive(Debug, Default)]
struct Recent {
    /// When the latest lines were written, at most [`LINES`] of them.
    lines: VecDeque<Instant>,
    left_out: u64,
    last: Option<Instant>,
}

impl<Kind> Default for Pace<Kind> {
    fn default() -> Self {
        Self { kinds: HashMap::new(), swept: None }
    }
}

impl<Kind: Clone + Eq + Hash> Pace<Kind> {
    /// An event of that kind: none if its line is to be left out, else how many were since the kind's last line.
    pub(super) fn take(&mut self, kind: Kind, now: Instant) -> Option<u64> {
        self.kinds.entry(kind).or_default().take(now)
    }

    /// The kinds that fell silent with lines left out, and how many; each is to be told with one line. What is long past is
    /// forgotten. To be called with every event; it does its work once a [`WINDOW`].
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<(Kind, u64)> {
        if self.swept.is_some_and(|swept| now < swept + WINDOW) {
            return Vec::new();
        }
        self.swept = Some(now);
        self.kinds.retain(|_, recent| recent.left_out > 0 || !recent.is_silent(now));
        let silent = self.kinds.iter_mut().filter(|(_, recent)| recent.left_out > 0 && recent.is_silent(now));
        silent.map(|(kind, recent)| (kind.clone(), recent.close(now))).collect()
    }
}

impl Recent {
    fn take(&mut self, now: Instant) -> Option<u64> {
        self.last = Some(now);
        if self.lines.len() >= LINES && self.lines.front().is_some_and(|first| now < *first + WINDOW) {
            self.left_out += 1;
            return None;
        }
        Some(self.close(now))
    }

    /// A line is written, which tells what was left out.
    fn close(&mut self, now: Instant) -> u64 {
        self.lines.push_back(now);
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
        std::mem::take(&mut self.left_out)
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now >= last + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Events of a few kinds at any pace: no minute has more lines of a kind than the bound, and what is written
        /// and what is said to be left out are all there was.
        #[test]
        fn lines_are_bounded_and_every_event_is_accounted_for(
            events in prop::collection::vec((0u8..3, 0u64..4000), 0..400),
        ) {
            let mut pace = Pace::default();
            let began = Instant::now();
            let mut now = began;
            let mut lines: Vec<(u8, Instant)> = Vec::new();
            let (mut written, mut told) = (0, 0);
            let total = events.len();
            for (kind, pause) in events {
                // Long pauses are seldom and not missing.
                now += Duration::from_millis(if pause > 3990 { 90_000 } else { pause });
                if let Some(left_out) = pace.take(kind, now) {
                    lines.push((kind, now));
                    written += 1;
                    told += left_out;
                }
                for (kind, left_out) in pace.sweep(now) {
                    lines.push((kind, now));
                    told += left_out;
                }
            }
            now += WINDOW * 2;
            told += pace.sweep(now).into_iter().map(|(_, left_out)| left_out).sum::<u64>();
            prop_assert_eq!(written + told, u64::try_from(total).unwrap());
            for kind in 0..3 {
                let at: Vec<Instant> = lines.iter().filter(|(of, _)| *of == kind).map(|(_, at)| *at).collect();
                prop_assert!(at.windows(LINES + 1).all(|lines| lines[LINES] - lines[0] >= WINDOW), "{kind}: {at:?}");
            }
            pace.sweep(now + WINDOW * 2);
            prop_assert!(pace.kinds.is_empty(), "what is past is forgotten");
        }
    }

    #[test]
    fn a_flood_is_its_first_lines_and_a_number() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let written = (0..10_000).filter(|_| pace.take("flood", now).is_some()).count();
        assert_eq!(written, LINES);
        assert_eq!(pace.take("other", now), Some(0), "another kind has its own lines");
        assert_eq!(pace.take("flood", now + WINDOW), Some(9990));
    }
}
