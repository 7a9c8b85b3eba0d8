//! Tencent Cloud Batch: an account, how its tasks are read, and how it is set up.
//!
//! The actions are in `api`, the two signatures in `sign` and `legacy`, all judgement in `normalize`.

mod access;
mod answer;
mod api;
mod config;
mod credentials;
mod error;
mod find;
mod id;
pub mod legacy;
mod normalize;
mod setup;
pub mod sign;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use config::Section;

use super::credentials::{Keyring, Keys};
use super::{Answer, Call, Client, Cloud, Error, MAX_PAGES, PAGE_CAP_ROWS};
use crate::model::{Provider, Reading, Reason, Task};
use access::{Access, Dialect, Site};
use api::{DescribeTask, MOST_ROWS, Page};
use futures_util::future::{BoxFuture, FutureExt};
use id::TaskId;
use normalize::{RowFacts, Rows};
use std::sync::Arc;
use wire::DescribedTask;

/// The cloud's name in labels.
pub const PROVIDER: Provider = Provider::new("tencent");

/// The counts of a task come with any page; this is the cheapest.
const COUNTS: Page = Page { offset: 0, limit: 1 };

/// One account in one region.
#[derive(Debug)]
struct Tencent {
    client: Client,
    site: Site,
    keyring: Keyring,
}

impl Cloud for Tencent {
    fn read<'a>(&'a self, task_id: &'a str, previous: Option<&'a Task>) -> BoxFuture<'a, Result<Reading, Error>> {
        self.read_task(task_id, previous).boxed()
    }

    fn api_of(&self, _: &str) -> &'static str {
        DescribeTask::API
    }

    fn reread_credentials(&self) {
        self.keyring.reread();
    }
}

impl Tencent {
    async fn read_task(&self, task_id: &str, previous: Option<&Task>) -> Result<Reading, Error> {
        let Some(id) = TaskId::parse(task_id) else { return Err(no_task(task_id)) };
        let answer = self.describe(&id, COUNTS).await?;
        let rows = self.row_facts(&id, &answer, previous).await?;
        Ok(normalize::reading(&id, &answer, rows, previous))
    }

    /// What the rows tell: of this answer, of further ones, or of the time before if nothing can have changed.
    async fn row_facts(
        &self,
        id: &TaskId<'_>,
        answer: &DescribedTask,
        previous: Option<&Task>,
    ) -> Result<RowFacts, Error> {
        let whole = holds(answer.rows().len(), answer);
        if whole || self.site.dialect != Dialect::Current {
            let mut rows = Rows::default();
            rows.add(answer.rows());
            return Ok(rows.finish(whole));
        }
        if normalize::wants_rows(answer, previous) {
            return self.read_rows(id).await;
        }
        Ok(previous.map(RowFacts::carried_over).unwrap_or_default())
    }

    /// Every row, as far as the page cap goes; each page is forgotten before the next is asked for.
    async fn read_rows(&self, id: &TaskId<'_>) -> Result<RowFacts, Error> {
        let mut rows = Rows::default();
        let mut page = Page { offset: 0, limit: MOST_ROWS };
        for _ in 0..MAX_PAGES {
            let answer = self.describe_within_limits(id, &mut page).await?;
            rows.add(answer.rows());
            page.offset += answer.rows().len();
            let whole = holds(page.offset, &answer);
            if whole || answer.rows().is_empty() {
                return Ok(rows.finish(whole));
            }
            // A page may hold more than was asked for.
            if page.offset >= PAGE_CAP_ROWS {
                break;
            }
        }
        Ok(rows.finish(false))
    }

    /// One page; a smaller one where the answer would be larger than the vendor sends.
    async fn describe_within_limits(&self, id: &TaskId<'_>, page: &mut Page) -> Result<DescribedTask, Error> {
        loop {
            match self.describe(id, *page).await {
                Err(error) if error.code() == error::TOO_LARGE && page.limit > 1 => page.limit /= 2,
                result => return result,
            }
        }
    }

    async fn describe(&self, id: &TaskId<'_>, page: Page) -> Result<DescribedTask, Error> {
        // API 2.0 answers with every instance and refuses parameters it does not know.
        let page = (self.site.dialect == Dialect::Current).then_some(page);
        let ask = |keys: Arc<Keys>| async move {
            self.client.call(&DescribeTask { access: self.access(&keys), id, page }).await
        };
        self.keyring.with(&self.client, ask).await
    }

    const fn access<'a>(&'a self, keys: &'a Keys) -> Access<'a> {
        Access { site: &self.site, keys }
    }
}

/// What one whole answer to DescribeTask says of a task: the way of every answer of a poll, without the request.
///
/// # Errors
/// The vendor's error, or why the answer cannot be read.
pub fn read_answer(task_id: &str, answer: &Answer) -> Result<Reading, Error> {
    let Some(id) = TaskId::parse(task_id) else { return Err(no_task(task_id)) };
    let task: DescribedTask = answer::read(answer)?;
    let mut rows = Rows::default();
    rows.add(task.rows());
    Ok(normalize::reading(&id, &task, rows.finish(holds(task.rows().len(), &task)), None))
}

fn no_task(task_id: &str) -> Error {
    Error::new(Reason::Rejected, format!("{task_id:?} is no task; expected JOB/TASK"))
}

/// Whether so many rows are all there are.
fn holds(rows: usize, answer: &DescribedTask) -> bool {
    u64::try_from(rows).is_ok_and(|rows| rows >= answer.task_instance_total_count)
}
