//! Several sources, asked in a vendor's order until one has keys.

use super::{Found, Given, Source};
use crate::cloud::{Client, Error, chain};
use futures_util::future::{BoxFuture, FutureExt};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Keys that were found only because a source before theirs failed are asked for again so much later.
const DOUBTED: Duration = Duration::from_mins(5);

/// A vendor's default chain.
#[derive(Debug)]
pub(in crate::cloud) struct Chain {
    sources: Vec<Box<dyn Source>>,
    last: Mutex<Last>,
}

/// Where keys were found last, by places in the chain.
#[derive(Clone, Debug, Default)]
struct Last {
    /// The source that had some. It is asked first the next time, as the vendors' tools do, so that an account does not
    /// change to other keys behind its owner's back.
    found: Option<usize>,
    /// Sources that failed before it was asked: theirs may be the keys that were meant, so they go before it.
    failed: Vec<usize>,
}

/// Why sources that were asked had no keys.
#[derive(Default)]
struct PassedOver {
    reasons: Vec<String>,
    failed: Vec<usize>,
}

impl Chain {
    /// A chain of these sources, in that order.
    pub(in crate::cloud) fn new(sources: Vec<Box<dyn Source>>) -> Self {
        Self { sources, last: Mutex::default() }
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = last.failed.iter().copied().chain(last.found);
        let others = (0..self.sources.len()).filter(|place| !last.failed.contains(place) && last.found != Some(*place));
        let mut passed_over = PassedOver::default();
        for (place, source) in first.chain(others).filter_map(|place| Some((place, self.sources.get(place)?))) {
            match source.keys(client).await {
                Ok(Found::Keys(given)) => return Ok(Found::Keys(self.settle(place, given, passed_over, client))),
                Ok(Found::Nothing(why)) => passed_over.reasons.push(format!("{}: {why}", source.describe())),
                Err(error) if last.found == Some(place) => return Err(error),
                Err(error) => {
                    passed_over.reasons.push(format!("{}: {}", source.describe(), chain(&error)));
                    passed_over.failed.push(place);
                }
            }
        }
        Ok(Found::Nothing(passed_over.reasons.join("; ")))
    }

    fn settle(&self, place: usize, given: Given, passed_over: PassedOver, client: &Client) -> Given {
        let PassedOver { reasons, failed } = passed_over;
        let given = if failed.is_empty() { given } else { given.doubted_after(DOUBTED) };
        let last = Last { found: Some(place), failed };
        let before = std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), last);
        if before.found != Some(place) {
            let account = client.account();
            let source = self.sources.get(place).map(|source| source.describe()).unwrap_or_default();
            let passed_over = reasons.join("; ");
            tracing::info!(provider = %account.provider, account = %account.account, source, passed_over, "found credentials");
        }
        given
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

#[cfg(test)]
mod tests {
    use super::super::Keys;
    use super::super::tests::client;
    use super::*;
    use crate::model::Reason;
    use std::collections::VecDeque;

    /// Gives one answer after the other, the last for good: a name of `!` is a failure, none is nothing.
    #[derive(Debug)]
    struct Script(Mutex<VecDeque<&'static str>>);

    impl Source for Script {
        fn describe(&self) -> String {
            "a script".to_owned()
        }

        fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
            let mut answers = self.0.lock().unwrap();
            let name = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
            let keys = Keys { id: name.into(), secret: "secret".into(), token: None };
            let found = match name {
                "!" => Err(Error::new(Reason::Transport, "no answer")),
                "" => Ok(Found::Nothing("it is not there".to_owned())),
                _ => Ok(Found::Keys(Given::lasting(keys))),
            };
            async move { found }.boxed()
        }
    }

    /// What a chain of sources gives, time and again, and whether it is soon to be asked again.
    async fn names(sources: &[&[&'static str]], times: usize) -> Vec<String> {
        let script = |answers: &&[&'static str]| {
            Box::new(Script(Mutex::new(answers.iter().copied().collect()))) as Box<dyn Source>
        };
        let (chain, client) = (Chain::new(sources.iter().map(script).collect()), client());
        let mut names = Vec::new();
        for _ in 0..times {
            names.push(match chain.keys(&client).await {
                Ok(Found::Keys(given)) if given.again_after.is_some() => format!("{}?", given.keys().secrets()[0]),
                Ok(Found::Keys(given)) => given.keys().secrets()[0].to_owned(),
                Ok(Found::Nothing(why)) => why,
                Err(error) => error.to_string(),
            });
        }
        names
    }

    #[tokio::test]
    async fn the_source_that_had_keys_is_kept_to() {
        assert_eq!(names(&[&[""], &["a", "!", "a"], &["b"]], 3).await, ["a", "no answer", "a"]);
        assert_eq!(names(&[&["", "z"], &["a"]], 2).await, ["a", "a"], "a source that comes later is not changed to");
        assert_eq!(names(&[&[""], &["a", "", ""], &["b"]], 3).await, ["a", "b", "b"], "a source that is gone is left");
        assert_eq!(names(&[&["!"], &[""]], 1).await, ["a script: no answer; a script: it is not there"]);
    }

    #[tokio::test]
    async fn a_source_that_failed_keeps_its_place() {
        assert_eq!(names(&[&["!", "!", "a"], &["b"]], 4).await, ["b?", "b?", "a", "a"]);
        assert_eq!(names(&[&["!", ""], &["b"]], 3).await, ["b?", "b", "b"]);
    }
}
