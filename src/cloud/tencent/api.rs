//! The three actions that are asked: their parameters, their quotas, their replies.
//!
//! Quotas are the lowest the vendor has documented: 2 a second on the pages of 2018 to 2025 of the international site.

use super::access::Access;
use super::answer;
use super::id::TaskId;
use super::wire::{DescribedJob, DescribedJobs, DescribedTask};
use crate::cloud::{Answer, Call, Error, Stamp};
use bytes::Bytes;
use serde::Serialize;

/// The most rows of a task one answer may hold.
pub(super) const MOST_ROWS: usize = 1000;
/// The most jobs one answer may hold.
pub(super) const MOST_JOBS: usize = 100;

/// Which part of a list to answer with.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// One task: its state, its counts and a page of its instances.
#[derive(Debug)]
pub(super) struct DescribeTask<'a> {
    pub(super) access: Access<'a>,
    pub(super) id: &'a TaskId<'a>,
    /// None for API 2.0, which knows no pages of instances.
    pub(super) page: Option<Page>,
}

impl Call for DescribeTask<'_> {
    type Reply = DescribedTask;
    const API: &'static str = "DescribeTask";
    const RATE: f64 = 2.0;

    fn request(&self, stamp: &Stamp) -> Result<http::Request<Bytes>, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Parameters<'a> {
            job_id: &'a str,
            task_name: &'a str,
            #[serde(flatten)]
            page: Option<Page>,
        }
        let parameters = Parameters { job_id: self.id.job, task_name: self.id.task, page: self.page };
        self.access.request(Self::API, &parameters, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.access.keys.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Self::Reply, Error> {
        answer::read(answer)
    }
}

/// One job: the names of its tasks.
#[derive(Debug)]
pub(super) struct DescribeJob<'a> {
    pub(super) access: Access<'a>,
    pub(super) job: &'a str,
}

impl Call for DescribeJob<'_> {
    type Reply = DescribedJob;
    const API: &'static str = "DescribeJob";
    const RATE: f64 = 2.0;

    fn request(&self, stamp: &Stamp) -> Result<http::Request<Bytes>, Error> {
        self.access.request(Self::API, &serde_json::json!({ "JobId": self.job }), stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.access.keys.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Self::Reply, Error> {
        answer::read(answer)
    }
}

/// A condition on the jobs of a list: one of the values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

/// A page of the jobs that meet every filter.
#[derive(Debug)]
pub(super) struct DescribeJobs<'a> {
    pub(super) access: Access<'a>,
    pub(super) filters: &'a [Filter],
    pub(super) page: Page,
}

impl Call for DescribeJobs<'_> {
    type Reply = DescribedJobs;
    const API: &'static str = "DescribeJobs";
    const RATE: f64 = 2.0;

    fn request(&self, stamp: &Stamp) -> Result<http::Request<Bytes>, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Parameters<'a> {
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            filters: &'a [Filter],
            #[serde(flatten)]
            page: Page,
        }
        self.access.request(Self::API, &Parameters { filters: self.filters, page: self.page }, stamp)
    }

    fn secrets(&self) -> Vec<&str> {
        self.access.keys.secrets()
    }

    fn reply(&self, answer: &Answer) -> Result<Self::Reply, Error> {
        answer::read(answer)
    }
}
