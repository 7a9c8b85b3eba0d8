//! Where an account's keys and tokens come from: the sources of Huawei Cloud's own tools, one file each, in the order of its
//! SDKs.
//!
//! Facts: `huaweicloudsdkcore` 3.1.219, whose chain is OIDC, environment, profile, metadata service, pod identity. Off an
//! ECS that chain breaks off at the metadata service, so here pod identity, which has to be switched on, goes before it.
//! When a source is asked again is the keyring's business.

mod agency;
mod aside;
mod config;
mod environment;
mod federation;
mod given_token;
mod instance_role;
mod oidc;
mod options;
mod pod_identity;
mod profile;
mod sts;
mod temporary;
mod user;

pub(super) use aside::{Aside, Said};
pub(super) use config::{Section, Surrounded, endpoint_in};

use super::api::Site;
use super::project::is_project_id;
use crate::cloud::Error;
use crate::cloud::credentials::{Chain, Keys, Source};
use crate::cloud::settings::{Endpoint, Environment, NearbyEndpoint};
use crate::model::Reason;
use environment::EnvironmentKeys;
use instance_role::InstanceRole;
use oidc::Oidc;
use pod_identity::PodIdentity;
use profile::Profile;
use secrecy::SecretString;
use std::sync::Arc;

/// A source and what its keys are for.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) source: Box<dyn Source>,
    pub(super) carries: Carries,
    /// What the source says beside keys.
    pub(super) aside: Arc<Aside>,
}

impl Credentials {
    /// Their part of [`Prepared::settings`](crate::cloud::Prepared::settings): where keys come from, never the keys.
    pub(super) fn settings(&self) -> String {
        format!("{:?} {:?}", self.source, self.carries)
    }
}

/// What requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// A signature.
    Signature,
    /// An IAM token.
    Token,
    /// An IAM token that says which project it is for.
    TokenOfProject,
}

/// What sources look at and ask.
#[derive(Clone, Debug)]
struct Surroundings {
    environment: Environment,
    site: Site,
    /// The config says where IAM is, whatever a profile says.
    iam_is_given: bool,
    sts: Endpoint,
    metadata: NearbyEndpoint,
    aside: Arc<Aside>,
}

impl Surroundings {
    fn default_chain(&self) -> Chain {
        let sources: Vec<Box<dyn Source>> = vec![
            Box::new(Oidc::from_variables(self)),
            Box::new(EnvironmentKeys { surroundings: self.clone() }),
            Box::new(Profile { file: None, surroundings: self.clone() }),
            Box::new(PodIdentity { uri: None, token_file: None, environment: self.environment.clone() }),
            Box::new(InstanceRole { metadata: self.metadata.clone() }),
        ];
        Chain::new(sources)
    }

    /// Notes the project that the environment names.
    fn note_project_of_environment(&self) -> Result<(), Error> {
        const NAME: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
        let project_id = self.environment.get(NAME).map(|id| project_id(NAME, &id)).transpose()?;
        self.aside.note(Said { project_id, iam: None });
        Ok(())
    }
}

fn project_id(name: &str, text: &str) -> Result<Arc<str>, Error> {
    let text = text.trim();
    if is_project_id(text) {
        return Ok(text.into());
    }
    let message = format!("{name} is no project id; expected one such as 0123456789abcdef0123456789abcdef");
    Err(Error::new(Reason::Denied, message))
}

/// A text that becomes part of a header: one without blanks and other characters that no key has.
fn key(name: &str, text: &str) -> Result<SecretString, Error> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.into());
    }
    let message =
        format!("{name} is empty or has a blank or another character that no key has; expected the key alone");
    Err(Error::new(Reason::Denied, message))
}

/// An IAM token, in place of a key.
fn token_alone(token: SecretString) -> Keys {
    Keys { id: SecretString::default(), secret: SecretString::default(), token: Some(token) }
}

#[cfg(test)]
mod tests;
