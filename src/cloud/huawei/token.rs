//! A user's IAM token: made when first needed, renewed well before its end, and renewed once more when it is refused.
//!
//! Its age is measured from when it came, by the length of life IAM gave it, so that a clock that is off does no harm.

use super::api::{CreateToken, Issued, Site, User};
use super::project::is_project_id;
use super::time;
use crate::cloud::credentials::Flight;
use crate::cloud::{Client, Error, chain};
use crate::model::Reason;
use http::HeaderValue;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A token is renewed so long before its end; a short-lived one in the last quarter of its life.
const AHEAD: Duration = Duration::from_mins(30);
/// A renewal that failed is tried again so much later, while the old token lasts.
const AGAIN: Duration = Duration::from_mins(5);
/// Tokens live for a day; whatever IAM says, none counts as shorter or longer lived than this.
const LIVES: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24 * 30));

/// A token to show.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) value: HeaderValue,
    pub(super) project_id: Arc<str>,
    /// Tells it from the one that replaces it.
    pub(super) number: u64,
}

/// The tokens of one user, one at a time.
#[derive(Debug)]
pub(super) struct Tokens {
    user: User,
    /// Where the config says it.
    project_id: Option<Arc<str>>,
    held: Mutex<Option<Held>>,
    flight: Flight,
}

#[derive(Clone, Debug)]
struct Held {
    token: Token,
    renew_at: Instant,
    ends_at: Instant,
}

impl Tokens {
    /// The tokens of a user, for that project or else for the one of the region's name.
    pub(super) fn new(user: User, project_id: Option<Arc<str>>) -> Self {
        Self { user, project_id, held: Mutex::default(), flight: Flight::default() }
    }

    /// A token that has not ended.
    ///
    /// # Errors
    /// Why IAM gave none.
    pub(super) async fn current(&self, client: &Client, site: &Site) -> Result<Token, Error> {
        let now = Instant::now();
        match self.lasting(now) {
            Some(held) if now < held.renew_at => Ok(held.token),
            Some(held) => Ok(self.renew_ahead(held.token, client, site).await),
            None => {
                self.flight.share(|| self.lasting(now).map(|held| held.token), self.make(client, site, false)).await
            }
        }
    }

    /// A token in place of one that was refused.
    ///
    /// # Errors
    /// Why IAM gave none.
    pub(super) async fn after(&self, refused: u64, client: &Client, site: &Site) -> Result<Token, Error> {
        let newer = || self.held().as_ref().map(|held| held.token.clone()).filter(|token| token.number != refused);
        self.flight.share(newer, self.make(client, site, false)).await
    }

    /// A new token if IAM gives one, else the old one, which lasts a while yet.
    async fn renew_ahead(&self, old: Token, client: &Client, site: &Site) -> Token {
        let Some(_turn) = self.flight.try_turn() else { return old };
        let now = Instant::now();
        if let Some(held) = self.held().as_mut() {
            if now < held.renew_at {
                // Whoever had the turn before us has renewed it.
                return held.token.clone();
            }
            held.renew_at = now + AGAIN;
        }
        self.make(client, site, true).await.unwrap_or_else(|error| {
            let account = &client.account().account;
            tracing::warn!(%account, error = chain(&error), "the IAM token cannot be renewed; the old one lasts on");
            old
        })
    }

    async fn make(&self, client: &Client, site: &Site, ahead: bool) -> Result<Token, Error> {
        let project_id = self.project_id.as_deref();
        let issued = client.call(&CreateToken { site, user: &self.user, project_id, ahead }).await?;
        let (expires_at, life) = life_of(&issued)?;
        let project_id = self.project_of(&issued)?;
        let now = Instant::now();
        let mut held = self.held();
        let number = held.as_ref().map_or(1, |held| held.token.number + 1);
        let token = Token { value: issued.value, project_id, number };
        let ends_at = now + life;
        *held = Some(Held { token: token.clone(), renew_at: ends_at - AHEAD.min(life / 4), ends_at });
        drop(held);
        client.observe().credentials_expire(client.account(), Some(expires_at));
        Ok(token)
    }

    fn project_of(&self, issued: &Issued) -> Result<Arc<str>, Error> {
        if let Some(configured) = &self.project_id {
            return Ok(Arc::clone(configured));
        }
        let told = issued.facts.token.project.as_ref().map(|project| &*project.id);
        let sane = told.filter(|id| is_project_id(id)).map(Arc::from);
        sane.ok_or_else(|| Error::new(Reason::Rejected, "the IAM token names no project; set `project_id`"))
    }

    fn lasting(&self, now: Instant) -> Option<Held> {
        self.held().clone().filter(|held| now < held.ends_at)
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a token ends, and how long it lives, both by IAM's clock.
fn life_of(issued: &Issued) -> Result<(Timestamp, Duration), Error> {
    let facts = &issued.facts.token;
    let missing = || Error::new(Reason::Decode, "the IAM token does not say when it was issued and when it ends");
    let expires_at = time::parse(&facts.expires_at).ok_or_else(missing)?;
    let issued_at = time::parse(&facts.issued_at).ok_or_else(missing)?;
    let life = Duration::try_from(expires_at.duration_since(issued_at)).unwrap_or_default();
    Ok((expires_at, life.clamp(LIVES.0, LIVES.1)))
}
