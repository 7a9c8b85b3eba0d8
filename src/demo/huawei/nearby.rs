//! What hands out keys beside a machine: the metadata service of an ECS with an agency, and the agent of CCE pod identity.
//!
//! Keys last ten minutes, and others take their place half-way, so that they are seen to be renewed.

use super::temporary::{self, Ticket};
use super::{POD_TOKEN, gateway};
use crate::demo::{Answered, Asked};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// How long keys last.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How long the same keys are handed out, in seconds.
const TERM: i64 = 300;

/// A token for the metadata service.
pub(super) fn metadata_token(request: &Asked, now: Timestamp) -> Result<Answered, Answered> {
    let seconds = request.header("x-metadata-token-ttl-seconds").parse().ok();
    let sane = seconds.filter(|seconds| (1..=21_600).contains(seconds));
    let seconds = sane.ok_or_else(|| gateway::error(400, "400", "X-Metadata-Token-Ttl-Seconds is invalid"))?;
    let body = Ticket::Metadata.until(now + SignedDuration::from_secs(seconds));
    Ok(Answered { body, content_type: "text/plain", ..Answered::json(200, &json!(null)) })
}

/// The keys of the machine's agency.
pub(super) fn metadata_keys(request: &Asked, now: Timestamp) -> Result<Answered, Answered> {
    if !Ticket::Metadata.is_good(request.header("x-metadata-token"), now) {
        return Err(gateway::error(401, "401", "Unauthorized"));
    }
    Ok(Answered::json(200, &json!({"credential": keys(now).old_names()})))
}

/// The keys of the pod's identity.
pub(super) fn pod_keys(request: &Asked, now: Timestamp) -> Result<Answered, Answered> {
    if request.header("authorization") != POD_TOKEN {
        return Err(gateway::error(401, "401", "Unauthorized"));
    }
    Ok(Answered::json(200, &json!({"credential": keys(now).old_names()})))
}

fn keys(now: Timestamp) -> temporary::TemporaryKeys {
    let begin = now.as_second() - now.as_second().rem_euclid(TERM);
    temporary::keys_until(Timestamp::from_second(begin).unwrap_or(now) + LIFE)
}
