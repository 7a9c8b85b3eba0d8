//! The eight states of jobs, tasks and instances, which Tencent Cloud Batch spells the same everywhere, and what each means.

use crate::model::Phase;
use schemars::JsonSchema;
use serde::Deserialize;

/// A state of a job, a task or an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "TencentState")]
pub(super) enum State {
    /// Accepted.
    Submitted,
    /// Waits for what it depends on.
    Pending,
    /// Waits for resources.
    Runnable,
    /// Its machine starts.
    Starting,
    /// Runs.
    Running,
    /// Ended well.
    Succeed,
    /// Ended badly.
    Failed,
    /// Failed, and its machine is kept, and paid for, until somebody terminates it.
    FailedInterrupted,
}

impl State {
    /// Every state, in the order of a life.
    pub(super) const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Pending,
        Self::Runnable,
        Self::Starting,
        Self::Running,
        Self::Succeed,
        Self::Failed,
        Self::FailedInterrupted,
    ];

    /// The vendor's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Pending => "PENDING",
            Self::Runnable => "RUNNABLE",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Succeed => "SUCCEED",
            Self::Failed => "FAILED",
            Self::FailedInterrupted => "FAILED_INTERRUPTED",
        }
    }

    /// The value of the label `state`.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Pending => "pending",
            Self::Runnable => "runnable",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Succeed => "succeeded",
            Self::Failed => "failed",
            Self::FailedInterrupted => "failed_interrupted",
        }
    }

    /// The state a word of an answer means. The documents of 2017 spell success `SUCCEEDED`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("SUCCEEDED") {
            return Some(Self::Succeed);
        }
        Self::ALL.into_iter().find(|state| word.eq_ignore_ascii_case(state.word()))
    }

    /// Where that is in the vocabulary of every cloud.
    pub(super) const fn phase(self) -> Phase {
        match self {
            Self::Submitted | Self::Pending | Self::Runnable | Self::Starting => Phase::Pending,
            Self::Running => Phase::Running,
            Self::Succeed => Phase::Succeeded,
            Self::Failed | Self::FailedInterrupted => Phase::Failed,
        }
    }

    /// Whether its command has ended.
    pub(super) const fn has_ended(self) -> bool {
        matches!(self, Self::Succeed | Self::Failed | Self::FailedInterrupted)
    }

    /// Whether nothing more happens unless somebody retries. An interrupted one still becomes `FAILED`.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Succeed | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_the_contract_says() {
        let phases = |phase: Phase| {
            let states = State::ALL.into_iter().filter(move |state| state.phase() == phase);
            states.map(State::word).collect::<Vec<_>>()
        };
        assert_eq!(phases(Phase::Pending), ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING"]);
        assert_eq!(phases(Phase::Running), ["RUNNING"]);
        assert_eq!(phases(Phase::Succeeded), ["SUCCEED"]);
        assert_eq!(phases(Phase::Failed), ["FAILED", "FAILED_INTERRUPTED"]);
    }

    #[test]
    fn answers_are_read_leniently_and_the_config_is_not() {
        for (word, state) in [
            ("succeeded", Some(State::Succeed)),
            ("Succeed", Some(State::Succeed)),
            ("failed_interrupted", Some(State::FailedInterrupted)),
            ("CANCELLED", None),
            ("", None),
        ] {
            assert_eq!(State::parse(word), state, "{word}");
        }
        for state in State::ALL {
            assert_eq!(serde_json::from_value::<State>(state.word().into()).unwrap(), state);
        }
        assert!(serde_json::from_value::<State>("succeeded".into()).is_err());
    }
}
