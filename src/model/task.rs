//! One task as a cloud described it: the snapshot every cloud's answer is turned into.

use super::{Histogram, LabelText, Phase};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// How many different exit codes a task shows before the rest become `other`.
pub const MAX_EXIT_CODES: usize = 10;

/// Every word for the state of an instance, of every cloud. A task that was written down with another cannot be read again.
pub const INSTANCE_STATES: [&str; 9] =
    ["submitted", "pending", "runnable", "starting", "running", "succeeded", "failed", "failed_interrupted", "unknown"];

/// Numbers of instances by state.
pub type Instances = Box<[(&'static str, u64)]>;

/// Facts that do not change over a task's life; empty where the cloud does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The job the task belongs to.
    pub job_id: LabelText,
    /// The task's name within its job, or of the resource it works on.
    pub task_name: LabelText,
    /// What kind of work it is, in the cloud's words.
    pub task_type: LabelText,
    /// The cluster it works on.
    pub cluster_id: LabelText,
}

/// Finished instances by exit code: the most frequent codes by name, the rest together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exits {
    codes: BTreeMap<i64, u64>,
    other: u64,
}

impl Exits {
    /// Bounds a full count to the [`MAX_EXIT_CODES`] most frequent codes (of equals the smaller code) and the rest. The
    /// result depends on the counts alone, never on the order rows came in.
    pub fn bounded(all: BTreeMap<i64, u64>) -> Self {
        let mut by_count: Vec<(i64, u64)> = all.into_iter().collect();
        by_count.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
        let rest = by_count.split_off(by_count.len().min(MAX_EXIT_CODES));
        Self { codes: by_count.into_iter().collect(), other: rest.iter().map(|(_, count)| count).sum() }
    }

    /// Exit code and number of instances, by code.
    pub fn codes(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.codes.iter().map(|(code, count)| (*code, *count))
    }

    /// Instances whose code is not among the ten.
    pub const fn other(&self) -> u64 {
        self.other
    }
}

/// A task as its cloud described it in the last good answer. Everything that is exported of a task's state is a
/// function of this value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Where it stands.
    pub phase: Phase,
    /// Whether that is the end of it. A Tencent task that is FAILED_INTERRUPTED has failed and is not final: its
    /// machine is kept, and paid for.
    pub is_final: bool,
    /// The provider's own word for the state.
    pub provider_state: LabelText,
    /// What does not change.
    pub facts: Facts,
    /// Number of instances by state: every state of the cloud's set, zeros included, in the set's order. The words are some
    /// of [`INSTANCE_STATES`].
    #[serde(deserialize_with = "known_instances")]
    pub instances: Instances,
    /// How many instances there are to be.
    pub instances_expected: u64,
    /// Instances that failed (interrupted ones included).
    pub instances_failed: u64,
    /// Whether rows beyond the page cap were left unread; counts are whole all the same.
    pub rows_truncated: bool,
    /// Finished instances by exit code.
    pub exits: Exits,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When its first instance began to run.
    pub started: Option<Timestamp>,
    /// When it ended; only in a terminal phase.
    pub finished: Option<Timestamp>,
    /// Create to launch, of each instance; none where the cloud does not say.
    pub queue: Option<Histogram>,
    /// Launch to running, of each instance.
    pub startup: Option<Histogram>,
    /// Running to end, of each instance.
    pub run: Option<Histogram>,
}

impl Task {
    /// Seconds from start (else creation) to the end, in a terminal phase.
    pub fn run_seconds(&self) -> Option<f64> {
        self.phase.outcome()?;
        let from = self.started.or(self.created)?;
        let seconds = self.finished?.duration_since(from).as_secs_f64();
        Some(seconds.max(0.0))
    }
}

/// Counts whose words are known, so that they need not be kept with every task.
fn known_instances<'de, D: Deserializer<'de>>(source: D) -> Result<Instances, D::Error> {
    let known = |word: &str| INSTANCE_STATES.into_iter().find(|known| *known == word);
    let unknown = |word: &str| D::Error::custom(format!("{word:?} is no state of an instance"));
    let counts = Vec::<(String, u64)>::deserialize(source)?.into_iter();
    counts.map(|(word, count)| known(&word).map(|word| (word, count)).ok_or_else(|| unknown(&word))).collect()
}

/// What one poll of a task brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The task as it is now.
    pub task: Task,
    /// Words of the answer that no table knows.
    pub unknown_states: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounded_exits_lose_no_instance(all in prop::collection::btree_map(any::<i64>(), 0u64..1000, 0..40)) {
            let total: u64 = all.values().sum();
            let exits = Exits::bounded(all);
            prop_assert!(exits.codes().count() <= MAX_EXIT_CODES);
            prop_assert_eq!(exits.codes().map(|(_, count)| count).sum::<u64>() + exits.other(), total);
        }
    }

    #[test]
    fn the_most_frequent_codes_keep_their_name() {
        let mut all: BTreeMap<i64, u64> = (1..=11).map(|code| (code, 1)).collect();
        all.insert(137, 5);
        let exits = Exits::bounded(all);
        assert!(exits.codes().any(|entry| entry == (137, 5)));
        assert_eq!(exits.other(), 2);
    }
}
