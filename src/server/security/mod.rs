//! Who may see the pages, over what and how often: the rules of the web config file as it is now.
//!
//! It reads no YAML: a reading is handed in. What a page says is not its business.

mod clients;
mod files;
mod rate;
mod tls;
mod users;

pub use clients::{AllowedName, Authorities, ClientAuth, Clients};
pub use files::Files;
pub use rate::RateLimit;
pub use tls::{Certificates, Curve, Identity, Suite, Tls, TlsSettings, Unavailable, Version};
pub use users::{PasswordHash, Users};

use files::Stamp;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use users::Admission;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What holds for connections and requests.
#[derive(Debug, Default)]
pub struct Rules {
    /// TLS; without it connections are plain.
    pub tls: Option<Tls>,
    /// Headers of every answer: the value, or none where the header is left out.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Who is let in.
    pub users: Users,
    /// How many requests are answered.
    pub rate_limit: Option<RateLimit>,
}

/// What the rules say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Verdict {
    /// It is answered.
    Admitted,
    /// It needs a user and a password, and has not the right ones.
    Unauthorized,
    /// It is one too many for the rate limit.
    TooMany,
    /// Too many passwords wait to be checked.
    Busy,
}

impl Rules {
    /// Judges a request by its headers.
    pub(super) async fn judge(&self, headers: &HeaderMap) -> Verdict {
        if self.rate_limit.as_ref().is_some_and(|limit| !limit.admits_one()) {
            return Verdict::TooMany;
        }
        match self.users.admit(headers.get(AUTHORIZATION)).await {
            Admission::Granted => Verdict::Admitted,
            Admission::Denied => Verdict::Unauthorized,
            Admission::Busy => Verdict::Busy,
        }
    }

    /// Gives an answer the headers of the file, in place of those it has.
    pub(super) fn dress(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}

/// One reading of the web config file and of the files it names.
#[derive(Debug)]
pub struct Reading {
    /// What was read.
    pub files: Files,
    /// The rules, and what is odd about them; or every mistake, a line each.
    pub outcome: Result<(Rules, Vec<String>), String>,
}

/// Reads everything anew.
type Read = Box<dyn Fn() -> Reading + Send + Sync>;

/// The rules in force, and how they come to change.
pub struct Security {
    /// None where there is no web config.
    read: Option<Read>,
    in_force: RwLock<Arc<Rules>>,
    /// Held while the files are read, so that one reading is over before the next.
    seen: Mutex<Seen>,
}

/// The files as they were when last read, and when last looked at.
#[derive(Debug, Default)]
struct Seen {
    files: Files,
    last: Vec<Option<Stamp>>,
}

/// Rules that are checked and not in force yet; none where there is no web config.
#[derive(Debug)]
pub struct Next(Option<Checked>);

#[derive(Debug)]
struct Checked {
    rules: Rules,
    /// What is odd about them.
    odd: Vec<String>,
    /// What they were read from. Until they are in force, that counts as not read: should whoever asked for them not take
    /// them, [`Security::watch`] does.
    seen: Seen,
}

impl Security {
    /// No web config: plain connections, and everybody is let in.
    pub fn none() -> Self {
        Self { read: None, in_force: RwLock::default(), seen: Mutex::default() }
    }

    /// The rules of a first reading; they change with the files.
    ///
    /// # Errors
    /// Every mistake of the reading, a line each.
    pub fn new(read: impl Fn() -> Reading + Send + Sync + 'static) -> Result<Self, String> {
        let Reading { files, outcome } = read();
        let (rules, odd) = outcome?;
        tell(odd);
        let seen = Mutex::new(Seen::new(files));
        Ok(Self { read: Some(Box::new(read)), in_force: RwLock::new(Arc::new(rules)), seen })
    }

    /// Whether connections are encrypted; that does not change while the process runs.
    pub fn is_tls(&self) -> bool {
        self.rules().tls.is_some()
    }

    /// The rules in force.
    pub(in crate::server) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the files say now, changed or not; not in force yet. It blocks: the files may be on a slow disk.
    ///
    /// # Errors
    /// Every mistake, a line each.
    pub fn read_again(&self) -> Result<Next, String> {
        self.next(&mut self.seen())
    }

    /// Goes on with these rules. It blocks while the files are looked at.
    pub fn enforce(&self, next: Next) {
        self.take(&mut self.seen(), next);
    }

    fn take(&self, before: &mut Seen, Next(checked): Next) {
        if let Some(Checked { rules, odd, seen }) = checked {
            tell(odd);
            *before = seen;
            *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files again whenever they change, until `stop`.
    pub(super) async fn watch(self: &Arc<Self>, stop: CancellationToken) {
        if self.read.is_none() {
            return;
        }
        while stop.run_until_cancelled(sleep(LOOK)).await.is_some() {
            let security = Arc::clone(self);
            if spawn_blocking(move || security.look()).await.is_err() {
                tracing::error!("looking at the web config ended by a bug; it is tried again");
            }
        }
    }

    /// Reads the files again if they have changed. A change is taken when a second look finds nothing new: a file may
    /// be in the middle of being written, and half a list of users is one, too.
    pub(in crate::server) fn look(&self) {
        let mut seen = self.seen();
        let now = seen.files.now();
        let (is_as_read, is_settled) = (now == seen.files.as_read(), now == seen.last);
        seen.last = now;
        if is_as_read || !is_settled {
            return;
        }
        match self.next(&mut seen) {
            Ok(next) => {
                self.take(&mut seen, next);
                let rules = self.rules();
                tracing::info!(
                    tls = rules.tls.is_some(),
                    users = rules.users.count(),
                    "the changed web config is in force"
                );
            }
            Err(mistakes) => {
                let mistakes = mistakes.replace('\n', "; ");
                tracing::warn!(mistakes, "the changed web config is not taken; the one before stays in force");
            }
        }
    }

    fn next(&self, seen: &mut Seen) -> Result<Next, String> {
        let Some(read) = &self.read else {
            return Ok(Next(None));
        };
        let Reading { files, outcome } = read();
        match outcome.and_then(|outcome| self.with_tls_as_it_is(outcome)) {
            Ok((rules, odd)) => Ok(Next(Some(Checked { rules, odd, seen: Seen::new(files) }))),
            Err(mistakes) => {
                *seen = Seen::new(files);
                Err(mistakes)
            }
        }
    }

    fn with_tls_as_it_is(&self, (rules, odd): (Rules, Vec<String>)) -> Result<(Rules, Vec<String>), String> {
        if rules.tls.is_some() == self.is_tls() {
            return Ok((rules, odd));
        }
        Err("TLS is not switched on or off while the exporter runs; restart it for that".to_owned())
    }
}

impl Seen {
    /// Files that were just read.
    fn new(files: Files) -> Self {
        Self { last: files.as_read(), files }
    }
}

fn tell(odd: Vec<String>) {
    for warning in odd {
        tracing::warn!(warning, "the web config asks for something odd");
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Security").field("in_force", &self.in_force).finish_non_exhaustive()
    }
}
