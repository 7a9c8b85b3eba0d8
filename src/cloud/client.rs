//! One call to a cloud: leave, quota, sign, send, classify, and try again signed anew.
//!
//! It knows no vendor: what is sent and how an answer is judged comes with the [`Call`].

use super::echo;
use super::gate::Gate;
use super::http::{Answer, Http};
use super::quota::Quota;
use super::requests;
use super::retry;
use super::settings::{Common, Outgoing};
use super::{Error, Retry, mark};
use crate::clock;
use crate::model::{AccountKey, Memory, Observe, Reason};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A request may be tried again until so many request timeouts have passed.
const DEADLINE_IN_TIMEOUTS: u32 = 3;

/// The instant and the nonce of one attempt: what makes its signature its own.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The time to sign, corrected by what the cloud said of our clock.
    pub at: Timestamp,
    /// 32 hexadecimal digits, new for every attempt.
    pub nonce: String,
}

/// One API action with its parameters: how to ask, and how to read what comes back.
pub trait Call: Send + Sync {
    /// What a good answer holds.
    type Reply: Send;
    /// The vendor's name for the action; quota, metrics and logs use it.
    const API: &'static str;
    /// The vendor's documented requests per second.
    const RATE: f64;

    /// The signed request of one attempt. Called anew for every attempt: a nonce may not be sent twice and a timestamp ages.
    ///
    /// # Errors
    /// When the parameters cannot be put on the wire.
    fn request(&self, stamp: &Stamp) -> Result<http::Request<Bytes>, Error>;

    /// What a good answer says; any other answer classified by the vendor's table.
    ///
    /// # Errors
    /// The vendor's error, or [`Reason::Decode`].
    fn reply(&self, answer: &Answer) -> Result<Self::Reply, Error>;

    /// The keys and tokens of the request, which an answer may repeat and an error may not.
    fn secrets(&self) -> Vec<&str>;
}

/// What all accounts of the process share.
#[derive(Clone, Debug)]
pub struct Shared {
    pools: Arc<Pools>,
    observe: Arc<dyn Observe>,
    memory: Option<Arc<dyn Memory>>,
}

impl Shared {
    /// No connection yet, and nothing remembered.
    pub fn new(observe: Arc<dyn Observe>) -> Self {
        Self { pools: Arc::default(), observe, memory: None }
    }

    /// The same with a memory of what clouds need not be asked again.
    #[must_use]
    pub fn remembering(self, memory: Arc<dyn Memory>) -> Self {
        Self { memory: Some(memory), ..self }
    }
}

/// Pools of connections, one for each way out.
#[derive(Debug, Default)]
struct Pools {
    open: Mutex<HashMap<Outgoing, Http>>,
}

impl Pools {
    fn of(&self, way: &Outgoing) -> Result<Http, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = open.get(way) {
            return Ok(http.clone());
        }
        let http = Http::new(way)?;
        open.insert(way.clone(), http.clone());
        Ok(http)
    }
}

/// The way to one account's APIs.
#[derive(Debug)]
pub struct Client {
    http: Http,
    observe: Arc<dyn Observe>,
    memory: Option<Arc<dyn Memory>>,
    account: AccountKey,
    quota: Quota,
    gate: Gate,
    /// For requests that bring keys, which other keys sign.
    gate_of_keys: Gate,
    timeout: Duration,
    /// What to add to our clock to get the cloud's, in milliseconds.
    skew: AtomicI64,
}

impl Client {
    /// The way to the APIs of the account with those settings. `refused_pause`: how long refused credentials are left
    /// alone.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up.
    pub fn new(shared: &Shared, account: &Common, refused_pause: Duration) -> Result<Self, Error> {
        Ok(Self {
            http: shared.pools.of(&account.outgoing)?,
            observe: Arc::clone(&shared.observe),
            memory: shared.memory.clone(),
            account: account.key.clone(),
            quota: Quota::new(account.rate_limit),
            gate: Gate::new(refused_pause),
            gate_of_keys: Gate::new(refused_pause),
            timeout: account.timeout,
            skew: AtomicI64::new(0),
        })
    }

    /// Whose client it is.
    pub const fn account(&self) -> &AccountKey {
        &self.account
    }

    /// Where requests and credentials are noted.
    pub fn observe(&self) -> &dyn Observe {
        &*self.observe
    }

    /// What was last remembered of the account under that name.
    pub fn recall(&self, name: &str) -> Option<Arc<str>> {
        self.memory.as_ref()?.recall(&self.account, name)
    }

    /// Remembers something of the account that it need not be asked again; never a secret.
    pub fn remember(&self, name: &str, value: &str) {
        if let Some(memory) = &self.memory {
            memory.remember(&self.account, name, value);
        }
    }

    /// Makes the call: under the account's quota, tried again while that may help and time is left. One that is part of an
    /// asking [counts](requests::counted) as one request of it.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let result = self.call_once(call).await;
        // Where the keys were refused, the same is asked again with others.
        if !result.as_ref().is_err_and(|error| error.stops_account() || error.is_stale_token()) {
            requests::note(C::API);
        }
        result
    }

    /// As [`call`](Self::call), for what is asked once for all: no asking takes it again.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn call_once<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        self.call_through(&self.gate, call).await
    }

    /// As [`call`](Self::call), for keys. Such a request is signed with other keys than the account's or with none, so a
    /// refusal of either says nothing of the other: the account's keys stay in use where they cannot be renewed, and are
    /// renewed where they are refused. Those that were refused here stay so until there are others to ask with.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn call_for_keys<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let asker = (C::API, mark(&call.secrets()));
        self.gate_of_keys.renew_for(&asker);
        let result = self.call_through(&self.gate_of_keys, call).await;
        if result.as_ref().is_err_and(Error::stops_account) {
            self.gate_of_keys.note_refused(asker);
        }
        result
    }

    /// One plain exchange, outside of quota, gate and proof: for the metadata service of the machine and its like.
    ///
    /// # Errors
    /// Why there is no whole answer within `limit`.
    pub async fn fetch(&self, request: http::Request<Bytes>, limit: Duration) -> Result<Answer, Error> {
        self.http.exchange(request, limit).await
    }

    /// The account has other keys now: they may be tried at once.
    pub fn credentials_changed(&self) {
        self.gate.renew();
    }

    /// The account's keys were refused and there are no others: they are left alone for a while.
    pub fn credentials_refused(&self, refusal: &Error) {
        if refusal.stops_account() || refusal.is_stale_token() {
            self.gate.close(refusal);
        }
    }

    async fn call_through<C: Call>(&self, gate: &Gate, call: &C) -> Result<C::Reply, Error> {
        let pass = gate.pass().await?;
        let result = self.attempts(call).await;
        gate.settle(pass, result.as_ref().err());
        result
    }

    async fn attempts<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let mut deadline = None;
        let mut attempt = 0;
        loop {
            self.take_turn::<C>().await;
            // The wait for the quota is ours, not the cloud's: the deadline starts after it.
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.timeout * DEADLINE_IN_TIMEOUTS);
            let error = match self.attempt(call).await {
                Ok(reply) => {
                    self.quota.succeeded();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let asked_for = self.brake::<C>(&error);
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(pause) = retry::pause(attempt, &error, asked_for, left, clock::jitter()) else {
                return Err(error);
            };
            tracing::debug!(account = %self.account.account, api = C::API, %error, ?pause, "trying again");
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// Makes the quota of an API known before it is first asked.
    pub fn announce<C: Call>(&self) {
        self.observe.quota(&self.account, C::API, self.quota.rate(C::RATE));
    }

    async fn take_turn<C: Call>(&self) {
        let waited = self.quota.acquire(C::API, C::RATE).await;
        if !waited.is_zero() {
            self.observe.waited(&self.account, C::API, waited);
        }
    }

    /// Slows the account when the cloud asked for that; how long it pauses.
    fn brake<C: Call>(&self, error: &Error) -> Option<Duration> {
        (error.reason() == Reason::Throttled).then(|| {
            self.observe.throttled(&self.account, C::API);
            self.quota.throttled(Instant::now(), error.retry_after(), clock::jitter())
        })
    }

    /// One attempt, with a stamp of its own.
    async fn attempt<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let stamp = Stamp { at: self.time_of_the_cloud(), nonce: clock::nonce() };
        let request = call.request(&stamp)?;
        let started = Instant::now();
        let answer = self.http.exchange(request, self.timeout).await;
        let result =
            answer.and_then(|answer| echo::judge(call, &answer).inspect_err(|error| self.learn_skew(error, &answer)));
        let code = result.as_ref().err().map_or("ok", Error::code);
        self.observe.request(&self.account, C::API, code, started.elapsed());
        result
    }

    fn time_of_the_cloud(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.skew.load(Ordering::Relaxed));
        let now = clock::now();
        now.checked_add(skew).unwrap_or(now)
    }

    /// When a cloud says our clock is wrong, its `Date` header says by how much.
    fn learn_skew(&self, error: &Error, answer: &Answer) {
        if error.retry() != Retry::Resigned {
            return;
        }
        let Some(theirs) = answer.date() else { return };
        let skew = theirs.duration_since(clock::now());
        let before = self.skew.swap(i64::try_from(skew.as_millis()).unwrap_or_default(), Ordering::Relaxed);
        if before.abs_diff(i64::try_from(skew.as_millis()).unwrap_or_default()) > 60_000 {
            tracing::warn!(
                provider = %self.account.provider, account = %self.account.account, skew_seconds = skew.as_secs(),
                "the cloud's clock and ours differ; signing with the cloud's time. Set this machine's clock right"
            );
        }
    }
}
