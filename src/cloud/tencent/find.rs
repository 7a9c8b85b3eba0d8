//! Finding tasks: those of a job the config names, and those of the jobs that meet its conditions.
//!
//! A list of jobs does not name their tasks, so each new job costs one request; after that a job's tasks are known, for
//! they never change.

use super::Tencent;
use super::api::{DescribeJob, DescribeJobs, Filter, MOST_JOBS, Page};
use super::id::{TaskId, is_job_id, is_task_name};
use super::normalize::instant;
use super::state::State;
use super::wire::{DescribedJobs, JobView};
use crate::clock;
use crate::cloud::credentials::Keys;
use crate::cloud::{Error, Find, MAX_PAGES};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Names = Arc<[Box<str>]>;

/// The tasks of one job.
#[derive(Debug)]
pub(super) struct TasksOfJob {
    pub(super) tencent: Arc<Tencent>,
    pub(super) job: Box<str>,
}

impl Find for TasksOfJob {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        async {
            let names = self.tencent.tasks_of(&self.job).await?;
            Ok(ids(&self.job, &names).collect())
        }
        .boxed()
    }
}

/// Which jobs are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    /// Every state where it is empty.
    pub(super) states: Vec<State>,
    pub(super) name: Option<Regex>,
    /// What the cloud itself is told to filter by.
    pub(super) filters: Vec<Filter>,
    pub(super) max_age: Option<SignedDuration>,
}

/// The tasks of the jobs that meet conditions.
#[derive(Debug)]
pub(super) struct Discovery {
    tencent: Arc<Tencent>,
    conditions: Conditions,
    limit: usize,
    /// Tasks of the jobs of the last list.
    known: Mutex<HashMap<Box<str>, Names>>,
}

impl Find for Discovery {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        self.discover(clock::now()).boxed()
    }
}

impl Discovery {
    /// `limit`: how many tasks at the most; those of the newest jobs.
    pub(super) fn new(tencent: Arc<Tencent>, conditions: Conditions, limit: usize) -> Self {
        Self { tencent, conditions, limit, known: Mutex::default() }
    }

    async fn discover(&self, now: Timestamp) -> Result<Vec<Box<str>>, Error> {
        let jobs = self.matching_jobs(now).await?;
        self.known().retain(|job, _| jobs.contains(job));
        let mut found = Vec::new();
        for job in &jobs {
            if found.len() >= self.limit {
                break;
            }
            found.extend(ids(job, &self.tasks_of(job).await?));
        }
        found.truncate(self.limit);
        Ok(found)
    }

    /// The ids of the jobs that meet the conditions, newest first.
    async fn matching_jobs(&self, now: Timestamp) -> Result<Vec<Box<str>>, Error> {
        let mut page = Page { offset: 0, limit: MOST_JOBS };
        let mut jobs = Vec::new();
        for _ in 0..MAX_PAGES {
            let answer = self.tencent.jobs(&self.conditions.filters, page).await?;
            let listed = answer.job_set.unwrap_or_default();
            page.offset += listed.len();
            let is_last = listed.is_empty() || u64::try_from(page.offset).is_ok_and(|rows| rows >= answer.total_count);
            jobs.extend(listed.into_iter().filter(|job| self.conditions.meets(job, now)));
            if is_last {
                return Ok(newest_first(jobs));
            }
        }
        let most = MAX_PAGES * MOST_JOBS;
        Err(Error::new(Reason::Rejected, format!("more than {most} jobs to look through; narrow `states` or `tags`")))
    }

    /// The names of a job's tasks; none for one that is gone since it was listed.
    async fn tasks_of(&self, job: &str) -> Result<Names, Error> {
        if let Some(names) = self.known().get(job) {
            return Ok(Arc::clone(names));
        }
        match self.tencent.tasks_of(job).await {
            Ok(names) => {
                let names: Names = names.into();
                self.known().insert(job.into(), Arc::clone(&names));
                Ok(names)
            }
            Err(error) if error.reason() == Reason::NotFound => Ok(Names::default()),
            Err(error) => Err(error),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Names>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tencent {
    async fn jobs(&self, filters: &[Filter], page: Page) -> Result<DescribedJobs, Error> {
        let ask = |keys: Arc<Keys>| async move {
            self.client.call(&DescribeJobs { access: self.access(&keys), filters, page }).await
        };
        self.keyring.with(&self.client, ask).await
    }

    async fn tasks_of(&self, job: &str) -> Result<Vec<Box<str>>, Error> {
        let ask =
            |keys: Arc<Keys>| async move { self.client.call(&DescribeJob { access: self.access(&keys), job }).await };
        let described = self.keyring.with(&self.client, ask).await?;
        // What the config would not take as a name is none, and would be kept for every task.
        Ok(described.task_set.into_iter().map(|task| task.task_name).filter(|name| is_task_name(name)).collect())
    }
}

impl Conditions {
    /// The cloud may have filtered already; of API 2.0 it cannot, and the vendor caps the values of a filter.
    fn meets(&self, job: &JobView, now: Timestamp) -> bool {
        let in_state =
            self.states.is_empty() || State::parse(&job.job_state).is_some_and(|state| self.states.contains(&state));
        let named =
            self.name.as_ref().is_none_or(|pattern| pattern.is_match(job.job_name.as_deref().unwrap_or_default()));
        let young = self.max_age.is_none_or(|max_age| {
            instant(job.create_time.as_deref()).is_none_or(|created| now.duration_since(created) <= max_age)
        });
        in_state && named && young
    }
}

/// Each job once, for a list shifts while it is read; and none whose id is no id.
fn newest_first(jobs: Vec<JobView>) -> Vec<Box<str>> {
    let mut seen = HashSet::new();
    let mut dated: Vec<(Option<Timestamp>, Box<str>)> = jobs
        .into_iter()
        .filter(|job| is_job_id(&job.job_id) && seen.insert(job.job_id.clone()))
        .map(|job| (instant(job.create_time.as_deref()), job.job_id))
        .collect();
    dated.sort_by(|left, right| right.cmp(left));
    dated.into_iter().map(|(_, job)| job).collect()
}

fn ids<'a>(job: &'a str, names: &'a [Box<str>]) -> impl Iterator<Item = Box<str>> + 'a {
    names.iter().map(move |task| TaskId { job, task }.to_string().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, name: &str, state: &str, created: &str) -> JobView {
        JobView {
            job_id: id.into(),
            job_name: Some(name.into()),
            job_state: state.into(),
            create_time: Some(created.into()),
        }
    }

    #[test]
    fn conditions_are_joined() {
        let now: Timestamp = "2026-01-08T00:00:00Z".parse().unwrap();
        let conditions = Conditions {
            states: vec![State::Running, State::Succeed],
            name: Some(Regex::new("^etl-").unwrap()),
            filters: Vec::new(),
            max_age: Some(SignedDuration::from_hours(24)),
        };
        for (name, state, created, expected) in [
            ("etl-1", "RUNNING", "2026-01-07T12:00:00Z", true),
            ("etl-1", "SUCCEEDED", "2026-01-07T12:00:00Z", true),
            ("etl-1", "FAILED", "2026-01-07T12:00:00Z", false),
            ("etl-1", "NEW_WORD", "2026-01-07T12:00:00Z", false),
            ("ml-1", "RUNNING", "2026-01-07T12:00:00Z", false),
            ("etl-1", "RUNNING", "2026-01-06T12:00:00Z", false),
            // A date we cannot read is no reason to hide a job.
            ("etl-1", "RUNNING", "", true),
        ] {
            assert_eq!(conditions.meets(&job("j", name, state, created), now), expected, "{name} {state} {created}");
        }
        assert!(Conditions::default().meets(&job("j", "", "NEW_WORD", ""), now));
    }

    #[test]
    fn jobs_come_newest_first_and_once() {
        let jobs = vec![
            job("old", "", "RUNNING", "2026-01-01T00:00:00Z"),
            job("new", "", "RUNNING", "2026-01-02T00:00:00Z"),
            job(&"j".repeat(1 << 20), "", "RUNNING", "2026-01-02T00:00:00Z"),
            job("job-1/A", "", "RUNNING", "2026-01-02T00:00:00Z"),
            job("old", "", "RUNNING", "2026-01-01T00:00:00Z"),
        ];
        assert_eq!(newest_first(jobs), ["new".into(), "old".into()]);
    }
}
