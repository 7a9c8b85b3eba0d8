//! The vendor's answers, letter by letter, as far as they are read; no judgement.
//!
//! Lenient where the vendor is: every field may be missing or null, a scalar may be a string or a number, unknown keys
//! are nobody's business. A wrong shape is an error that names the field.
//! Facts: DescribeTaskInfo, DescribeClusterTasks and DescribeClustersV1 of the API CS 2015-12-15 and its SDKs.

use crate::cloud::{Answer, Error};
use crate::model::Reason;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde_json::error::Category;
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

/// Reads a good answer's document.
///
/// # Errors
/// [`Reason::Decode`] with the field at fault. The JSON library's own words are left out: they quote the document.
pub(super) fn read<Document: DeserializeOwned>(answer: &Answer) -> Result<Document, Error> {
    let mut json = serde_json::Deserializer::from_slice(&answer.body);
    let read = serde_path_to_error::deserialize(&mut json);
    let document = read.map_err(|error| {
        let path = error.path().to_string();
        unreadable(answer, &path, error.inner())
    })?;
    json.end().map_err(|error| unreadable(answer, ".", &error))?;
    Ok(document)
}

fn unreadable(answer: &Answer, path: &str, error: &serde_json::Error) -> Error {
    let first = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let what = match (error.classify(), first) {
        (_, None) => "it is empty",
        (_, Some(b'<')) => "it is markup, not JSON: something else answers in the cloud's place",
        (Category::Eof, _) => "it is cut off",
        (Category::Data, _) => "it has another type than documented",
        (Category::Syntax | Category::Io, _) => "it is not JSON",
    };
    let place = if path == "." { String::new() } else { format!(" at `{path}`") };
    let (line, column) = (error.line(), error.column());
    Error::new(Reason::Decode, format!("the answer cannot be read{place} (line {line}, column {column}): {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn task(body: &str) -> Result<TaskInfo, Error> {
        read(&Answer {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        })
    }

    #[test]
    fn every_field_may_be_missing_null_or_a_number() {
        let read = task(r#"{"state": 7, "created": null, "task_result": null, "target": null, "new": [{"deep": {}}]}"#);
        let read = read.unwrap();
        assert_eq!((read.state.text(), read.created.get(), read.updated.text()), ("7", None, ""));
        assert!(task("{}").unwrap().state.get().is_none());
    }

    #[test]
    fn a_wrong_shape_is_an_error_that_names_the_field_and_quotes_nothing() {
        let cases = [
            (r#"{"task_result": [{"status": "success"}, {"status": {"hunter2": 1}}]}"#, "task_result[1].status"),
            (r#"{"task_result": "hunter2"}"#, "`task_result`"),
            (r#"{"state": ["hunter2"]}"#, "`state`"),
            (r#"["hunter2"#, "cut off"),
            ("\"hunter2\"", "another type"),
            ("<html>hunter2</html>", "markup"),
            ("{} hunter2", "not JSON"),
            ("hunter2", "not JSON"),
            (r#"{"state": "hunter2"#, "cut off"),
            (" ", "empty"),
        ];
        for (body, expected) in cases {
            let error = task(body).unwrap_err();
            let text = crate::cloud::chain(&error);
            assert_eq!(error.reason(), Reason::Decode);
            assert!(text.contains(expected) && !text.contains("hunter2"), "{body}: {text}");
        }
    }
}
