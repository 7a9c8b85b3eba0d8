//! Accounts before the demo's simulated clouds, which judge clocks and keys as the vendors do: a clock that is wrong, a key
//! that is revoked and given back.

use cloud_task_exporter::clock;
use cloud_task_exporter::cloud::settings::Environment;
use cloud_task_exporter::cloud::{Account, Error, Shared};
use cloud_task_exporter::config;
use cloud_task_exporter::demo::world::World;
use cloud_task_exporter::demo::{self, Answered, Asked, Simulator, aliyun, huawei, tencent};
use cloud_task_exporter::metrics::Own;
use cloud_task_exporter::model::{Reading, Reason};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A kind of account: the cloud, its way to show who it is, and how far off a clock may be for it.
struct Kind {
    simulator: fn(World) -> Arc<dyn Simulator>,
    /// The lines of an account before its targets, and its task.
    section: &'static str,
    tolerance: SignedDuration,
    /// How long refused credentials are left alone.
    pause: Duration,
}

const KINDS: [Kind; 4] = [
    Kind {
        simulator: |world| Arc::new(tencent::Tencent::new(world, 1000)),
        section: "tencent:\n  - account: prod\n    region: ap-guangzhou\n    \
                  credentials: {secret_id: {env: T_ID}, secret_key: {env: T_KEY}}\n    \
                  targets: [{job: job-nightly0, tasks: [A]}]\n",
        tolerance: SignedDuration::from_mins(5),
        pause: Duration::from_mins(1),
    },
    Kind {
        simulator: |world| Arc::new(tencent::Tencent::new(world, 1000)),
        section: "tencent:\n  - account: prod\n    region: ap-guangzhou\n    api: \"2.0\"\n    \
                  credentials: {secret_id: {env: T_ID}, secret_key: {env: T_KEY}}\n    \
                  targets: [{job: job-nightly0, tasks: [A]}]\n",
        tolerance: SignedDuration::from_hours(2),
        pause: Duration::from_mins(1),
    },
    Kind {
        simulator: |world| Arc::new(aliyun::Aliyun::new(world, 1000)),
        section: "aliyun:\n  - account: prod\n    region: cn-hangzhou\n    \
                  credentials: {access_key_id: {env: A_ID}, access_key_secret: {env: A_KEY}}\n    \
                  targets: [{task: T-5faa48fb31b6b8078d000006}]\n",
        tolerance: SignedDuration::from_mins(15),
        pause: Duration::from_mins(1),
    },
    Kind {
        simulator: |world| Arc::new(huawei::Huawei::new(world, 1000)),
        section: "huawei:\n  - account: prod\n    region: cn-north-4\n    project_id: 0123456789abcdef0123456789abcdef\n    \
                  credentials: {access_key: {env: H_ID}, secret_key: {env: H_KEY}}\n    \
                  targets: [{job: 354331b2c-229a-11e8-9c75-0255ac100ceb}]\n",
        tolerance: SignedDuration::from_mins(15),
        pause: Duration::from_mins(5),
    },
];

/// The keys of the simulated clouds, which are no secrets.
fn environment() -> Environment {
    Environment::from_fn(|name| {
        let value = match name {
            "T_ID" => tencent::SECRET_ID,
            "T_KEY" => tencent::SECRET_KEY,
            "A_ID" => aliyun::ACCESS_KEY_ID,
            "A_KEY" => aliyun::ACCESS_KEY_SECRET,
            "H_ID" => huawei::ACCESS_KEY,
            "H_KEY" => huawei::SECRET_KEY,
            _ => return None,
        };
        Some(value.to_owned())
    })
}

/// A simulated cloud whose clock is ahead of ours, and which may have forgotten every key it knew.
struct Strict {
    cloud: Arc<dyn Simulator>,
    /// In seconds.
    ahead: AtomicI64,
    forgot: AtomicBool,
    asked: AtomicUsize,
}

impl Simulator for Strict {
    fn answer(&self, request: &Asked, now: Timestamp) -> Answered {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut request = request.clone();
        if self.forgot.load(Ordering::Relaxed) {
            // To a cloud that has forgotten a key, it is as any other key it does not know.
            let other = |text: &str| {
                [tencent::SECRET_ID, aliyun::ACCESS_KEY_ID, huawei::ACCESS_KEY]
                    .into_iter()
                    .fold(text.to_owned(), |text, key| text.replace(key, &key.chars().rev().collect::<String>()))
            };
            if let Some(header) = request.headers.get_mut("authorization") {
                *header = other(header.to_str().unwrap()).parse().unwrap();
            }
            request.body = other(&String::from_utf8_lossy(&request.body)).into();
        }
        self.cloud
            .answer(&request, now.checked_add(SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed))).unwrap())
    }
}

/// One account and the cloud that serves it.
struct Served {
    account: Account,
    cloud: Arc<Strict>,
    _stop: DropGuard,
}

impl Served {
    async fn start(kind: &Kind, ahead: SignedDuration) -> Self {
        let began = clock::now().checked_add(ahead - SignedDuration::from_mins(10)).unwrap();
        let cloud = Arc::new(Strict {
            cloud: (kind.simulator)(World::new(1, began)),
            ahead: AtomicI64::new(ahead.as_secs()),
            forgot: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let simulator = Arc::clone(&cloud) as Arc<dyn Simulator>;
        tracker.spawn(demo::serve(listener, simulator, tracker.clone(), stop.clone()));
        let iam =
            if kind.section.starts_with("huawei") { format!("    iam_endpoint: {endpoint}\n") } else { String::new() };
        let text = format!("{}    endpoint: {endpoint}\n{iam}    rate_limit: 1000\n", kind.section);
        let mut config = config::load(&text, "test.yaml", Some(environment())).unwrap();
        let shared = Shared::new(Arc::new(Own::new().unwrap()));
        let account = config.accounts.remove(0).build(&shared, None).unwrap();
        Self { account, cloud, _stop: stop.drop_guard() }
    }

    async fn read(&self) -> Result<Reading, Error> {
        self.account.cloud.read(&self.account.targets[0].key.task_id, None).await
    }

    /// How many requests it took to read the task, and why it was not to be had.
    async fn requests(&self) -> (usize, Option<Reason>) {
        let before = self.cloud.asked.load(Ordering::Relaxed);
        let failure = self.read().await.err().map(|error| error.reason());
        (self.cloud.asked.load(Ordering::Relaxed) - before, failure)
    }
}

/// Jumps ahead while nothing is under way.
async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_clock_that_is_wrong_costs_one_request_and_no_poll() {
    for kind in &KINDS {
        let ten = SignedDuration::from_mins(10);
        for ahead in [ten, -ten, kind.tolerance + ten, -kind.tolerance - ten] {
            let served = Served::start(kind, ahead).await;
            // A row of a task may cost a request of its own.
            let (first, failure) = served.requests().await;
            assert_eq!(failure, None, "{}, {ahead:?} ahead", kind.section);
            let (second, failure) = served.requests().await;
            assert_eq!(failure, None, "{}, {ahead:?} ahead", kind.section);
            let refused = usize::from(ahead.abs() > kind.tolerance);
            assert_eq!(first, second + refused, "{}, {ahead:?} ahead", kind.section);
            // Somebody sets it right.
            served.cloud.ahead.store(0, Ordering::Relaxed);
            assert_eq!(served.requests().await, (second + refused, None), "{}, {ahead:?} ahead", kind.section);
        }
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_is_left_alone_and_found_to_be_back() {
    for kind in &KINDS {
        let served = Served::start(kind, SignedDuration::ZERO).await;
        let (usual, failure) = served.requests().await;
        assert_eq!(failure, None, "{}", kind.section);
        served.cloud.forgot.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(served.requests().await, (1, Some(Reason::Denied)), "{}", kind.section);
            for _ in 0..5 {
                assert_eq!(served.requests().await, (0, Some(Reason::Denied)), "one request in a pause");
            }
            later(kind.pause).await;
        }
        served.cloud.forgot.store(false, Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(served.requests().await, (usual, None), "{}", kind.section);
        }
    }
}
