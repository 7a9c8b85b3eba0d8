//! The documents of CCE and IAM, letter by letter, as far as they are used; nothing here judges them.
//!
//! Vendor documents: CCE "ShowJob" (v3; the v2 job API spells some keys in lower case), IAM "KeystoneListProjects" and
//! "KeystoneCreateUserTokenByPassword". Every field of a job may be missing or null.

use crate::cloud::{Error, PAGE_CAP_ROWS, json};
use crate::model::Reason;
use serde::Deserialize;

/// Jobs nested deeper than this are refused; real ones have three levels.
pub(super) const MAX_DEPTH: usize = 16;
/// An answer with more objects than this is refused unread; a whole job has five of them.
const MAX_OBJECTS: usize = 5 * PAGE_CAP_ROWS;

/// A job, or a sub-job within one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    // Boxed, so that a long list of empty jobs takes little more memory than the text it came in.
    pub(super) metadata: Option<Box<Metadata>>,
    pub(super) spec: Option<Box<Spec>>,
    pub(super) status: Option<Box<Status>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) uid: Option<Box<str>>,
    pub(super) creation_timestamp: Option<Box<str>>,
    pub(super) update_timestamp: Option<Box<str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) r#type: Option<Box<str>>,
    #[serde(rename = "clusterUID", alias = "clusteruid")]
    pub(super) cluster_uid: Option<Box<str>>,
    #[serde(rename = "resourceName", alias = "resourcename")]
    pub(super) resource_name: Option<Box<str>>,
    #[serde(rename = "subJobs", alias = "subjobs")]
    pub(super) sub_jobs: Option<Vec<Job>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(alias = "status")]
    pub(super) phase: Option<Box<str>>,
}

/// The projects an account may see.
#[derive(Debug, Deserialize)]
pub(super) struct Projects {
    pub(super) projects: Vec<Project>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub(super) id: Box<str>,
}

/// The answer to a password; the token itself is in a header.
#[derive(Debug, Deserialize)]
pub(super) struct IssuedToken {
    pub(super) token: TokenFacts,
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenFacts {
    pub(super) expires_at: Box<str>,
    pub(super) issued_at: Box<str>,
    pub(super) project: Option<Project>,
}

impl Job {
    /// The jobs one level below.
    pub(super) fn sub_jobs(&self) -> &[Self] {
        self.spec.as_ref().and_then(|spec| spec.sub_jobs.as_deref()).unwrap_or_default()
    }

    /// The provider's word for where the job stands; empty where it says none.
    pub(super) fn phase(&self) -> &str {
        self.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
    }

    fn is_within(&self, depth: usize) -> bool {
        depth > 0 && self.sub_jobs().iter().all(|job| job.is_within(depth - 1))
    }
}

/// Reads a job.
///
/// # Errors
/// [`Reason::Decode`], also for a job with more than [`MAX_DEPTH`] levels or more than [`MAX_OBJECTS`] objects.
pub(super) fn read_job(body: &[u8]) -> Result<Job, Error> {
    // Millions of empty jobs fit into one answer, and would take many times its size.
    if body.split(|byte| *byte == b'{').nth(MAX_OBJECTS + 1).is_some() {
        return Err(Error::new(Reason::Decode, format!("the answer holds more than {MAX_OBJECTS} objects")));
    }
    let job: Job = json::read(body, "")?;
    if job.is_within(MAX_DEPTH) {
        Ok(job)
    } else {
        Err(Error::new(Reason::Decode, format!("the jobs of the answer are nested deeper than {MAX_DEPTH} levels")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job of so many levels.
    fn nested(levels: usize) -> String {
        let (head, tail) = (r#"{"spec":{"subJobs":["#, r#"]},"status":{"phase":"Running"}}"#);
        format!("{}{}{}", head.repeat(levels - 1), r#"{"status":{"phase":"Running"}}"#, tail.repeat(levels - 1))
    }

    fn decode_error(body: &str) -> String {
        let error = read_job(body.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), Reason::Decode);
        error.to_string()
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let modern =
            r#"{"spec":{"type":"a","clusterUID":"b","resourceName":"c","subJobs":[{}]},"status":{"phase":"Running"}}"#;
        let lower =
            r#"{"spec":{"type":"a","clusteruid":"b","resourcename":"c","subjobs":[{}]},"status":{"status":"Running"}}"#;
        let read = |text: &str| format!("{:?}", read_job(text.as_bytes()).unwrap());
        assert_eq!(read(modern), read(lower));
    }

    #[test]
    fn everything_may_be_missing_or_null() {
        for body in [
            "{}",
            r#"{"metadata":null,"spec":null,"status":null}"#,
            r#"{"metadata":{},"spec":{},"status":{}}"#,
            r#"{"spec":{"type":null,"subJobs":null,"extendParam":null},"status":{"phase":null,"reason":null}}"#,
            r#"{"spec":{"subJobs":[{"status":null},{}]}}"#,
        ] {
            read_job(body.as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_wrong_shape_is_an_error_that_names_the_field() {
        let wrong = decode_error(r#"{"spec":{"subJobs":[{"status":{"phase":"Success"}},{"status":"hunter2"}]}}"#);
        assert!(wrong.contains("`spec.subJobs[1].status`") && !wrong.contains("hunter2"), "{wrong}");
        assert!(decode_error(r#"{"spec":{"subJobs":{}}}"#).contains("`spec.subJobs`"));
    }

    #[test]
    fn an_answer_holds_so_many_objects_and_no_more() {
        let of = |jobs: usize| format!(r#"{{"spec":{{"subJobs":[{{}}{}]}}}}"#, ",{}".repeat(jobs - 1));
        assert_eq!(read_job(of(MAX_OBJECTS - 2).as_bytes()).unwrap().sub_jobs().len(), MAX_OBJECTS - 2);
        assert_eq!(decode_error(&of(MAX_OBJECTS - 1)), "the answer holds more than 100000 objects");
    }

    #[test]
    fn nesting_ends_at_sixteen_levels() {
        read_job(nested(MAX_DEPTH).as_bytes()).unwrap();
        for levels in [MAX_DEPTH + 1, 40] {
            assert_eq!(decode_error(&nested(levels)), "the jobs of the answer are nested deeper than 16 levels");
        }
        // The parser gives up by itself, far below.
        for levels in [50, 10_000] {
            assert!(decode_error(&nested(levels)).contains("it is nested too deep"));
        }
        // Where nobody looks, depth is the parser's own affair.
        let unread = format!(r#"{{"spec":{{"extendParam":{}{}}}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        read_job(unread.as_bytes()).unwrap();
    }
}
