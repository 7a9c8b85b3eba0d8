//! Users and passwords: who is let in. A password that was right once costs one HMAC, whatever its bcrypt hash costs.
//!
//! Neither passwords nor their hashes are ever shown. What is remembered of a password is a code under a key of this
//! process.

use crate::clock;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Passwords that are hashed at a time. One, as in the exporter-toolkit (web/handler.go): guessing takes one core at most.
const PLACES: usize = 1;
/// How long a password waits for its place; shorter than a scraper's patience, which is ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many wrong passwords are remembered. Right ones have a place of their own, which no wrong one can take.
const WRONG: usize = 100;
/// From here on a wrong password costs seconds.
const HIGH_COST: u32 = 15;
/// Salt and digest of no password in bcrypt's letters: what an unknown user's password is compared with.
const NOBODY: &str = ".....................................................";

/// The bcrypt hash of a user's password.
#[derive(Clone)]
pub struct PasswordHash {
    text: SecretString,
    cost: u32,
}

impl PasswordHash {
    /// Whether it takes seconds to hash a password at this cost.
    pub const fn is_slow(&self) -> bool {
        self.cost >= HIGH_COST
    }

    /// One that no password has, as slow as one of that cost.
    fn of_nobody(cost: u32) -> Self {
        Self { text: format!("$2b${cost:02}${NOBODY}").into(), cost }
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let wrong = "no bcrypt hash; expected sixty characters such as `$2y$10$…`, as `htpasswd -nBC 10 USER` prints them \
                     after the colon, and not the password itself";
        let parts: bcrypt::HashParts = text.parse().map_err(|_| wrong)?;
        match parts.get_cost() {
            cost @ 4..=31 => Ok(Self { text: text.into(), cost }),
            _ => Err("the cost of a bcrypt hash, its second number, is 4 to 31; 10 is usual"),
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordHash").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is answered.
    Granted,
    /// It has no user and password, or not the right ones.
    Denied,
    /// Too many passwords wait to be checked.
    Busy,
}

impl From<bool> for Admission {
    fn from(is_right: bool) -> Self {
        if is_right { Self::Granted } else { Self::Denied }
    }
}

/// Those who are let in; everybody where there is no user.
#[derive(Debug)]
pub struct Users {
    hashes: BTreeMap<String, PasswordHash>,
    nobody: PasswordHash,
    memory: Arc<Memory>,
    places: Arc<Semaphore>,
    verify: Verify,
}

type Verify = fn(&[u8], &str) -> bool;

impl Default for Users {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Users {
    /// Users by name.
    pub fn new(hashes: BTreeMap<String, PasswordHash>) -> Self {
        Self::with(hashes, |password, hash| bcrypt::verify(password, hash).unwrap_or(false))
    }

    fn with(hashes: BTreeMap<String, PasswordHash>, verify: Verify) -> Self {
        let cost = hashes.values().map(|hash| hash.cost).max().unwrap_or(bcrypt::DEFAULT_COST);
        Self {
            hashes,
            nobody: PasswordHash::of_nobody(cost),
            memory: Arc::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            verify,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Judges the `Authorization` of a request. An unknown user takes as long as a known one.
    pub(super) async fn admit(&self, authorization: Option<&HeaderValue>) -> Admission {
        if self.hashes.is_empty() {
            return Admission::Granted;
        }
        let Some(Credentials { user, password }) = authorization.and_then(Credentials::read) else {
            return Admission::Denied;
        };
        let known = self.hashes.get(&user);
        let hash = known.unwrap_or(&self.nobody).clone();
        let attempt = Attempt { code: self.memory.code(&user, &password, &hash), user, password, hash };
        self.check(attempt, known.is_some()).await
    }

    async fn check(&self, attempt: Attempt, is_known: bool) -> Admission {
        if let Some(is_right) = self.memory.recall(&attempt) {
            return is_right.into();
        }
        let Ok(Ok(place)) = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await else {
            return Admission::Busy;
        };
        // Somebody else with the same password may have been before us.
        if let Some(is_right) = self.memory.recall(&attempt) {
            return is_right.into();
        }
        let (memory, verify) = (Arc::clone(&self.memory), self.verify);
        let hashing = spawn_blocking(move || {
            let is_right = verify(attempt.password.expose_secret(), attempt.hash.text.expose_secret()) && is_known;
            memory.note(attempt, is_right);
            // Only now: who hangs up while waiting does not make room for more.
            drop(place);
            is_right
        });
        hashing.await.unwrap_or(false).into()
    }
}

/// The user and the password of a request.
struct Credentials {
    user: String,
    password: SecretSlice<u8>,
}

impl Credentials {
    /// Of a Basic `Authorization` (RFC 7617). A name that is no text is nobody's, but its password is hashed like others.
    fn read(authorization: &HeaderValue) -> Option<Self> {
        let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let mut user = STANDARD.decode(encoded.trim()).ok()?;
        let colon = user.iter().position(|byte| *byte == b':')?;
        let password = user.split_off(colon).into_iter().skip(1).collect::<Vec<u8>>();
        user.truncate(colon);
        Some(Self { user: String::from_utf8_lossy(&user).into_owned(), password: password.into() })
    }
}

/// A password on its way to be compared with a hash.
struct Attempt {
    code: hmac::Tag,
    user: String,
    password: SecretSlice<u8>,
    hash: PasswordHash,
}

/// Passwords that were compared, as codes that say nothing without the key.
struct Memory {
    key: hmac::Key,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The last right one of each user.
    right: BTreeMap<String, hmac::Tag>,
    /// The last wrong ones, the oldest first.
    wrong: VecDeque<hmac::Tag>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, clock::nonce().as_bytes()), seen: Mutex::default() }
    }
}

impl Memory {
    fn code(&self, user: &str, password: &SecretSlice<u8>, hash: &PasswordHash) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user.as_bytes(), hash.text.expose_secret().as_bytes(), password.expose_secret()] {
            // With its length, so that no part can pass for the end of the one before.
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
        context.sign()
    }

    fn recall(&self, attempt: &Attempt) -> Option<bool> {
        let is_it = |code: &hmac::Tag| verify_slices_are_equal(code.as_ref(), attempt.code.as_ref()).is_ok();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.right.get(&attempt.user).is_some_and(is_it) {
            return Some(true);
        }
        seen.wrong.iter().any(is_it).then_some(false)
    }

    fn note(&self, attempt: Attempt, is_right: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if is_right {
            seen.right.insert(attempt.user, attempt.code);
            return;
        }
        if seen.wrong.len() == WRONG {
            seen.wrong.pop_front();
        }
        seen.wrong.push_back(attempt.code);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// `open sesame` at the lowest cost there is.
    fn hash() -> PasswordHash {
        bcrypt::hash("open sesame", 4).unwrap().try_into().unwrap()
    }

    fn users(verify: Verify) -> Users {
        Users::with(BTreeMap::from([("alice".to_owned(), hash())]), verify)
    }

    fn basic(user: &str, password: &str) -> HeaderValue {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).parse().unwrap()
    }

    async fn admit(users: &Users, user: &str, password: &str) -> Admission {
        users.admit(Some(&basic(user, password))).await
    }

    #[tokio::test]
    async fn the_right_password_lets_in_and_nothing_else_does() {
        let users = Users::new(BTreeMap::from([("alice".to_owned(), hash()), (String::new(), hash())]));
        assert_eq!(admit(&users, "alice", "open sesame").await, Admission::Granted);
        assert_eq!(admit(&users, "", "open sesame").await, Admission::Granted);
        for (user, password) in [("alice", "open"), ("alice", ""), ("bob", "open sesame"), ("Alice", "open sesame")] {
            for _ in 0..2 {
                assert_eq!(admit(&users, user, password).await, Admission::Denied, "{user} {password}");
            }
        }
        assert_eq!(users.admit(None).await, Admission::Denied);
        let good = basic("alice", "open sesame");
        let encoded = good.to_str().unwrap().strip_prefix("Basic ").unwrap();
        for wrong in ["", "Basic", "Basic !", &format!("Bearer {encoded}"), encoded, "Basic YWxpY2U="] {
            assert_eq!(users.admit(Some(&wrong.parse().unwrap())).await, Admission::Denied, "{wrong}");
        }
        assert_eq!(users.admit(Some(&format!("bAsIc  {encoded}").parse().unwrap())).await, Admission::Granted);
        assert_eq!(Users::default().admit(None).await, Admission::Granted);
    }

    #[tokio::test]
    async fn a_hundred_scrapes_cost_one_hash() {
        static HASHED: AtomicUsize = AtomicUsize::new(0);
        let users = users(|password, hash| {
            HASHED.fetch_add(1, Ordering::SeqCst);
            bcrypt::verify(password, hash).unwrap()
        });
        let scrapes = (0..100).map(|_| admit(&users, "alice", "open sesame"));
        let admitted = futures_util::future::join_all(scrapes).await;
        assert!(admitted.iter().all(|admission| *admission == Admission::Granted));
        assert_eq!(HASHED.load(Ordering::SeqCst), 1, "at once");

        for _ in 0..100 {
            assert_eq!(admit(&users, "alice", "wrong").await, Admission::Denied);
            assert_eq!(admit(&users, "nobody", "open sesame").await, Admission::Denied);
        }
        assert_eq!(HASHED.load(Ordering::SeqCst), 3, "a wrong one is remembered, too, and an unknown user's");
    }

    #[tokio::test]
    async fn wrong_passwords_are_forgotten_and_push_out_no_right_one() {
        static HASHED: AtomicUsize = AtomicUsize::new(0);
        let users = users(|password, _| {
            HASHED.fetch_add(1, Ordering::SeqCst);
            password == b"open sesame"
        });
        assert_eq!(admit(&users, "alice", "open sesame").await, Admission::Granted);
        for index in 0..=WRONG {
            assert_eq!(admit(&users, "alice", &index.to_string()).await, Admission::Denied);
        }
        let before = HASHED.load(Ordering::SeqCst);
        assert_eq!(admit(&users, "alice", "open sesame").await, Admission::Granted);
        assert_eq!(HASHED.load(Ordering::SeqCst), before);
        assert_eq!(admit(&users, "alice", "0").await, Admission::Denied);
        assert_eq!(HASHED.load(Ordering::SeqCst), before + 1, "the oldest wrong one was forgotten");
        let seen = users.memory.seen.lock().unwrap();
        assert_eq!((seen.right.len(), seen.wrong.len()), (1, WRONG));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_wrong_passwords_holds_up_nobody_who_is_known() {
        let users = users(|password, _| password == b"open sesame");
        assert_eq!(admit(&users, "alice", "open sesame").await, Admission::Granted);
        let _hashing = Arc::clone(&users.places).acquire_owned().await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(admit(&users, "alice", "open sesame").await, Admission::Granted);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(admit(&users, "alice", "wrong").await, Admission::Busy);
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[test]
    fn what_no_password_has_is_hashed_like_the_slowest_user() {
        let slow = PasswordHash { cost: 6, ..hash() };
        let users = Users::new(BTreeMap::from([("a".to_owned(), hash()), ("b".to_owned(), slow)]));
        assert_eq!(users.nobody.cost, 6);
        let parts: bcrypt::HashParts = users.nobody.text.expose_secret().parse().unwrap();
        assert_eq!(parts.get_cost(), 6);
    }

    #[test]
    fn parts_of_a_code_do_not_run_together() {
        let memory = Memory::default();
        let hash = hash();
        let code = |user: &str, password: &str| memory.code(user, &password.as_bytes().to_vec().into(), &hash);
        assert_ne!(code("ab", "c").as_ref(), code("a", "bc").as_ref());
        assert_eq!(code("ab", "c").as_ref(), code("ab", "c").as_ref());
    }

    #[test]
    fn what_is_no_hash_is_refused_and_never_shown() {
        let right = hash().text.expose_secret().to_owned();
        for wrong in [
            "",
            "hunter2",
            right.trim_start_matches('$'),
            &format!("{right}x"),
            &right.replace("$2b$", "$1$"),
            &right.replace("$04$", "$03$"),
        ] {
            let said = PasswordHash::try_from(wrong.to_owned()).unwrap_err();
            assert!(wrong.is_empty() || !said.contains(wrong), "{said}");
        }
        for version in ["$2a$", "$2b$", "$2y$"] {
            PasswordHash::try_from(right.replace("$2b$", version)).unwrap();
        }
        assert!(!format!("{:?}", users(|_, _| true)).contains(&right));
    }
}
