//! Why a poll failed, as far as anyone acts on it: the label `reason`, the retry, the pause of an account.

use serde::{Deserialize, Serialize};

/// Why a poll failed; the value of the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No whole answer within the time allowed. Operator: look at the network, or raise `poll.timeout`.
    Timeout,
    /// The cloud could not be reached, or failed on its own side (5xx). Operator: wait; look at the cloud's status page.
    Transport,
    /// The cloud asked for fewer requests. Operator: longer intervals, or a higher quota from the vendor.
    Throttled,
    /// The cloud refused the key, or the key lacks a permission. Operator: credentials, clock, permissions.
    Denied,
    /// The cloud does not know the task. Operator: task id, region, or remove the target.
    NotFound,
    /// The cloud understood the request and refuses it. Operator: the target or the endpoint is wrong.
    Rejected,
    /// The answer cannot be read. Operator: something between us and the cloud answers in its place, or report a bug.
    Decode,
}

impl Reason {
    /// Every reason, in the order they are exported.
    pub const ALL: [Self; 7] =
        [Self::Timeout, Self::Transport, Self::Throttled, Self::Denied, Self::NotFound, Self::Rejected, Self::Decode];

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Rejected => "rejected",
            Self::Decode => "decode",
        }
    }
}
