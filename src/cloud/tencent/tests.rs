//! An account against a simulated cloud over HTTP: found, read, refused. The clouds listen on loopback.

use super::{PROVIDER, Section};
use crate::cloud::digest::sha256_hex;
use crate::cloud::settings::{Defaults, Environment, Report};
use crate::cloud::{Account, MAX_PAGES, PAGE_CAP_ROWS, Shared, counted};
use crate::demo::tencent::{NIGHTLY_JOB, REGION, SECRET_ID, SECRET_KEY, Tencent};
use crate::demo::world::World;
use crate::demo::{Answered, Asked, Simulator, serve};
use crate::model::{AccountKey, Observe, Phase, Reason, Task};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Notes the codes of requests by action.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<(String, String)>>);

impl Notes {
    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn count(&self, api: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|(asked, _)| asked == api).count()
    }
}

impl Observe for Notes {
    fn request(&self, account: &AccountKey, api: &'static str, code: &str, _: Duration) {
        assert_eq!(account.provider, PROVIDER);
        self.0.lock().unwrap().push((api.to_owned(), code.to_owned()));
    }
    fn throttled(&self, _: &AccountKey, _: &'static str) {}
    fn waited(&self, _: &AccountKey, _: &'static str, _: Duration) {}
    fn quota(&self, _: &AccountKey, _: &'static str, requests_per_second: f64) {
        assert!(requests_per_second > 0.0);
    }
    fn demand(&self, _: &AccountKey, _: &'static str, _: f64) {}
    fn credentials_expire(&self, _: &AccountKey, _: Option<Timestamp>) {}
    fn polled(&self, _: &AccountKey, _: Option<Reason>) {}
    fn panicked(&self, _: &AccountKey) {}
    fn listed(&self, _: &AccountKey, _: Option<Reason>) {}
    fn unknown_states(&self, _: &AccountKey, _: u64) {}
}

/// An account and the cloud it polls.
struct Setting {
    account: Account,
    notes: Arc<Notes>,
    _stop: DropGuard,
}

impl Setting {
    /// `fields` are added to an account section with good keys.
    async fn new(cloud: impl Simulator, fields: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        tracker.spawn(serve(listener, Arc::new(cloud), tracker.clone(), stop.clone()));
        let mut section = json!({
            "account": "demo", "region": REGION, "endpoint": format!("http://{address}"), "rate_limit": 10_000,
            "credentials": {"secret_id": {"env": "ID"}, "secret_key": {"env": "KEY"}},
        });
        section.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let notes = Arc::new(Notes::default());
        let observe: Arc<dyn Observe> = Arc::<Notes>::clone(&notes);
        Self { account: set_up(section, &Shared::new(observe)), notes, _stop: stop.drop_guard() }
    }

    async fn read(&self, task_id: &str, previous: Option<&Task>) -> Task {
        self.account.cloud.read(task_id, previous).await.unwrap().task
    }
}

fn set_up(section: Value, shared: &Shared) -> Account {
    let environment = Environment::from_fn(|name| match name {
        "ID" => Some(SECRET_ID.to_owned()),
        "KEY" => Some(SECRET_KEY.to_owned()),
        "WRONG" => Some("wrong".to_owned()),
        _ => None,
    });
    let mut defaults = Defaults {
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        labels: BTreeMap::new(),
        environment: Some(environment),
        accounts: HashSet::new(),
        tasks: HashSet::new(),
    };
    let section: Section = serde_json::from_value(section).unwrap();
    let mut report = Report::default();
    let prepared = section.check(&mut defaults, &mut report);
    assert_eq!(report.into_mistakes(), []);
    prepared.unwrap().build(shared, None).unwrap()
}

/// A world that has been turning for a while.
fn demo_cloud() -> Tencent {
    let epoch = crate::clock::now().checked_sub(SignedDuration::from_mins(30)).unwrap();
    Tencent::new(World::new(7, epoch), 10_000)
}

#[tokio::test]
async fn tasks_are_found_and_read_in_both_dialects() {
    for api in ["3.0", "2.0"] {
        let fields = json!({
            "api": api,
            "targets": [{"job": NIGHTLY_JOB, "group": "nightly"}, {"job": "job-97zcl3wt", "tasks": ["A"]}],
            "discover": [{"name": "^etl-", "group": "etl"}],
        });
        let setting = Setting::new(demo_cloud(), fields).await;
        let [nightly, etl] = &setting.account.finders[..] else { panic!("two finders") };
        let nightly = nightly.find.find().await.unwrap();
        assert!(nightly.contains(&format!("{NIGHTLY_JOB}/A").into()), "{nightly:?}");
        let found = etl.find.find().await.unwrap();
        assert!(found.len() > 10, "{found:?}");
        for id in nightly.iter().chain(&found) {
            let task = setting.read(id, None).await;
            let counted: u64 = task.instances.iter().map(|(_, count)| count).sum();
            assert_eq!(counted, task.instances_expected, "{id} over API {api}");
            assert_ne!(task.phase, Phase::Unknown);
            assert_eq!(task.finished.is_some(), task.phase.outcome().is_some(), "{id} over API {api}: {task:?}");
        }
        let gone = setting.account.cloud.read("job-97zcl3wt/A", None).await.unwrap_err();
        assert_eq!(gone.reason(), Reason::NotFound, "{gone}");
        let refused = setting.account.cloud.read("job-1/A", None).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Rejected, "{refused}");
    }
}

#[tokio::test]
async fn a_job_is_described_once() {
    let setting = Setting::new(demo_cloud(), json!({"discover": [{"tags": {"team": "data"}, "limit": 3}]})).await;
    let find = &setting.account.finders[0].find;
    assert_eq!(find.find().await.unwrap().len(), 3);
    let described = setting.notes.count("DescribeJob");
    assert!((1..=3).contains(&described), "{described}");
    setting.notes.take();
    find.find().await.unwrap();
    assert!(setting.notes.count("DescribeJob") <= 1, "only a job that is new since");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_rests() {
    for (api, code) in [("3.0", "AuthFailure.SignatureFailure"), ("2.0", "4100")] {
        let credentials = json!({"secret_id": {"env": "ID"}, "secret_key": {"env": "WRONG"}});
        let fields = json!({"api": api, "credentials": credentials, "targets": [{"job": NIGHTLY_JOB}]});
        let setting = Setting::new(demo_cloud(), fields).await;
        let task_id = format!("{NIGHTLY_JOB}/A");
        for _ in 0..3 {
            let error = setting.account.cloud.read(&task_id, None).await.unwrap_err();
            assert_eq!(error.reason(), Reason::Denied, "{error}");
        }
        assert_eq!(setting.notes.take(), [("DescribeTask".to_owned(), code.to_owned())], "one request only");
    }
}

#[tokio::test]
async fn only_jobs_in_the_wanted_states_are_found() {
    for api in ["3.0", "2.0"] {
        let setting = Setting::new(demo_cloud(), json!({"api": api, "discover": [{"states": ["SUCCEED"]}]})).await;
        let found = setting.account.finders[0].find.find().await.unwrap();
        assert!(!found.is_empty());
        for id in &found {
            assert_eq!(setting.read(id, None).await.phase, Phase::Succeeded, "{id} over API {api}");
        }
    }
}

/// A cloud whose clock is three hours ahead of ours, and says so.
struct Ahead(Tencent);

impl Simulator for Ahead {
    fn answer(&self, asked: &Asked, now: Timestamp) -> Answered {
        let theirs = now + SignedDuration::from_hours(3);
        let date = theirs.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        self.0.answer(asked, theirs).with_header("date", date)
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_once() {
    for (api, code) in [("3.0", "AuthFailure.SignatureExpire"), ("2.0", "4500")] {
        let fields = json!({"api": api, "targets": [{"job": NIGHTLY_JOB, "tasks": ["A"]}]});
        let setting = Setting::new(Ahead(demo_cloud()), fields).await;
        let task_id = format!("{NIGHTLY_JOB}/A");
        let (_, took) = counted(setting.read(&task_id, None)).await;
        let codes: Vec<String> = setting.notes.take().into_iter().map(|(_, code)| code).collect();
        assert_eq!(codes.get(..2), Some(&[code.to_owned(), "ok".to_owned()][..]), "{codes:?}");
        assert_eq!(took.iter().map(|(_, count)| count).sum::<u32>() + 1, u32::try_from(codes.len()).unwrap());
        setting.read(&task_id, None).await;
        assert!(setting.notes.take().iter().all(|(_, code)| code == "ok"));
    }
}

/// A cloud with one task of many instances, all of which have ended after a minute.
struct Crowd {
    instances: usize,
    /// Answers with more rows are refused.
    most_rows: usize,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Crowd {
    fn new(instances: usize) -> Self {
        Self { instances, most_rows: usize::MAX, asked: Arc::default() }
    }
}

impl Simulator for Crowd {
    fn answer(&self, asked: &Asked, _: Timestamp) -> Answered {
        let parameters: Value = serde_json::from_slice(&asked.body).unwrap();
        self.asked.lock().unwrap().push(parameters.clone());
        let number = |name: &str| usize::try_from(parameters[name].as_u64().unwrap()).unwrap();
        let (offset, limit) = (number("Offset"), number("Limit"));
        if limit > self.most_rows {
            let error = json!({"Code": "ResponseSizeLimitExceeded", "Message": "too large"});
            return Answered::json(200, &json!({"Response": {"Error": error}}));
        }
        let rows: Vec<Value> = (0..self.instances)
            .skip(offset)
            .take(limit)
            .map(|index| {
                json!({
                    "TaskInstanceIndex": index, "TaskInstanceState": "SUCCEED", "ExitCode": 0,
                    "CreateTime": "2026-01-01T00:00:00Z", "LaunchTime": "2026-01-01T00:00:10Z",
                    "RunningTime": "2026-01-01T00:00:20Z", "EndTime": "2026-01-01T00:01:20Z",
                    "StateReason": sha256_hex(&index.to_be_bytes()),
                })
            })
            .collect();
        Answered::json(
            200,
            &json!({"Response": {
                "TaskState": "RUNNING", "CreateTime": "2026-01-01T00:00:00Z", "EndTime": null,
                "TaskInstanceTotalCount": self.instances, "TaskInstanceSet": rows,
                "TaskInstanceMetrics": {"SucceedCount": self.instances},
            }}),
        )
    }
}

fn pages(asked: &Mutex<Vec<Value>>) -> Vec<(u64, u64)> {
    let page = |parameters: Value| (parameters["Offset"].as_u64().unwrap(), parameters["Limit"].as_u64().unwrap());
    std::mem::take(&mut *asked.lock().unwrap()).into_iter().map(page).collect()
}

const TARGET: &str = "job-97zcl3wt/A";

fn named() -> Value {
    json!({"targets": [{"job": "job-97zcl3wt", "tasks": ["A"]}]})
}

#[tokio::test]
async fn all_pages_are_read_once_and_then_carried_over() {
    let crowd = Crowd::new(2_500);
    let asked = Arc::clone(&crowd.asked);
    let setting = Setting::new(crowd, named()).await;
    assert_eq!(&*setting.account.targets[0].key.task_id, TARGET);
    let (task, took) = counted(setting.read(TARGET, None)).await;
    assert_eq!(pages(&asked), [(0, 1), (0, 1000), (1000, 1000), (2000, 1000)]);
    assert_eq!(took.iter().collect::<Vec<_>>(), [("DescribeTask", 4)]);
    assert_eq!(task.exits.codes().collect::<Vec<_>>(), [(0, 2_500)]);
    assert_eq!(task.run.as_ref().map(|run| (run.count(), run.sum())), Some((2_500, 150_000.0)));
    assert!(!task.rows_truncated);
    let again = setting.read(TARGET, Some(&task)).await;
    assert_eq!(pages(&asked), [(0, 1)]);
    assert_eq!(again, task);
}

#[tokio::test]
async fn a_task_of_one_instance_costs_one_request() {
    let crowd = Crowd::new(1);
    let asked = Arc::clone(&crowd.asked);
    let setting = Setting::new(crowd, named()).await;
    let task = setting.read(TARGET, None).await;
    assert_eq!((pages(&asked), task.exits.codes().count()), (vec![(0, 1)], 1));
}

#[tokio::test]
async fn rows_beyond_the_page_cap_are_left_unread_and_said_so() {
    let crowd = Crowd::new(PAGE_CAP_ROWS + 1);
    let asked = Arc::clone(&crowd.asked);
    let setting = Setting::new(crowd, named()).await;
    let task = setting.read(TARGET, None).await;
    assert_eq!(pages(&asked).len(), 1 + MAX_PAGES);
    assert!(task.rows_truncated);
    assert_eq!(task.exits.codes().collect::<Vec<_>>(), [(0, 20_000)]);
    assert_eq!(task.instances_expected, 20_001);
    assert_eq!(task.instances[5], ("succeeded", 20_001), "counts are whole all the same");
}

#[tokio::test]
async fn a_page_too_large_is_asked_for_in_halves() {
    let crowd = Crowd { most_rows: 300, ..Crowd::new(600) };
    let asked = Arc::clone(&crowd.asked);
    let setting = Setting::new(crowd, named()).await;
    let task = setting.read(TARGET, None).await;
    assert_eq!(pages(&asked), [(0, 1), (0, 1000), (0, 500), (0, 250), (250, 250), (500, 250)]);
    assert_eq!(task.run.map(|run| run.count()), Some(600));
}
