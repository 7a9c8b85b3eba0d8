//! Several sources, asked in a vendor's order until one has keys.

use super::{Found, Source};
use crate::cloud::{Client, Error, chain};
use futures_util::future::{BoxFuture, FutureExt};
use std::sync::{Mutex, PoisonError};

/// A vendor's default chain.
#[derive(Debug)]
pub(in crate::cloud) struct Chain {
    sources: Vec<Box<dyn Source>>,
    /// The source that had keys last, by its place. It is asked first the next time, as the vendors' tools do, so that an
    /// account does not change to other keys behind its owner's back.
    last: Mutex<Option<usize>>,
}

impl Chain {
    /// A chain of these sources, in that order.
    pub(in crate::cloud) fn new(sources: Vec<Box<dyn Source>>) -> Self {
        Self { sources, last: Mutex::default() }
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = last.and_then(|place| self.sources.get(place)) {
            match source.keys(client).await {
                Ok(Found::Nothing(_)) => {}
                result => return result,
            }
        }
        let mut reasons = Vec::new();
        for (place, source) in self.sources.iter().enumerate().filter(|(place, _)| Some(*place) != last) {
            match source.keys(client).await {
                Ok(Found::Keys(given)) => {
                    self.settle(place, &reasons, client);
                    return Ok(Found::Keys(given));
                }
                Ok(Found::Nothing(why)) => reasons.push(format!("{}: {why}", source.describe())),
                Err(error) => reasons.push(format!("{}: {}", source.describe(), chain(&error))),
            }
        }
        Ok(Found::Nothing(reasons.join("; ")))
    }

    fn settle(&self, place: usize, passed_over: &[String], client: &Client) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        let account = client.account();
        let source = self.sources.get(place).map(|source| source.describe()).unwrap_or_default();
        let passed_over = passed_over.join("; ");
        tracing::info!(provider = %account.provider, account = %account.account, source, passed_over, "found credentials");
    }
}

impl Source for Chain {
    fn describe(&self) -> String {
        "the vendor's default sources".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
