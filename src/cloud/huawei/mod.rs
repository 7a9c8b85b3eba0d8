//! Huawei Cloud CCE: a job of a cluster, by its uid, and its sub-jobs.
//!
//! One account is one project of one region. There is no list to find jobs by: the config names them.

mod access;
mod api;
mod config;
mod credentials;
mod error;
mod normalize;
mod project;
pub mod sign;
mod time;
mod wire;

pub use config::Section;

use super::credentials::Keys;
use super::{Answer, Call, Client, Cloud, Error};
use crate::model::{Provider, Reading, Reason, Task};
use access::{Access, Asker};
use api::{ListProjects, ShowJob, Site};
use error::Shown;
use futures_util::future::BoxFuture;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The cloud's name.
pub const PROVIDER: Provider = Provider::new("huawei");

/// How many requests of an account may be under way: the vendor throttles a whole project for a minute.
const CONCURRENCY: usize = 4;
/// The vendor locks a key for five minutes after five bad signatures, for everybody who uses it.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);

/// One account of CCE.
#[derive(Debug)]
struct Cce {
    client: Client,
    site: Site,
    access: Access,
    /// Jobs of Autopilot clusters, which have an API of their own.
    autopilot: HashSet<Box<str>>,
}

impl Cloud for Cce {
    fn read<'a>(&'a self, task_id: &'a str, _: Option<&'a Task>) -> BoxFuture<'a, Result<Reading, Error>> {
        Box::pin(async move {
            if !is_job_id(task_id) {
                return Err(Error::new(Reason::Rejected, format!("{task_id:?} is no job id; expected {JOB_ID_FORM}")));
            }
            let ask = |keys: Arc<Keys>| async move {
                let asker = self.access.asker(keys, &self.client, &self.site).await?;
                self.show(task_id, &asker).await.inspect_err(|error| self.access.failed(error))
            };
            self.access.keyring().with(&self.client, ask).await
        })
    }

    fn api_of(&self, task_id: &str) -> &'static str {
        if self.autopilot.contains(task_id) { ShowJob::<true>::API } else { ShowJob::<false>::API }
    }

    fn reread_credentials(&self) {
        self.access.keyring().reread();
    }
}

impl Cce {
    async fn show(&self, job_id: &str, asker: &Asker) -> Result<Reading, Error> {
        let Asker { proof, project_id } = asker;
        let site = &self.site;
        let job = if self.autopilot.contains(job_id) {
            self.client.call(&ShowJob::<true> { site, project_id, job_id, proof }).await?
        } else {
            self.client.call(&ShowJob::<false> { site, project_id, job_id, proof }).await?
        };
        Ok(normalize::normalize(&job))
    }

    /// Makes known the quotas of what will be asked.
    fn announce(&self, targets: usize) {
        if self.autopilot.len() < targets {
            self.client.announce::<ShowJob<'_, false>>();
        }
        if !self.autopilot.is_empty() {
            self.client.announce::<ShowJob<'_, true>>();
        }
        if self.access.may_look_up_its_project() {
            self.client.announce::<ListProjects<'_>>();
        }
    }
}

/// What one answer to ShowJob says of a job, asked for with a signature: the way of every answer of a poll, without the
/// request.
///
/// # Errors
/// The vendor's error, or why the answer cannot be read.
pub fn read_answer(answer: &Answer) -> Result<Reading, Error> {
    Ok(normalize::normalize(&api::read_job(answer, Shown::Key)?))
}

const JOB_ID_FORM: &str = "up to 64 letters, digits and dashes, such as 354331b2c-229a-11e8-9c75-0255ac100ceb";

/// Whether a text can be a job's id: it becomes part of a path. The vendor's own sample is no UUID.
fn is_job_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}
