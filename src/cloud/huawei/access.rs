//! How an account shows who it is, with a signature or with a token, and which project it asks in.

use super::api::{Proof, Site};
use super::credentials::{Aside, Carries, Credentials, Said};
use super::project::Project;
use crate::cloud::credentials::{Keyring, Keys};
use crate::cloud::{Client, Error};
use std::sync::Arc;

/// The credentials at work.
#[derive(Debug)]
pub(super) struct Access {
    keyring: Keyring,
    carries: Carries,
    aside: Arc<Aside>,
    project: Project,
}

/// Who asks, and in which project.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) proof: Proof,
    pub(super) project_id: Arc<str>,
}

impl Access {
    /// `project_id`: where the config says it.
    pub(super) fn new(credentials: Credentials, project_id: Option<Arc<str>>) -> Self {
        let Credentials { source, carries, aside } = credentials;
        Self { keyring: Keyring::new(source), carries, aside, project: Project::new(project_id) }
    }

    /// What its keys, or the tokens in place of them, are in.
    pub(super) const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether IAM may have to be asked for the project.
    pub(super) fn may_look_up_its_project(&self) -> bool {
        !self.project.is_known() && self.carries != Carries::TokenOfProject
    }

    /// What a request with those keys carries. The config's project goes before the one that the source of the keys
    /// named, and that before the one that IAM says.
    ///
    /// # Errors
    /// Why IAM was not able to say it.
    pub(super) async fn asker(&self, keys: Arc<Keys>, client: &Client, site: &Site) -> Result<Asker, Error> {
        let proof = match self.carries {
            Carries::Signature => Proof::Key(keys),
            Carries::Token | Carries::TokenOfProject => Proof::Token(keys),
        };
        let Said { project_id, iam } = self.aside.said();
        let project_id = if let Some(said) = project_id.filter(|_| !self.project.is_known()) {
            said
        } else {
            let site = Site { iam: iam.unwrap_or_else(|| site.iam.clone()), ..site.clone() };
            self.project.id(client, &site, &proof).await?
        };
        Ok(Asker { proof, project_id })
    }

    /// A request failed.
    pub(super) fn failed(&self, error: &Error) {
        self.project.failed(error);
    }
}
