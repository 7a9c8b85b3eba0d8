//! Keys of an agency that other keys may assume.

use super::super::api::Proof;
use super::sts::{AssumeAgency, Session};
use crate::cloud::credentials::{Found, Source};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Client, Error};
use futures_util::future::{BoxFuture, FutureExt};
use std::sync::Arc;

/// An agency, and where the keys are that may assume it.
#[derive(Debug)]
pub(super) struct AssumedAgency {
    pub(super) session: Session,
    pub(super) external_id: Option<String>,
    pub(super) sts: Endpoint,
    pub(super) from: Box<dyn Source>,
}

impl AssumedAgency {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let from = match self.from.keys(client).await? {
            Found::Keys(given) => given,
            Found::Nothing(why) => return Ok(Found::Nothing(format!("{}: {why}", self.from.describe()))),
        };
        let proof = Proof::Key(Arc::new(from.keys().clone()));
        let external_id = self.external_id.as_deref();
        client.announce::<AssumeAgency<'_>>();
        let call = AssumeAgency { sts: &self.sts, session: &self.session, external_id, proof: &proof };
        Ok(Found::Keys(client.call_for_keys(&call).await?.got_with(from)))
    }
}

impl Source for AssumedAgency {
    fn describe(&self) -> String {
        format!("the agency {}", self.session.agency_urn)
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
