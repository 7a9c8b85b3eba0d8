//! The id of the project to ask in: configured, or looked up once by the region's name and remembered over restarts.
//!
//! What was remembered is believed until a request in that project fails in a way that a wrong project would explain: the
//! account's key may be another by now.

use super::api::{ListProjects, Proof, Site};
use super::wire::Projects;
use crate::cloud::credentials::Flight;
use crate::cloud::{Client, Error};
use crate::model::{AccountKey, Reason};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A project whose id may still have to be found.
#[derive(Debug)]
pub(super) struct Project {
    id: OnceLock<Arc<str>>,
    /// Whether not to believe what was remembered.
    doubted: AtomicBool,
    flight: Flight,
}

impl Project {
    /// `configured`: the id, where the config says it.
    pub(super) fn new(configured: Option<Arc<str>>) -> Self {
        Self {
            id: configured.map(OnceLock::from).unwrap_or_default(),
            doubted: AtomicBool::new(false),
            flight: Flight::default(),
        }
    }

    /// Whether the id is known without asking.
    pub(super) fn is_known(&self) -> bool {
        self.id.get().is_some()
    }

    /// The id; IAM is asked once, however many wait for it.
    ///
    /// # Errors
    /// Why IAM was not able to say it.
    pub(super) async fn id(&self, client: &Client, site: &Site, proof: &Proof) -> Result<Arc<str>, Error> {
        let known = || self.id.get().cloned().or_else(|| self.remembered(client, site));
        if let Some(id) = known() {
            return Ok(id);
        }
        let look_up = async {
            let id = only(&client.call_once(&ListProjects { site, proof }).await?, &site.region)?;
            let AccountKey { provider, account } = client.account();
            tracing::info!(%provider, account = %account, project_id = %id, "found the project of the region");
            client.remember(&memory_name(site), &id);
            Ok(Arc::clone(self.id.get_or_init(|| id)))
        };
        self.flight.share(known, look_up).await
    }

    /// A request failed: an id that was only remembered is looked up before the next one.
    pub(super) fn failed(&self, error: &Error) {
        if matches!(error.reason(), Reason::Denied | Reason::NotFound | Reason::Rejected) {
            self.doubted.store(true, Ordering::Relaxed);
        }
    }

    fn remembered(&self, client: &Client, site: &Site) -> Option<Arc<str>> {
        let believed = !self.doubted.load(Ordering::Relaxed);
        client.recall(&memory_name(site)).filter(|id| believed && is_project_id(id))
    }
}

/// The name of a region's project among what is remembered of an account.
fn memory_name(site: &Site) -> String {
    format!("project_id {}", site.region)
}

/// Whether a text can be a project's id: it becomes part of a path.
pub(super) fn is_project_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn only(found: &Projects, region: &str) -> Result<Arc<str>, Error> {
    let rejected = |what: &str| Error::new(Reason::Rejected, format!("{what}; set `project_id`"));
    match found.projects.as_slice() {
        [project] if is_project_id(&project.id) => Ok(project.id.as_ref().into()),
        [_] => Err(rejected(&format!("the project {region:?} has an id of an unknown kind"))),
        [] => Err(rejected(&format!("IAM shows this account no project {region:?}"))),
        several => Err(rejected(&format!("IAM shows this account {} projects {region:?}", several.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::json;

    #[test]
    fn one_project_is_the_project_and_any_other_number_is_an_error() {
        let look = |body: &str| {
            only(&json::read(body.as_bytes(), "").unwrap(), "cn-north-4").map_err(|error| error.to_string())
        };
        assert_eq!(look(r#"{"projects":[{"id":"0123abc","name":"cn-north-4"}],"links":{}}"#), Ok("0123abc".into()));
        assert_eq!(
            look(r#"{"projects":[]}"#),
            Err(r#"IAM shows this account no project "cn-north-4"; set `project_id`"#.to_owned())
        );
        assert_eq!(
            look(r#"{"projects":[{"id":"a"},{"id":"b"}]}"#),
            Err(r#"IAM shows this account 2 projects "cn-north-4"; set `project_id`"#.to_owned())
        );
        assert!(look(r#"{"projects":[{"id":"a/../b"}]}"#).is_err());
    }
}
