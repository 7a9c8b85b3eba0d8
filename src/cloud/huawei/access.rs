//! How an account shows who it is: with a signature, with a token that was given, or with tokens it has made.

use super::api::{Proof, Site, User};
use super::error::Shown;
use super::project::Project;
use super::sign::AccessKey;
use super::token::{Token, Tokens};
use crate::cloud::header::secret_value;
use crate::cloud::{Client, Error};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// What the config's credentials come to, once read.
#[derive(Debug)]
pub(super) enum Credentials {
    /// `access_key` and `secret_key`.
    Key(AccessKey),
    /// `user_name`, `password` and `domain`.
    User(User),
    /// `token`.
    Token(SecretString),
}

/// The credentials at work.
#[derive(Debug)]
pub(super) enum Access {
    /// Requests are signed.
    Key(Arc<AccessKey>, Project),
    /// Requests carry the token of the config.
    Token(HeaderValue, Project),
    /// Requests carry a token made for the user.
    User(Tokens),
}

/// Who asks, and in which project.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) proof: Proof,
    pub(super) project_id: Arc<str>,
    token_number: u64,
}

impl Access {
    /// `project_id`: where the config says it.
    ///
    /// # Errors
    /// When a given token does not fit into a header.
    pub(super) fn new(credentials: Credentials, project_id: Option<Arc<str>>) -> Result<Self, Error> {
        Ok(match credentials {
            Credentials::Key(key) => Self::Key(Arc::new(key), Project::new(project_id)),
            Credentials::Token(token) => Self::Token(secret_value(token.expose_secret())?, Project::new(project_id)),
            Credentials::User(user) => Self::User(Tokens::new(user, project_id)),
        })
    }

    /// What the next request carries. IAM is asked for what is not known yet.
    ///
    /// # Errors
    /// Why IAM was not able to say it.
    pub(super) async fn asker(&self, client: &Client, site: &Site) -> Result<Asker, Error> {
        let (proof, project) = match self {
            Self::Key(key, project) => (Proof::Key(Arc::clone(key)), project),
            Self::Token(token, project) => (Proof::Token(token.clone(), Shown::Token), project),
            Self::User(tokens) => return Ok(Asker::with(tokens.current(client, site).await?, Shown::AgedToken)),
        };
        let project_id = project.id(client, site, &proof).await?;
        Ok(Asker { proof, project_id, token_number: 0 })
    }

    /// A request failed for a reason that is not the token's.
    pub(super) fn failed(&self, error: &Error) {
        match self {
            Self::Key(_, project) | Self::Token(_, project) => project.failed(error),
            // IAM says the project with each token.
            Self::User(_) => {}
        }
    }

    /// What to carry after a token was refused that may have ended. If that is refused too, the account stops.
    ///
    /// # Errors
    /// Why IAM gave no other token.
    pub(super) async fn renewed(&self, refused: &Asker, client: &Client, site: &Site) -> Result<Asker, Error> {
        match self {
            Self::User(tokens) => {
                Ok(Asker::with(tokens.after(refused.token_number, client, site).await?, Shown::Token))
            }
            Self::Key(..) | Self::Token(..) => self.asker(client, site).await,
        }
    }
}

impl Asker {
    fn with(token: Token, shown: Shown) -> Self {
        let Token { value, project_id, number } = token;
        Self { proof: Proof::Token(value, shown), project_id, token_number: number }
    }
}
