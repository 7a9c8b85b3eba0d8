//! The keys an account signs with now: fetched when first needed, renewed before they end, read again when their file
//! changes or when they are refused. One fetch at a time, however many polls wait.
//!
//! Time is measured from when keys came, by the length of life they were given, so that a clock that is off does no harm.

use super::{Flight, Found, Given, Keys, Source, Stamp};
use crate::cloud::{Client, Error, chain};
use crate::model::Reason;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keys are renewed so long before their end; short-lived ones in the last quarter of their life.
const AHEAD: Duration = Duration::from_mins(15);
/// A renewal that failed, or brought the same keys, is tried again so much later, while the old keys last.
const AGAIN: Duration = Duration::from_mins(1);
/// How often files are looked at for a change.
const LOOK: Duration = Duration::from_secs(5);
/// Refused keys are asked for again no sooner than this after they came.
const SETTLED: Duration = Duration::from_secs(5);

/// The keys of one account.
#[derive(Debug)]
pub(in crate::cloud) struct Keyring {
    source: Box<dyn Source>,
    held: Mutex<Option<Held>>,
    flight: Flight,
}

#[derive(Clone, Debug)]
struct Held {
    keys: Arc<Keys>,
    came: Instant,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
    /// Shared: every poll takes a copy of what is held.
    stamps: Arc<[Stamp]>,
    /// When to look at the files next.
    look_at: Instant,
    /// A failed renewal is in the log.
    complained: bool,
}

impl Keyring {
    /// A keyring that asks that source.
    pub(in crate::cloud) fn new(source: Box<dyn Source>) -> Self {
        Self { source, held: Mutex::default(), flight: Flight::default() }
    }

    /// Makes a request with the keys there are; a second time, where they are refused and the source has others.
    ///
    /// # Errors
    /// Why there are no keys, or the request's own error.
    pub(in crate::cloud) async fn with<T, F>(
        &self,
        client: &Client,
        ask: impl Fn(Arc<Keys>) -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let keys = self.current(client).await?;
        let error = match ask(Arc::clone(&keys)).await {
            Err(error) if error.stops_account() || error.is_stale_token() => error,
            result => return result,
        };
        if let Some(keys) = self.instead_of(&keys, client).await {
            return ask(keys).await.inspect_err(|error| client.credentials_refused(error));
        }
        client.credentials_refused(&error);
        Err(error)
    }

    /// Keys that have not ended.
    ///
    /// # Errors
    /// Why the source gave none.
    pub(in crate::cloud) async fn current(&self, client: &Client) -> Result<Arc<Keys>, Error> {
        let now = Instant::now();
        match self.lasting(now) {
            Some(held) if !self.is_due(&held, now) => Ok(held.keys),
            Some(held) => Ok(self.renew_ahead(held, client).await),
            None => {
                let held = || self.lasting(Instant::now()).map(|held| held.keys);
                self.flight.share(held, self.fetch(client)).await
            }
        }
    }

    /// Its part of [`Prepared::settings`](crate::cloud::Prepared::settings): where the keys come from, never the keys.
    pub(in crate::cloud) fn settings(&self) -> String {
        format!("{:?}", self.source)
    }

    /// Has the source asked again at the next need, whatever it gave last.
    pub(in crate::cloud) fn reread(&self) {
        if let Some(held) = self.held().as_mut() {
            held.renew_at = Some(Instant::now());
        }
    }

    /// Other keys than those that were refused, if the source has any.
    pub(in crate::cloud) async fn instead_of(&self, refused: &Arc<Keys>, client: &Client) -> Option<Arc<Keys>> {
        let held = || self.held().clone();
        let newer = || held().map(|held| held.keys).filter(|keys| !Arc::ptr_eq(keys, refused));
        let settled = || held().is_none_or(|held| held.came.elapsed() >= SETTLED);
        let fetched = self
            .flight
            .share(newer, async { if settled() { self.fetch(client).await } else { Ok(Arc::clone(refused)) } });
        match fetched.await {
            Ok(keys) => Some(keys).filter(|keys| !Arc::ptr_eq(keys, refused)),
            Err(error) => {
                // The gate is about to close; new keys open it as soon as there are some.
                self.postpone(&error, client);
                None
            }
        }
    }

    /// New keys if the source gives some, else the old ones, which last a while yet.
    async fn renew_ahead(&self, old: Held, client: &Client) -> Arc<Keys> {
        let Some(_turn) = self.flight.try_turn() else { return old.keys };
        let current = self.held().clone();
        if let Some(held) = current.filter(|held| held.came != old.came) {
            // Whoever had the turn before us has renewed them.
            return held.keys;
        }
        match self.fetch(client).await {
            Ok(keys) => keys,
            Err(error) => {
                self.postpone(&error, client);
                old.keys
            }
        }
    }

    /// Asks the source.
    async fn fetch(&self, client: &Client) -> Result<Arc<Keys>, Error> {
        match self.source.keys(client).await? {
            Found::Keys(given) => Ok(self.take(given, client)),
            Found::Nothing(why) => {
                let message = format!("no credentials from {}", self.source.describe());
                // As its cause, since it may be long: a message is cut.
                Err(Error::new(Reason::Denied, message).with_source(why))
            }
        }
    }

    /// Keeps what the source gave.
    fn take(&self, Given { keys, end, again_after, stamps }: Given, client: &Client) -> Arc<Keys> {
        let now = Instant::now();
        let mut slot = self.held();
        let before = slot.take();
        let same = before.as_ref().map(|held| Arc::clone(&held.keys)).filter(|held| held.are(&keys));
        let (had, is_new) = (before.is_some(), same.is_none());
        let keys = same.unwrap_or_else(|| Arc::new(keys));
        let before_end = end.map(|end| {
            let ahead = AHEAD.min(end.left / 4);
            let planned = now + end.left.saturating_sub(ahead);
            if is_new { planned } else { planned.max(now + AGAIN.min(end.left / 4)) }
        });
        let renew_at = before_end.or_else(|| again_after.map(|pause| now + pause));
        *slot = Some(Held {
            keys: Arc::clone(&keys),
            came: now,
            renew_at,
            ends_at: end.map(|end| now + end.left),
            stamps: stamps.into(),
            look_at: now + LOOK,
            complained: false,
        });
        drop(slot);
        client.observe().credentials_expire(client.account(), end.map(|end| end.at));
        if is_new {
            // Also for the first keys: other ones may have been refused on the way to them.
            client.credentials_changed();
        }
        if is_new && had {
            let account = client.account();
            tracing::info!(provider = %account.provider, account = %account.account, "took new keys");
        }
        keys
    }

    /// Keeps the old keys and tries again later.
    fn postpone(&self, error: &Error, client: &Client) {
        let now = Instant::now();
        let mut slot = self.held();
        let Some(held) = slot.as_mut() else { return };
        held.renew_at = Some(now + AGAIN);
        held.stamps = Arc::default();
        if !std::mem::replace(&mut held.complained, true) {
            let account = client.account();
            let error = chain(error);
            tracing::warn!(provider = %account.provider, account = %account.account, error, "keys cannot be renewed; the old ones are kept while they last");
        }
    }

    /// Whether the source is to be asked again. Files are looked at now and then.
    fn is_due(&self, held: &Held, now: Instant) -> bool {
        if held.renew_at.is_some_and(|at| at <= now) {
            return true;
        }
        if held.stamps.is_empty() || now < held.look_at {
            return false;
        }
        if let Some(held) = self.held().as_mut() {
            held.look_at = now + LOOK;
        }
        held.stamps.iter().any(Stamp::is_outdated)
    }

    fn lasting(&self, now: Instant) -> Option<Held> {
        self.held().clone().filter(|held| held.ends_at.is_none_or(|end| now < end))
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::credentials::tests::client;
    use crate::cloud::settings::{Environment, SecretRef};
    use futures_util::future::{BoxFuture, FutureExt, join_all};
    use jiff::{SignedDuration, Timestamp};
    use secrecy::ExposeSecret;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::sleep;

    /// Gives keys one after the other, each for so many seconds (0: for good; -1: for now); a name of `!` is a failure.
    #[derive(Debug, Default)]
    struct Script {
        answers: Mutex<VecDeque<(&'static str, i64)>>,
        asked: Arc<AtomicUsize>,
    }

    impl Source for Script {
        fn describe(&self) -> String {
            "a script".to_owned()
        }

        fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
            async move {
                self.asked.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(100)).await;
                let mut answers = self.answers.lock().unwrap();
                let (name, seconds) = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
                let keys = Keys { id: name.into(), secret: "secret".into(), token: None };
                let told = Timestamp::UNIX_EPOCH;
                match (name, seconds) {
                    ("!", _) => Err(Error::new(Reason::Transport, "no answer")),
                    (_, 0) => Ok(Found::Keys(Given::lasting(keys))),
                    (_, -1) => Ok(Found::Keys(Given::for_now(keys, Duration::from_mins(5)))),
                    _ => Ok(Found::Keys(Given::until(keys, told + SignedDuration::from_secs(seconds), told))),
                }
            }
            .boxed()
        }
    }

    fn keyring(answers: &[(&'static str, i64)]) -> (Keyring, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let script = Script { answers: Mutex::new(answers.iter().copied().collect()), asked: Arc::clone(&asked) };
        (Keyring::new(Box::new(script)), asked)
    }

    async fn name(keyring: &Keyring, client: &Client) -> String {
        keyring.current(client).await.unwrap().id.expose_secret().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn many_polls_share_one_fetch() {
        let ((keyring, asked), client) = (keyring(&[("a", 3600)]), client());
        let polls = (0..50).map(|_| name(&keyring, &client));
        assert!(join_all(polls).await.iter().all(|name| name == "a"));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_renewed_before_they_end_and_polls_do_not_wait_for_it() {
        let ((keyring, asked), client) = (keyring(&[("a", 3600), ("b", 3600)]), client());
        assert_eq!(name(&keyring, &client).await, "a");
        sleep(Duration::from_mins(44)).await;
        assert_eq!(name(&keyring, &client).await, "a");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        sleep(Duration::from_mins(1)).await;
        let polls: Vec<String> = join_all((0..9).map(|_| name(&keyring, &client))).await;
        assert_eq!(polls.iter().filter(|name| *name == "b").count(), 1, "one poll renews, the others go on: {polls:?}");
        assert_eq!(name(&keyring, &client).await, "b");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_keeps_the_old_keys_while_they_last() {
        let ((keyring, asked), client) = (keyring(&[("a", 3600), ("!", 0)]), client());
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3590) {
            assert_eq!(name(&keyring, &client).await, "a");
            sleep(Duration::from_secs(10)).await;
        }
        let renewals = asked.load(Ordering::Relaxed);
        assert!((10..=17).contains(&renewals), "a try a minute, for a quarter of an hour: {renewals}");
        sleep(Duration::from_mins(1)).await;
        assert_eq!(keyring.current(&client).await.unwrap_err().reason(), Reason::Transport);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_keys_again_are_not_asked_for_without_end() {
        let ((keyring, asked), client) = (keyring(&[("a", 600)]), client());
        for _ in 0..590 {
            name(&keyring, &client).await;
            sleep(Duration::from_secs(1)).await;
        }
        let fetches = asked.load(Ordering::Relaxed);
        assert!(fetches < 10, "{fetches}");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_nobody_told_the_end_of_are_asked_for_again_and_kept_meanwhile() {
        let ((keyring, asked), client) = (keyring(&[("a", -1), ("!", 0), ("b", -1)]), client());
        let start = Instant::now();
        let mut names = Vec::new();
        while start.elapsed() < Duration::from_secs(500) {
            names.push(name(&keyring, &client).await);
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        assert!(names.is_sorted() && names[299] == "a" && names[499 - 5] == "b", "{names:?}");
    }

    fn refusal() -> Error {
        Error::new(Reason::Denied, "the token is not accepted").stale_token().stopping_account()
    }

    #[tokio::test(start_paused = true)]
    async fn refused_keys_are_asked_for_once_more() {
        let ((keyring, _), client) = (keyring(&[("a", 3600), ("b", 3600)]), client());
        assert_eq!(name(&keyring, &client).await, "a");
        sleep(SETTLED).await;
        let ask = |keys: Arc<Keys>| async move {
            if keys.id.expose_secret() == "a" { Err(refusal()) } else { Ok(keys.id.expose_secret().to_owned()) }
        };
        let asks = (0..5).map(|_| keyring.with(&client, ask));
        assert!(join_all(asks).await.into_iter().all(|result| result.unwrap() == "b"));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_keys_are_asked_for_again_soon_where_the_source_fails() {
        let ((keyring, _), client) = (keyring(&[("a", 36_000), ("!", 0), ("b", 36_000)]), client());
        assert_eq!(name(&keyring, &client).await, "a");
        sleep(SETTLED).await;
        keyring.with(&client, |_| async { Err::<(), _>(refusal()) }).await.unwrap_err();
        assert_eq!(name(&keyring, &client).await, "a");
        sleep(AGAIN).await;
        assert_eq!(name(&keyring, &client).await, "b");
    }

    #[tokio::test(start_paused = true)]
    async fn without_other_keys_the_refusal_stands_and_the_source_is_not_hammered() {
        let ((keyring, asked), client) = (keyring(&[("a", 0)]), client());
        let asks = (0..50).map(|_| keyring.with(&client, |_| async { Err::<(), _>(refusal()) }));
        assert!(join_all(asks).await.into_iter().all(|result| result.is_err()));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_is_read_again() {
        let path = std::env::temp_dir().join(format!("keyring-{}", std::process::id()));
        std::fs::write(&path, "first").unwrap();
        let reference = || SecretRef::File(path.clone());
        let environment = Environment::from_fn(|_| None);
        let named = crate::cloud::credentials::Named { id: reference(), secret: reference(), token: None, environment };
        let (keyring, client) = (Keyring::new(Box::new(named)), client());
        assert_eq!(name(&keyring, &client).await, "first");
        std::fs::write(&path, "the-second").unwrap();
        sleep(LOOK).await;
        assert_eq!(name(&keyring, &client).await, "the-second");
        std::fs::remove_file(&path).unwrap();
        sleep(LOOK).await;
        assert_eq!(name(&keyring, &client).await, "the-second", "a file that is gone takes no keys away");
        std::fs::write(&path, "third").unwrap();
        sleep(AGAIN).await;
        assert_eq!(name(&keyring, &client).await, "third");
        std::fs::remove_file(&path).unwrap();
    }
}
