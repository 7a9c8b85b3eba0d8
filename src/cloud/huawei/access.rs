//! How an account shows who it is: with a signature, with a token that was given, or with tokens it has made.

use super::api::{Proof, Site, User};
use super::error::Shown;
use super::project::Project;
use super::token::{Token, Tokens};
use crate::cloud::credentials::Keyring;
use crate::cloud::header::secret_value;
use crate::cloud::{Client, Error, mark};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// What the config's credentials come to, once read.
#[derive(Debug)]
pub(super) enum Credentials {
    /// `access_key` and `secret_key`.
    Key(Keyring),
    /// `user_name`, `password` and `domain`.
    User(User),
    /// `token`.
    Token(SecretString),
}

impl Credentials {
    /// Their part of [`Prepared::settings`](crate::cloud::Prepared::settings).
    pub(super) fn settings(&self) -> String {
        match self {
            Self::Key(keyring) => keyring.settings(),
            Self::User(User { name, password, domain }) => mark(&[name, password.expose_secret(), domain]),
            Self::Token(token) => mark(&[token.expose_secret()]),
        }
    }
}

/// The credentials at work.
#[derive(Debug)]
pub(super) enum Access {
    /// Requests are signed.
    Key(Keyring, Project),
    /// Requests carry the token of the config.
    Token(HeaderValue, Project),
    /// Requests carry a token made for the user.
    User(Tokens),
}

/// Who asks, and in which project.
#[derive(Clone, Debug)]
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
            Credentials::Key(keyring) => Self::Key(keyring, Project::new(project_id)),
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
            Self::Key(keyring, project) => (Proof::Key(keyring.current(client).await?), project),
            Self::Token(token, project) => (Proof::Token(token.clone(), Shown::Token), project),
            Self::User(tokens) => return Ok(Asker::with(tokens.current(client, site).await?, Shown::AgedToken)),
        };
        let project_id = project.id(client, site, &proof).await?;
        Ok(Asker { proof, project_id, token_number: 0 })
    }

    /// Has keys read anew at the next need.
    pub(super) fn reread(&self) {
        if let Self::Key(keyring, _) = self {
            keyring.reread();
        }
    }

    /// A request failed for a reason that is not the token's.
    pub(super) fn failed(&self, error: &Error) {
        match self {
            Self::Key(_, project) | Self::Token(_, project) => project.failed(error),
            // IAM says the project with each token.
            Self::User(_) => {}
        }
    }

    /// What to carry instead of what was refused, if there is anything else.
    ///
    /// # Errors
    /// Why IAM gave no other token.
    pub(super) async fn instead_of(
        &self,
        refused: &Asker,
        client: &Client,
        site: &Site,
    ) -> Result<Option<Asker>, Error> {
        match (self, &refused.proof) {
            (Self::User(tokens), _) => {
                let token = tokens.after(refused.token_number, client, site).await?;
                Ok(Some(Asker::with(token, Shown::Token)))
            }
            (Self::Key(keyring, _), Proof::Key(keys)) => {
                let other = keyring.instead_of(keys, client).await;
                Ok(other.map(|keys| Asker { proof: Proof::Key(keys), ..refused.clone() }))
            }
            _ => Ok(None),
        }
    }
}

impl Asker {
    fn with(token: Token, shown: Shown) -> Self {
        let Token { value, project_id, number } = token;
        Self { proof: Proof::Token(value, shown), project_id, token_number: number }
    }
}
