//! The server as its clients see it, on top of a source that says what a test wants.

mod bundled;
mod connections;
mod guarded;
mod routes;
mod tls;

use super::source::{AccountLine, AccountState, Listing, Overview, Source, TaskLine};
use crate::metrics::Format;
use crate::model::{AccountKey, Phase, Provider, Reason, TaskKey};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use jiff::{Timestamp, ToSpan};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

const TENCENT: Provider = Provider::new("tencent");
const ALIYUN: Provider = Provider::new("aliyun");
const HUAWEI: Provider = Provider::new("huawei");

fn key(provider: Provider, account: &str) -> AccountKey {
    AccountKey { provider, account: account.into() }
}

/// How long a body [`Fake`] has, in pieces.
#[derive(Clone, Copy)]
enum Length {
    Of(usize),
    Endless,
}

/// A source of fixed answers.
struct Fake {
    length: Length,
    unpolled: Mutex<Vec<AccountKey>>,
    /// What comes of a reload, where one is allowed.
    reloaded: Mutex<Option<Result<(), String>>>,
    ended: mpsc::UnboundedSender<()>,
}

impl Fake {
    /// A source, and where it says that a scrape was sent or dropped.
    fn new(length: Length) -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (ended, ends) = mpsc::unbounded_channel();
        (Arc::new(Self { length, unpolled: Mutex::default(), reloaded: Mutex::default(), ended }), ends)
    }
}

/// Tells the test when a scrape is gone.
struct Ended(mpsc::UnboundedSender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

const PIECE: &str = "cloud_tasks{provider=\"tencent\",phase=\"running\"} 1\n";

/// What a scrape of that many pieces says.
fn scraped(format: Format, pieces: usize) -> String {
    let end = if format == Format::OpenMetrics { "# EOF\n" } else { "" };
    PIECE.repeat(pieces) + end
}

impl Source for Fake {
    fn scrape(&self, format: Format) -> Box<dyn Iterator<Item = Bytes> + Send> {
        let ended = Ended(self.ended.clone());
        let pieces = match self.length {
            Length::Of(pieces) => pieces,
            Length::Endless => usize::MAX,
        };
        let end = (format == Format::OpenMetrics).then(|| Bytes::from_static(b"# EOF\n"));
        let pieces = std::iter::repeat_n(Bytes::from_static(PIECE.as_bytes()), pieces).chain(end);
        Box::new(pieces.inspect(move |_| {
            let _alive = &ended;
        }))
    }

    fn overview(&self, now: Timestamp) -> Overview {
        overview(now)
    }

    fn unpolled_accounts(&self) -> Vec<AccountKey> {
        self.unpolled.lock().unwrap().clone()
    }

    fn reload(&self) -> Option<BoxFuture<'static, Result<(), String>>> {
        let result = self.reloaded.lock().unwrap().clone()?;
        Some(std::future::ready(result).boxed())
    }
}

/// A source with a bug.
struct Broken;

impl Source for Broken {
    fn scrape(&self, _: Format) -> Box<dyn Iterator<Item = Bytes> + Send> {
        panic!("a test's panic, as asked")
    }

    fn overview(&self, _: Timestamp) -> Overview {
        panic!("a test's panic, as asked")
    }

    fn unpolled_accounts(&self) -> Vec<AccountKey> {
        Vec::new()
    }
}

fn task(account: &AccountKey, id: &str, group: &str, detail: &str, since: Option<Timestamp>) -> TaskLine {
    let key = TaskKey { account: account.clone(), task_id: id.into() };
    TaskLine { key, group: group.into(), detail: detail.to_owned(), since }
}

fn account(key: &AccountKey, cloud_region: &str, tasks: usize, state: AccountState) -> AccountLine {
    AccountLine { key: key.clone(), cloud_region: cloud_region.into(), tasks, state }
}

/// A state with something of everything, names meant to break out of the page among it.
fn overview(now: Timestamp) -> Overview {
    let [prod, ack, hostile] = [key(TENCENT, "prod"), key(ALIYUN, "ack"), key(HUAWEI, "\"><script>alert(1)</script>")];
    let ago = |seconds: i64| Some(now - seconds.seconds());
    let mut failing = vec![
        task(&prod, "job-97zcl3wt/A", "nightly-etl", "FAILED_INTERRUPTED", ago(42)),
        task(&prod, "job-97zcl3wt/B", "nightly-etl", "FAILED", ago(3 * 3600 + 240)),
        task(&hostile, "<img src=x onerror=alert(2)>", "'&amp;\"", "</td><b>Failed", None),
    ];
    failing.extend(
        (0..20).map(|index| task(&ack, &format!("T-5faa48fb31b6b8078d{index:06}"), "default", "fail", ago(90_000))),
    );
    let stale = vec![
        task(&hostile, "354331b2c-229a-11e8-9c75-0255ac100ceb", "default", "", None),
        task(&ack, "T-5faa48fb31b6b8078d000006", "scale-outs", "no whole answer within 10s", ago(660)),
    ];
    let refused = "ShowJob was refused: APIGW.0301 Incorrect IAM authentication information <verify>".to_owned();
    let trouble = AccountState::Trouble { reason: Reason::Denied, message: refused, at: now - 75.seconds() };
    Overview {
        version: "0.1.0".to_owned(),
        revision: "4f2c1a9".to_owned(),
        phases: [
            (TENCENT, [(Phase::Running, 1204), (Phase::Succeeded, 8), (Phase::Failed, 3)].into()),
            (ALIYUN, [(Phase::Pending, 1), (Phase::Failed, 20)].into()),
            (HUAWEI, [(Phase::Unknown, 2)].into()),
        ]
        .into(),
        failing: Listing { total: 23, tasks: failing },
        stale: Listing { total: 2, tasks: stale },
        accounts: vec![
            account(&ack, "cn-hangzhou", 21, AccountState::Well),
            account(&hostile, "cn-north-4", 2, trouble),
            account(&prod, "ap-guangzhou", 1215, AccountState::Unpolled),
        ],
    }
}
