//! One request to a cloud: leave, quota, sign, send, read, classify, and try again signed anew.
//!
//! The one owner of `reqwest`. It knows no vendor: what is sent and how an answer is judged comes with the [`Call`].

use super::echo;
use super::gate::Gate;
use super::quota::Quota;
use super::retry;
use super::{Error, Retry};
use crate::clock;
use crate::model::{AccountKey, Observe, Reason};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// No answer larger than this is read, in bytes.
pub const MAX_BODY: usize = 16 * 1024 * 1024;
/// A body larger than this gets all the room it may take at once.
const LARGE_BODY: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
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

/// A whole answer of a cloud. It may hold a token, so it is never shown.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`MAX_BODY`] bytes.
    pub body: Bytes,
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
    http: reqwest::Client,
    observe: Arc<dyn Observe>,
}

impl Shared {
    /// One pool of connections for every account. TLS is always verified, redirects are never followed: a signed request
    /// must not be sent on to somebody else.
    ///
    /// # Errors
    /// When the system's TLS roots cannot be read.
    pub fn new(observe: Arc<dyn Observe>) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("cloud-task-exporter/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()
            .map_err(|error| Error::new(Reason::Transport, "the HTTP client cannot be set up").with_source(error))?;
        Ok(Self { http, observe })
    }
}

/// The way to one account's APIs.
#[derive(Debug)]
pub struct Client {
    shared: Shared,
    account: AccountKey,
    quota: Quota,
    gate: Gate,
    timeout: Duration,
    /// What to add to our clock to get the cloud's, in milliseconds.
    skew: AtomicI64,
}

impl Client {
    /// `rate_limit`: the user's requests per second for each API. `request_timeout`: of one attempt. `refused_pause`: how
    /// long refused credentials are left alone.
    pub fn new(
        shared: Shared,
        account: AccountKey,
        rate_limit: Option<f64>,
        request_timeout: Duration,
        refused_pause: Duration,
    ) -> Self {
        Self {
            shared,
            account,
            quota: Quota::new(rate_limit),
            gate: Gate::new(refused_pause),
            timeout: request_timeout,
            skew: AtomicI64::new(0),
        }
    }

    /// Whose client it is.
    pub const fn account(&self) -> &AccountKey {
        &self.account
    }

    /// Where requests and credentials are noted.
    pub fn observe(&self) -> &dyn Observe {
        &*self.shared.observe
    }

    /// Makes the call: under the account's quota, tried again while that may help and time is left.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let pass = self.gate.pass().await?;
        let result = self.attempts(call).await;
        self.gate.settle(pass, result.as_ref().err());
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
        self.shared.observe.quota(&self.account, C::API, self.quota.rate(C::RATE));
    }

    async fn take_turn<C: Call>(&self) {
        let waited = self.quota.acquire(C::API, C::RATE).await;
        if !waited.is_zero() {
            self.shared.observe.waited(&self.account, C::API, waited);
        }
    }

    /// Slows the account when the cloud asked for that; how long it pauses.
    fn brake<C: Call>(&self, error: &Error) -> Option<Duration> {
        (error.reason() == Reason::Throttled).then(|| {
            self.shared.observe.throttled(&self.account, C::API);
            self.quota.throttled(Instant::now(), error.retry_after(), clock::jitter())
        })
    }

    /// One attempt, with a stamp of its own.
    async fn attempt<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let stamp = Stamp { at: self.time_of_the_cloud(), nonce: clock::nonce() };
        let request = call.request(&stamp)?;
        let started = Instant::now();
        let result = self
            .exchange(request)
            .await
            .and_then(|answer| echo::judge(call, &answer).inspect_err(|error| self.learn_skew(error, &answer)));
        let code = result.as_ref().err().map_or("ok", Error::code);
        self.shared.observe.request(&self.account, C::API, code, started.elapsed());
        result
    }

    async fn exchange(&self, request: http::Request<Bytes>) -> Result<Answer, Error> {
        match timeout(self.timeout, self.send(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(Reason::Timeout, format!("no whole answer within {:?}", self.timeout))),
        }
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<Answer, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let request = reqwest::Request::try_from(request).map_err(|error| {
            Error::new(Reason::Rejected, "the request cannot be built").with_source(error.without_url())
        })?;
        let mut response = self.shared.http.execute(request).await.map_err(|error| {
            Error::new(reason_of(&error), format!("no answer from {host}")).with_source(error.without_url())
        })?;
        let body = read_body(&mut response).await?;
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
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

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Answer {{ status: {}, body: {} bytes }}", self.status.as_u16(), self.body.len())
    }
}

impl Answer {
    /// The cloud's time, by the `Date` header.
    pub fn date(&self) -> Option<Timestamp> {
        jiff::fmt::rfc2822::parse(self.header("date")?).ok().map(|date| date.timestamp())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn read_body(response: &mut reqwest::Response) -> Result<Bytes, Error> {
    let too_large = || Error::new(Reason::Decode, format!("the answer is larger than {} MiB", MAX_BODY / 1024 / 1024));
    let announced = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > MAX_BODY {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(broken_off)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(too_large());
        }
        if body.len() > LARGE_BODY && body.capacity() - body.len() < chunk.len() {
            // Room that is never written to takes no memory; room that is doubled is copied and kept in every size.
            body.reserve(MAX_BODY - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn reason_of(error: &reqwest::Error) -> Reason {
    if error.is_timeout() { Reason::Timeout } else { Reason::Transport }
}

/// Half an answer cannot be read; the next may be whole.
fn broken_off(error: reqwest::Error) -> Error {
    Error::new(Reason::Decode, "the answer broke off").with_retry(Retry::Later).with_source(error.without_url())
}
