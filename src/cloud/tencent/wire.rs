//! The vendor's answers, letter by letter, as far as they are read. What they mean is judged in `normalize.rs`.
//!
//! Lenient where the documents of different years differ: nulls, unknown keys, older spellings, numbers in quotes.
//! <https://www.tencentcloud.com/document/product/599/30555> and the pages beside it describe them.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// What every answer is wrapped in. API 3.0 and the later pages of API 2.0: `{"Response": …}`; otherwise API 2.0:
/// `{"code": 0, "message": "", "codeDesc": "Success", …}` with the fields in `data` or beside these.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "Response", borrow, default)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(deserialize_with = "integer", default)]
    pub(super) code: Option<i64>,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(rename = "codeDesc", default)]
    pub(super) code_description: Option<String>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}

/// The one part of a `Response` that tells good from bad: the HTTP status is 200 for both.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) error: Option<VendorError>,
}

/// An error in the vendor's words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VendorError {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// The answer to `DescribeTask`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedTask {
    pub(super) task_state: Box<str>,
    #[serde(default)]
    pub(super) create_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) end_time: Option<Box<str>>,
    #[serde(deserialize_with = "count")]
    pub(super) task_instance_total_count: u64,
    #[serde(default)]
    pub(super) task_instance_set: Option<Vec<TaskInstanceView>>,
    #[serde(default)]
    pub(super) task_instance_metrics: Option<TaskInstanceMetrics>,
}

impl DescribedTask {
    /// The rows of this page.
    pub(super) fn rows(&self) -> &[TaskInstanceView] {
        self.task_instance_set.as_deref().unwrap_or_default()
    }
}

/// One instance of a task.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TaskInstanceView {
    #[serde(deserialize_with = "count")]
    pub(super) task_instance_index: u64,
    pub(super) task_instance_state: Box<str>,
    #[serde(deserialize_with = "integer", default)]
    pub(super) exit_code: Option<i64>,
    #[serde(default)]
    pub(super) create_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) launch_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) running_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) end_time: Option<Box<str>>,
}

/// Number of instances by state.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
pub(super) struct TaskInstanceMetrics {
    #[serde(deserialize_with = "count")]
    pub(super) submitted_count: u64,
    #[serde(deserialize_with = "count")]
    pub(super) pending_count: u64,
    #[serde(deserialize_with = "count")]
    pub(super) runnable_count: u64,
    #[serde(deserialize_with = "count")]
    pub(super) starting_count: u64,
    #[serde(deserialize_with = "count")]
    pub(super) running_count: u64,
    #[serde(deserialize_with = "count", alias = "SucceededCount")]
    pub(super) succeed_count: u64,
    #[serde(deserialize_with = "count")]
    pub(super) failed_count: u64,
    #[serde(deserialize_with = "count", alias = "InterruptedCount")]
    pub(super) failed_interrupted_count: u64,
}

/// The answer to `DescribeJob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedJob {
    pub(super) task_set: Vec<TaskView>,
}

/// One task of a job.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TaskView {
    pub(super) task_name: Box<str>,
}

/// The answer to `DescribeJobs`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedJobs {
    #[serde(default)]
    pub(super) job_set: Option<Vec<JobView>>,
    #[serde(deserialize_with = "count")]
    pub(super) total_count: u64,
}

/// One job of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobView {
    pub(super) job_id: Box<str>,
    #[serde(default)]
    pub(super) job_name: Option<Box<str>>,
    pub(super) job_state: Box<str>,
    #[serde(default)]
    pub(super) create_time: Option<Box<str>>,
}

/// A whole number, in quotes or not; none for null and for an empty text.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    deserializer.deserialize_any(Integer)
}

/// A number of things; zero where it is null.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = integer(deserializer)?.unwrap_or_default();
    u64::try_from(number).map_err(|_| de::Error::custom("a count below zero"))
}

struct Integer;

impl Visitor<'_> for Integer {
    type Value = Option<i64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map(Some).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_stand_in_quotes_and_nulls_are_nothing() {
        let metrics: TaskInstanceMetrics = serde_json::from_str(
            r#"{"SucceededCount": "3", "InterruptedCount": 2, "FailedCount": null, "SomethingNew": {}}"#,
        )
        .unwrap();
        assert_eq!(
            (metrics.succeed_count, metrics.failed_interrupted_count, metrics.failed_count, metrics.running_count),
            (3, 2, 0, 0)
        );
        for wrong in [r#"{"FailedCount": -1}"#, r#"{"FailedCount": "many"}"#, r#"{"FailedCount": []}"#] {
            assert!(serde_json::from_str::<TaskInstanceMetrics>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_exit_code_may_be_anything_or_nothing() {
        let exit_code = |text: &str| {
            let row = format!(r#"{{"TaskInstanceIndex": 0, "TaskInstanceState": "FAILED", "ExitCode": {text}}}"#);
            serde_json::from_str::<TaskInstanceView>(&row).map(|row| row.exit_code).ok()
        };
        assert_eq!(exit_code("-1"), Some(Some(-1)));
        assert_eq!(exit_code("null"), Some(None));
        assert_eq!(exit_code("\"137\""), Some(Some(137)));
        assert_eq!(exit_code("{}"), None);
    }
}
