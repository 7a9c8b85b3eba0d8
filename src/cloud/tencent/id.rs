//! The names of jobs and tasks, as the config and the answers have them, and the id made of both.

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// The longest name taken. An id made of two is short enough to be a label value as it is: cut, it could be another's.
const LONGEST: usize = 127;

/// One task of a job, written `JOB/TASK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaskId<'a> {
    pub(super) job: &'a str,
    pub(super) task: &'a str,
}

impl<'a> TaskId<'a> {
    /// The parts of an id; none where it has not two.
    pub(super) fn parse(id: &'a str) -> Option<Self> {
        let (job, task) = id.split_once('/')?;
        (!job.is_empty() && !task.is_empty()).then_some(Self { job, task })
    }
}

impl fmt::Display for TaskId<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.job, self.task)
    }
}

/// Whether a text can be a job's id. The shape is documented by examples only; what matters is that it cannot be taken for
/// something else.
pub(super) fn is_job_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain)
}

/// Whether a text can be a task's name.
pub(super) fn is_task_name(text: &str) -> bool {
    let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    !text.is_empty() && text.chars().count() <= LONGEST && !text.contains(odd)
}

/// A job's id, such as `job-97zcl3wt`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", rename = "TencentJobId", description = "Id of a Batch job, such as job-97zcl3wt.")]
pub(super) struct JobId(pub(super) Box<str>);

impl TryFrom<String> for JobId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_job_id(&text) {
            Ok(Self(text.into()))
        } else {
            Err(format!("{text:?} is no job id; expected one such as job-97zcl3wt"))
        }
    }
}

/// A task's name within its job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", rename = "TencentTaskName", description = "Name of a task within its job, such as A.")]
pub(super) struct TaskName(pub(super) Box<str>);

impl TryFrom<String> for TaskName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_task_name(&text) {
            Ok(Self(text.into()))
        } else {
            Err(format!("{text:?} is no task name; expected one such as A"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_two_parts() {
        assert_eq!(TaskId::parse("job-1/A").unwrap().to_string(), "job-1/A");
        for wrong in ["", "job-1", "/A", "job-1/"] {
            assert_eq!(TaskId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn odd_names_are_refused() {
        let job = |text: &str| JobId::try_from(text.to_owned()).is_ok();
        assert!(job("job-97zcl3wt"));
        assert!(!job("") && !job("job-1/A") && !job("job 1") && !job("jöb") && !job(&"j".repeat(200)));
        let task = |text: &str| TaskName::try_from(text.to_owned()).is_ok();
        assert!(task("A") && task("train_2") && task("训练"));
        assert!(!task("") && !task("A/B") && !task("A B"));
    }
}
