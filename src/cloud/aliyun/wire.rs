//! The vendor's answers, letter by letter, as far as they are read; no judgement.
//!
//! Lenient where the vendor is: every field may be missing or null, a scalar may be a string or a number, unknown keys
//! are nobody's business. A wrong shape is an error that names the field.
//! Facts: DescribeTaskInfo, DescribeClusterTasks and DescribeClustersV1 of the API CS 2015-12-15 and its SDKs.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::fmt;

/// The answer of DescribeTaskInfo.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskInfo {
    pub(super) cluster_id: Scalar,
    pub(super) created: Scalar,
    /// As older clients of the vendor read it.
    pub(super) created_at: Scalar,
    pub(super) updated: Scalar,
    /// As older clients of the vendor read it.
    pub(super) updated_at: Scalar,
    pub(super) state: Scalar,
    pub(super) task_type: Scalar,
    pub(super) target: Option<Resource>,
    pub(super) task_result: Option<Vec<Row>>,
}

/// What a task works on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    pub(super) id: Scalar,
}

/// How a task went for one resource. Which one (`data`, of any type) is not read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    pub(super) status: Scalar,
}

/// A page of DescribeClusterTasks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ClusterTasks {
    pub(super) tasks: Option<Vec<ListedTask>>,
    pub(super) page_info: Option<PageInfo>,
}

/// A task as DescribeClusterTasks lists it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListedTask {
    pub(super) task_id: Scalar,
    pub(super) created: Scalar,
}

/// A page of DescribeClustersV1.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Clusters {
    pub(super) clusters: Option<Vec<ListedCluster>>,
    pub(super) page_info: Option<PageInfo>,
}

/// A cluster as DescribeClustersV1 lists it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListedCluster {
    pub(super) cluster_id: Scalar,
    pub(super) cluster_type: Scalar,
    pub(super) region_id: Scalar,
}

/// How much a list has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PageInfo {
    pub(super) total_count: Scalar,
}

/// A string, a number or a boolean, as text; nothing where it is missing or null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scalar(Option<Box<str>>);

impl Scalar {
    /// The text, if there is one.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text; empty where there is none.
    pub(super) fn text(&self) -> &str {
        self.get().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(Some(text.into())))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
        Ok(Scalar(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::json;

    #[test]
    fn every_field_may_be_missing_null_or_a_number() {
        let task = |body: &str| json::read::<TaskInfo>(body.as_bytes(), "").unwrap();
        let read = task(r#"{"state": 7, "created": null, "task_result": null, "target": null, "new": [{"deep": {}}]}"#);
        assert_eq!((read.state.text(), read.created.get(), read.updated.text()), ("7", None, ""));
        assert!(task("{}").state.get().is_none());
    }

    #[test]
    fn a_wrong_shape_is_an_error_that_names_the_field() {
        for (body, expected) in [
            (r#"{"task_result": [{"status": "success"}, {"status": {"a": 1}}]}"#, "`task_result[1].status`"),
            (r#"{"task_result": "a"}"#, "`task_result`"),
            (r#"{"state": ["a"]}"#, "`state`"),
        ] {
            let error = json::read::<TaskInfo>(body.as_bytes(), "").unwrap_err().to_string();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }
}
