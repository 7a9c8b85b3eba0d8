//! The three actions of the API CS 2015-12-15 that are used; all of them only read.

use super::sign::{Question, VERSION, canonical_path};
use super::wire::{ClusterTasks, Clusters, TaskInfo};
use super::{error, normalize};
use crate::cloud::credentials::Keys;
use crate::cloud::settings::Endpoint;
use crate::cloud::{Answer, Call, Error, Stamp, json};
use crate::model::{Reading, Reason};
use bytes::Bytes;
use http::Request;
use serde::de::DeserializeOwned;

/// Rows of a page of a list: the most the vendor documents for a sister of these actions, and what its own tool asks.
pub(super) const PAGE_SIZE: usize = 100;

/// Where an account is asked, and with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access<'a> {
    /// The address of the API.
    pub(super) endpoint: &'a Endpoint,
    /// The keys to sign with.
    pub(super) keys: &'a Keys,
}

/// DescribeTaskInfo: one task. The vendor publishes no rate; its own tools ask for a task every few seconds.
#[derive(Debug)]
pub(super) struct DescribeTaskInfo<'a> {
    pub(super) access: Access<'a>,
    pub(super) task_id: &'a str,
}

/// DescribeClusterTasks: one page of the tasks of a cluster.
#[derive(Debug)]
pub(super) struct DescribeClusterTasks<'a> {
    pub(super) access: Access<'a>,
    pub(super) cluster_id: &'a str,
    /// From 1.
    pub(super) page: usize,
}

/// DescribeClustersV1: one page of the clusters of a region.
#[derive(Debug)]
pub(super) struct DescribeClustersV1<'a> {
    pub(super) access: Access<'a>,
    pub(super) region: &'a str,
    /// From 1.
    pub(super) page: usize,
}

impl Call for DescribeTaskInfo<'_> {
    type Reply = Reading;
    const API: &'static str = "DescribeTaskInfo";
    const RATE: f64 = 5.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let path = canonical_path(&["tasks", segment(self.task_id)?]);
        self.access.sign(&Question { version: VERSION, action: Self::API, path, query: &[] }, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.access.keys.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Reading, Error> {
        read_task(answer)
    }
}

impl Call for DescribeClusterTasks<'_> {
    type Reply = ClusterTasks;
    const API: &'static str = "DescribeClusterTasks";
    /// Not published; discovery is in no hurry.
    const RATE: f64 = 2.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let path = canonical_path(&["clusters", segment(self.cluster_id)?, "tasks"]);
        let (page, size) = (self.page.to_string(), PAGE_SIZE.to_string());
        let query = &[("page_number", page.as_str()), ("page_size", size.as_str())];
        self.access.sign(&Question { version: VERSION, action: Self::API, path, query }, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.access.keys.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<ClusterTasks, Error> {
        let page: ClusterTasks = document(answer, Self::API)?;
        let is_page = page.tasks.is_some() || page.page_info.is_some();
        if is_page { Ok(page) } else { Err(no_list(answer, Self::API, "tasks")) }
    }
}

impl Call for DescribeClustersV1<'_> {
    type Reply = Clusters;
    const API: &'static str = "DescribeClustersV1";
    /// Not published; discovery is in no hurry.
    const RATE: f64 = 2.0;

    fn request(&self, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        let path = canonical_path(&["api", "v1", "clusters"]);
        let (page, size) = (self.page.to_string(), PAGE_SIZE.to_string());
        let query = &[("region_id", self.region), ("page_number", page.as_str()), ("page_size", size.as_str())];
        self.access.sign(&Question { version: VERSION, action: Self::API, path, query }, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.access.keys.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Clusters, Error> {
        let page: Clusters = document(answer, Self::API)?;
        let is_page = page.clusters.is_some() || page.page_info.is_some();
        if is_page { Ok(page) } else { Err(no_list(answer, Self::API, "clusters")) }
    }
}

impl Access<'_> {
    fn sign(&self, question: &Question<'_>, stamp: &Stamp) -> Result<Request<Bytes>, Error> {
        question.sign(self.endpoint, self.keys, stamp)
    }
}

/// What keeps an id from being one segment of a path, if anything. An HTTP client takes dots for steps up the path even
/// where they are encoded, and would send another path than was signed.
pub(super) fn flaw_of_id(id: &str) -> Option<&'static str> {
    match id {
        "" => Some("is empty"),
        "." | ".." => Some("is a step of a path"),
        _ if id.chars().any(char::is_control) => Some("has control characters"),
        _ if id.len() > 256 => Some("is longer than 256 bytes"),
        _ => None,
    }
}

/// What an answer to DescribeTaskInfo says of the task.
///
/// # Errors
/// The vendor's error, or [`Reason::Decode`].
pub(super) fn read_task(answer: &Answer) -> Result<Reading, Error> {
    let info: TaskInfo = document(answer, DescribeTaskInfo::API)?;
    normalize::reading(&info).map_err(|error| error::in_disguise(answer, DescribeTaskInfo::API).unwrap_or(error))
}

fn segment(id: &str) -> Result<&str, Error> {
    flaw_of_id(id).map_or(Ok(id), |flaw| Err(Error::new(Reason::Rejected, format!("the id {id:?} {flaw}"))))
}

fn document<Document: DeserializeOwned>(answer: &Answer, api: &str) -> Result<Document, Error> {
    if answer.status.is_success() { json::read(&answer.body, "") } else { Err(error::classify(answer, api)) }
}

fn no_list(answer: &Answer, api: &str, field: &str) -> Error {
    let plain = || Error::new(Reason::Decode, format!("the answer has no `{field}`"));
    error::in_disguise(answer, api).unwrap_or_else(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;
    use http::{HeaderMap, StatusCode};

    fn endpoint() -> Endpoint {
        Endpoint::https("cs.cn-hangzhou.aliyuncs.com").unwrap()
    }

    fn keys() -> Keys {
        Keys { id: "id".into(), secret: "secret".into(), token: None }
    }

    fn stamp() -> Stamp {
        Stamp { at: "2026-01-02T03:04:05Z".parse().unwrap(), nonce: "0".repeat(32) }
    }

    fn answer(status: u16, body: &'static str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn addresses_are_the_documented_ones() {
        let access = Access { endpoint: &endpoint(), keys: &keys() };
        let address = |request: Request<Bytes>| request.uri().path_and_query().unwrap().to_string();
        let task = DescribeTaskInfo { access, task_id: "a/b" }.request(&stamp()).unwrap();
        assert_eq!(address(task), "/tasks/a%2Fb");
        let tasks = DescribeClusterTasks { access, cluster_id: "c1", page: 2 }.request(&stamp()).unwrap();
        assert_eq!(address(tasks), "/clusters/c1/tasks?page_number=2&page_size=100");
        let clusters = DescribeClustersV1 { access, region: "cn-hangzhou", page: 1 }.request(&stamp()).unwrap();
        assert_eq!(address(clusters), "/api/v1/clusters?page_number=1&page_size=100&region_id=cn-hangzhou");
    }

    #[test]
    fn no_error_repeats_a_secret() {
        let keys =
            Keys { id: "LTAI5tHUNTER2".into(), secret: "hunter/2secret".into(), token: Some("CAIS/hunter2+=".into()) };
        let access = Access { endpoint: &endpoint(), keys: &keys };
        let codes =
            ["SignatureDoesNotMatch", "InvalidParameter", "Throttling", "Forbidden.RAM", "InternalError", "400"];
        check(&DescribeTaskInfo { access, task_id: "T-1" }, &codes);
        check(&DescribeClusterTasks { access, cluster_id: "c1", page: 1 }, &codes);
        check(&DescribeClustersV1 { access, region: "r", page: 1 }, &codes);
    }

    #[test]
    fn an_id_stays_one_segment() {
        let access = Access { endpoint: &endpoint(), keys: &keys() };
        for task_id in ["", ".", "..", "a\nb", &"a".repeat(257)] {
            let error = DescribeTaskInfo { access, task_id }.request(&stamp()).unwrap_err();
            assert_eq!(error.reason(), Reason::Rejected, "{task_id:?}");
        }
    }

    #[test]
    fn an_answer_without_its_content_is_an_error() {
        let access = Access { endpoint: &endpoint(), keys: &keys() };
        let task = DescribeTaskInfo { access, task_id: "T-1" };
        let tasks = DescribeClusterTasks { access, cluster_id: "c1", page: 1 };
        let clusters = DescribeClustersV1 { access, region: "r", page: 1 };
        let reasons = |answer: Answer| {
            let failures = [task.reply(&answer).err(), tasks.reply(&answer).err(), clusters.reply(&answer).err()];
            failures.map(|error| error.map(|error| error.reason()))
        };
        assert_eq!(reasons(answer(200, "{}")), [Some(Reason::Decode); 3]);
        assert_eq!(reasons(answer(200, "<html></html>")), [Some(Reason::Decode); 3]);
        assert_eq!(reasons(answer(200, r#"{"code": "Throttling"}"#)), [Some(Reason::Throttled); 3]);
        assert_eq!(reasons(answer(502, "<html></html>")), [Some(Reason::Transport); 3]);
        let nothing = r#"{"state": "running", "page_info": {"total_count": "0"}, "tasks": null}"#;
        assert_eq!(reasons(answer(200, nothing)), [None; 3]);
    }
}
