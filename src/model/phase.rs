//! The closed set of phases every cloud's words are mapped to.
//!
//! The mapping itself is each cloud's own (`cloud/*/normalize.rs`).

use serde::{Deserialize, Serialize};

/// Where a task stands, in one vocabulary for every cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted, waiting for dependencies or resources.
    Pending,
    /// At work.
    Running,
    /// Halted by somebody; may go on.
    Paused,
    /// Ended well.
    Succeeded,
    /// Ended badly. Not always final: see [`Task::is_final`](super::Task::is_final).
    Failed,
    /// Ended by somebody's wish.
    Cancelled,
    /// The cloud used a word we do not know; never guessed.
    Unknown,
}

impl Phase {
    /// Every phase, in the order they are exported.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Running, Self::Paused, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Unknown];

    /// The value of the label `phase`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// How the task ended, if this phase is an end.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Succeeded => Some(Outcome::Succeeded),
            Self::Failed => Some(Outcome::Failed),
            Self::Cancelled => Some(Outcome::Cancelled),
            Self::Pending | Self::Running | Self::Paused | Self::Unknown => None,
        }
    }
}

/// How a run of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended by somebody's wish.
    Cancelled,
}

impl Outcome {
    /// Every outcome, in the order they are exported.
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The value of the label `outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_a_phase_of_the_same_name() {
        for phase in Phase::ALL {
            if let Some(outcome) = phase.outcome() {
                assert_eq!(outcome.as_str(), phase.as_str());
            }
        }
    }
}
