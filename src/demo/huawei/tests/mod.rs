//! The simulated cloud asked directly, and by the exporter's own account over real HTTP.

mod sources;

use super::*;
use crate::cloud::huawei::Section;
use crate::cloud::huawei::sign::{self, Signable};
use crate::cloud::settings::{Defaults, Environment, Report};
use crate::cloud::{Account, Shared, counted};
use crate::demo::serve;
use crate::model::{AccountKey, Observe, Phase, Reading, Reason, Requests};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, Method};
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

fn start() -> Timestamp {
    Timestamp::from_second(1_760_000_000).unwrap()
}

fn cloud(per_second: u32) -> Huawei {
    Huawei::new(World::new(1, start()), per_second)
}

fn job_path(job: &str) -> String {
    format!("/api/v3/projects/{PROJECT_ID}/jobs/{job}")
}

fn asked(method: Method, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Asked {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect();
    Asked { method, path: path.to_owned(), query: query.to_owned(), headers, body: Bytes::from(body.to_owned()) }
}

/// As the vendor's Python SDK does it: everything is signed, the kind of content and the user agent too.
fn signed(path: &str, query: &[(&str, &str)], secret: &str, at: Timestamp) -> Asked {
    let date = sign::date(at);
    let mut headers = vec![
        ("content-type", "application/json"),
        ("host", "127.0.0.1:1"),
        ("user-agent", "huaweicloud-usdk-python/3.0"),
        ("x-project-id", PROJECT_ID),
        ("x-sdk-date", &*date),
    ];
    let signable = Signable { method: "GET", path, query, headers: &headers, body: b"" };
    let to_sign = sign::string_to_sign(&date, &sign::canonical_request(&signable));
    let signature = sign::signature(secret, &to_sign);
    let authorization = sign::authorization(ACCESS_KEY, &sign::signed_headers(&headers), &signature);
    headers.push(("authorization", &authorization));
    asked(Method::GET, path, &sign::canonical_query(query), &headers, "")
}

fn ask(cloud: &Huawei, request: &Asked, now: Timestamp) -> (u16, String) {
    let answered = cloud.answer(request, now);
    assert!(answered.headers.iter().any(|(name, value)| *name == "date" && value.ends_with("GMT")));
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    let code = body.get("errorCode").or(body.get("error_code")).and_then(Value::as_str).unwrap_or_default();
    (answered.status, code.to_owned())
}

#[test]
fn what_is_signed_may_not_be_changed() {
    let cloud = cloud(100);
    let good = signed(&job_path(JOB_IDS[0]), &[], SECRET_KEY, start());
    assert_eq!(ask(&cloud, &good, start()), (200, String::new()));
    let elsewhere = Asked { path: job_path(JOB_IDS[1]), ..good.clone() };
    let with_body = Asked { body: Bytes::from_static(b"{}"), ..good.clone() };
    let mut other_agent = good.clone();
    other_agent.headers.insert("user-agent", "curl".parse().unwrap());
    let unsigned = asked(Method::GET, &job_path(JOB_IDS[0]), "", &[], "");
    let mut temporary = good.clone();
    temporary.headers.insert("x-security-token", "of-another-key".parse().unwrap());
    for wrong in [elsewhere, with_body, other_agent, unsigned, temporary] {
        assert_eq!(ask(&cloud, &wrong, start()), (401, "APIGW.0301".to_owned()));
    }
}

#[test]
fn each_wrong_request_gets_the_vendors_answer() {
    let cloud = cloud(100);
    let at = |path: &str, query: &[(&str, &str)]| ask(&cloud, &signed(path, query, SECRET_KEY, start()), start());
    let answer = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(at(&format!("{}/", job_path(JOB_IDS[0])), &[]), answer(404, "APIGW.0101"));
    assert_eq!(at(&job_path(""), &[]), answer(404, "APIGW.0101"));
    assert_eq!(at(&job_path("no-such-job"), &[]), answer(404, "CCE.01404001"));
    assert_eq!(at(&job_path(JOB_IDS[0]), &[("limit", "1")]), answer(400, "CCE.01400001"));
    assert_eq!(at(&job_path(JOB_IDS[0]).replace("abcdef", "abcdee"), &[]), answer(403, "CCE.01403001"));
    assert_eq!(at("/v3/projects", &[("name", REGION), ("limit", "1")]), answer(400, "IAM.0007"));
    assert_eq!(at(&job_path(JOB_IDS[0]).replace("/api/", "/autopilot/"), &[]), answer(200, ""));
}

#[test]
fn more_than_five_bad_signatures_lock_the_key_for_five_minutes() {
    let cloud = cloud(100);
    let bad = signed(&job_path(JOB_IDS[0]), &[], "wrong", start());
    let locked =
        |now| cloud.answer(&signed(&job_path(JOB_IDS[0]), &[], SECRET_KEY, now), now).body.contains("reach the limit");
    for _ in 0..5 {
        ask(&cloud, &bad, start());
    }
    assert!(!locked(start()), "a good signature makes up for five bad ones");
    for _ in 0..6 {
        ask(&cloud, &bad, start());
    }
    assert!(locked(start() + SignedDuration::from_secs(299)));
    assert!(!locked(start() + SignedDuration::from_secs(300)));
}

#[test]
fn a_signature_ages() {
    let cloud = cloud(100);
    let request = signed(&job_path(JOB_IDS[0]), &[], SECRET_KEY, start());
    let after = |seconds| ask(&cloud, &request, start() + SignedDuration::from_secs(seconds)).0;
    assert_eq!((after(900), after(-900), after(901), after(-901)), (200, 200, 401, 401));
}

#[test]
fn a_second_has_room_for_its_quota_and_the_next_one_again() {
    let cloud = cloud(2);
    let now = start() + SignedDuration::from_millis(182);
    let answers: Vec<Answered> =
        (0..3).map(|_| cloud.answer(&signed(&job_path(JOB_IDS[0]), &[], SECRET_KEY, now), now)).collect();
    assert_eq!(answers.iter().map(|answered| answered.status).collect::<Vec<_>>(), [200, 200, 429]);
    assert!(answers[2].headers.contains(&("retry-after", "0.818".to_owned())), "{:?}", answers[2].headers);
}

fn token_request(password: &str) -> Asked {
    let user = json!({"name": USER_NAME, "password": password, "domain": {"name": DOMAIN}});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let body = json!({"auth": {"identity": identity, "scope": {"project": {"name": REGION}}}});
    asked(Method::POST, "/v3/auth/tokens", "nocatalog=true", &[], &body.to_string())
}

#[test]
fn a_token_is_for_a_password_and_for_a_day() {
    let cloud = cloud(100);
    assert_eq!(ask(&cloud, &token_request("wrong"), start()), (401, "IAM.0011".to_owned()));
    let answered = cloud.answer(&token_request(PASSWORD), start());
    assert_eq!(answered.status, 201);
    let token = answered.headers.iter().find(|(name, _)| *name == "x-subject-token").unwrap().1.clone();
    let with = |token: &str, hours: i64| {
        let request = asked(Method::GET, &job_path(JOB_IDS[0]), "", &[("x-auth-token", token)], "");
        ask(&cloud, &request, start() + SignedDuration::from_hours(hours))
    };
    assert_eq!(with(&token, 23), (200, String::new()));
    for (token, hours) in [(&*token, 24), ("nonsense", 0), (&token.replace("17", "18"), 0)] {
        assert_eq!(with(token, hours), (401, "APIGW.0307".to_owned()));
    }
}

#[test]
fn within_minutes_jobs_pass_through_every_phase_at_two_and_three_levels() {
    fn walk(
        job: &Value,
        level: usize,
        phases: &mut HashSet<String>,
        levels: &mut HashSet<usize>,
        digits: &mut HashSet<usize>,
    ) {
        phases.insert(job["status"]["phase"].as_str().unwrap().to_owned());
        let created = job["metadata"]["creationTimestamp"].as_str().unwrap();
        let fraction = created.split(' ').nth(1).unwrap().split_once('.').map_or("", |(_, fraction)| fraction);
        digits.insert(fraction.len());
        let sub_jobs = job["spec"]["subJobs"].as_array().unwrap();
        if sub_jobs.is_empty() {
            levels.insert(level);
        }
        for job in sub_jobs {
            walk(job, level + 1, phases, levels, digits);
        }
    }
    let (mut phases, mut levels, mut digits) = (HashSet::new(), HashSet::new(), HashSet::new());
    for second in (0..900).step_by(15) {
        for (position, job) in JOB_IDS.iter().enumerate() {
            let document = jobs::document(
                &World::new(1, start()),
                job,
                position % 2 == 0,
                start() + SignedDuration::from_secs(second),
            );
            walk(&document, 1, &mut phases, &mut levels, &mut digits);
        }
    }
    assert_eq!(phases.len(), 4, "{phases:?}");
    assert!(levels.contains(&2) && levels.contains(&3), "{levels:?}");
    assert!(digits.contains(&0) && digits.len() >= 6, "{digits:?}");
}

// From here on the exporter's own account asks, over HTTP.

/// A simulated cloud that remembers what it was asked, and says no where a test wants it to.
struct Witness {
    cloud: Huawei,
    asked: Mutex<Vec<String>>,
    refuse: fn(&Asked, usize) -> Option<Answered>,
    /// How far its clock is ahead of ours.
    ahead: Mutex<SignedDuration>,
}

impl Witness {
    fn new(refuse: fn(&Asked, usize) -> Option<Answered>) -> Arc<Self> {
        Arc::new(Self { cloud: cloud(1000), asked: Mutex::default(), refuse, ahead: Mutex::default() })
    }

    fn with_clock_ahead(ahead: SignedDuration) -> Arc<Self> {
        let witness = Self::new(|_, _| None);
        *witness.ahead.lock().unwrap() = ahead;
        witness
    }

    fn count(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(part)).count()
    }
}

impl Simulator for Witness {
    fn answer(&self, request: &Asked, now: Timestamp) -> Answered {
        let before = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.path.clone());
            asked.iter().filter(|path| **path == request.path).count() - 1
        };
        (self.refuse)(request, before).unwrap_or_else(|| self.cloud.answer(request, now + *self.ahead.lock().unwrap()))
    }
}

#[derive(Debug, Default)]
struct Notes {
    expiries: Mutex<Vec<Timestamp>>,
    apis: Mutex<HashSet<&'static str>>,
}

impl Observe for Notes {
    fn request(&self, _: &AccountKey, _: &'static str, _: &str, _: Duration) {}
    fn throttled(&self, _: &AccountKey, _: &'static str) {}
    fn waited(&self, _: &AccountKey, _: &'static str, _: Duration) {}
    fn quota(&self, _: &AccountKey, api: &'static str, _: f64) {
        self.apis.lock().unwrap().insert(api);
    }
    fn demand(&self, _: &AccountKey, _: &'static str, _: f64) {}
    fn credentials_expire(&self, _: &AccountKey, at: Option<Timestamp>) {
        self.expiries.lock().unwrap().extend(at);
    }
    fn polled(&self, _: &AccountKey, _: Option<Reason>) {}
    fn panicked(&self, _: &AccountKey) {}
    fn listed(&self, _: &AccountKey, _: Option<Reason>) {}
    fn unknown_states(&self, _: &AccountKey, _: u64) {}
}

struct Set {
    account: Account,
    notes: Arc<Notes>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Set {
    /// Serves the cloud and sets up an account for it; `section` says what is special about that.
    async fn up(witness: &Arc<Witness>, section: &Value) -> Self {
        let known = [
            ("HUAWEICLOUD_SDK_AK", ACCESS_KEY),
            ("HUAWEICLOUD_SDK_SK", SECRET_KEY),
            ("WRONG", "wrong"),
            ("PASSWORD", PASSWORD),
        ];
        Self::up_in(&known, witness, section).await
    }

    /// As `up`, with those environment variables. `ENDPOINT` in them and in the section is the cloud's address.
    async fn up_in(variables: &[(&'static str, &str)], witness: &Arc<Witness>, section: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let served: Arc<dyn Simulator> = Arc::<Witness>::clone(witness);
        tracker.spawn(serve(listener, served, tracker.clone(), stop.clone()));
        let notes = Arc::new(Notes::default());
        let observe: Arc<dyn Observe> = Arc::<Notes>::clone(&notes);
        let section: Value = serde_json::from_str(&section.to_string().replace("ENDPOINT", &endpoint)).unwrap();
        let variables = variables.iter().map(|(name, value)| (*name, value.replace("ENDPOINT", &endpoint))).collect();
        let account = build(&section, &endpoint, variables).build(&Shared::new(observe), None).unwrap();
        Self { account, notes, tracker, stop }
    }

    async fn read(&self, job: &str) -> Result<Reading, crate::cloud::Error> {
        let cloud = &self.account.cloud;
        let (result, took) = counted(cloud.read(job, None)).await;
        if result.is_ok() {
            assert_eq!(took, Requests::one(cloud.api_of(job)), "what brings keys or the project is asked once for all");
        }
        result
    }

    /// Asks for every job and many others at once, as a poll loop with all of them due.
    async fn read_many(&self) -> Vec<Result<Reading, crate::cloud::Error>> {
        join_all(JOB_IDS.iter().cycle().take(20).map(|job| self.read(job))).await
    }

    async fn down(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn build(special: &Value, endpoint: &str, variables: Vec<(&'static str, String)>) -> Box<dyn crate::cloud::Prepared> {
    let targets: Vec<Value> =
        JOB_IDS.iter().enumerate().map(|(position, job)| json!({"job": job, "autopilot": position == 7})).collect();
    let mut section = json!({"account": "cce", "region": REGION, "endpoint": endpoint, "iam_endpoint": endpoint,
        "rate_limit": 1000, "targets": targets});
    section.as_object_mut().unwrap().extend(special.as_object().unwrap().clone());
    let environment = Environment::from_fn(move |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    });
    let mut defaults = Defaults {
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        labels: std::collections::BTreeMap::new(),
        environment: Some(environment),
        accounts: HashSet::new(),
        tasks: HashSet::new(),
    };
    let mut report = Report::default();
    let section: Section = serde_json::from_value(section).unwrap();
    let prepared = section.check(&mut defaults, &mut report);
    assert_eq!(report.into_mistakes(), []);
    prepared.unwrap()
}

fn password(reference: &str) -> Value {
    json!({"credentials": {"user_name": USER_NAME, "domain": DOMAIN, "password": {"env": reference}}})
}

fn wrong_key() -> Value {
    json!({"access_key": {"env": "HUAWEICLOUD_SDK_AK"}, "secret_key": {"env": "WRONG"}})
}

/// Lets the clock of the exporter's account go on without waiting.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn jobs_are_read_with_every_kind_of_credentials() {
    let sections = [
        (json!({"project_id": PROJECT_ID}), 0, 0),
        (json!({}), 1, 0),
        (password("PASSWORD"), 0, 1),
        (json!({"project_id": PROJECT_ID, "credentials": password("PASSWORD")["credentials"]}), 0, 1),
    ];
    for (section, look_ups, tokens) in sections {
        let witness = Witness::new(|_, _| None);
        let set = Set::up(&witness, &section).await;
        for reading in set.read_many().await {
            let Reading { task, unknown_states } = reading.unwrap();
            assert_ne!(task.phase, Phase::Unknown);
            assert!(task.created.is_some() && !task.facts.task_name.is_empty() && !task.facts.cluster_id.is_empty());
            assert_eq!(task.instances.iter().map(|(_, count)| count).sum::<u64>(), task.instances_expected);
            assert_eq!(unknown_states, 0);
        }
        assert_eq!(witness.count("/jobs/"), 20);
        assert_eq!(witness.count("/autopilot/v3/"), 2);
        assert_eq!((witness.count("/v3/projects") - 20, witness.count("/v3/auth/tokens")), (look_ups, tokens));
        assert_eq!(set.notes.expiries.lock().unwrap().len(), tokens);
        let apis = set.notes.apis.lock().unwrap().len();
        assert_eq!(apis, 2 + look_ups + tokens);
        assert_eq!(set.account.concurrency, 4);
        set.down().await;
    }
}

#[tokio::test]
async fn a_wrong_key_is_shown_once_in_five_minutes() {
    for special in [
        json!({"project_id": PROJECT_ID, "credentials": wrong_key()}),
        json!({"credentials": wrong_key()}),
        password("WRONG"),
        json!({"credentials": {"source": "assume_role", "agency_urn": AGENCY_URN, "sts_endpoint": "ENDPOINT", "from": wrong_key()}}),
    ] {
        let witness = Witness::new(|_, _| None);
        let set = Set::up(&witness, &special).await;
        for tries in 1..=3 {
            for passing in [0, 1, 298] {
                pass(Duration::from_secs(passing)).await;
                for result in set.read_many().await {
                    assert_eq!(result.unwrap_err().reason(), Reason::Denied);
                }
                assert_eq!(witness.count("/"), tries, "{special}");
            }
            // The last refusal of those who waited for IAM counts for half a minute more.
            pass(Duration::from_secs(1 + 30)).await;
        }
        set.down().await;
    }
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_and_kept_while_that_fails() {
    let witness = Witness::new(|asked, before| {
        let refused = asked.path == "/v3/auth/tokens" && (1..=2).contains(&before);
        refused.then(|| gateway::unauthorized("IAM.0011", "The username or password is wrong"))
    });
    let set = Set::up(&witness, &password("PASSWORD")).await;
    set.read(JOB_IDS[0]).await.unwrap();
    pass(Duration::from_mins(23 * 60 + 44)).await;
    set.read(JOB_IDS[0]).await.unwrap();
    assert_eq!(witness.count("tokens"), 1);
    // Refused twice, five minutes apart, the old token goes on; the third renewal brings a new one.
    for (passing, tokens) in [(2, 2), (1, 2), (4, 3), (5, 4), (60 * 20, 4)] {
        pass(Duration::from_mins(passing)).await;
        for result in set.read_many().await {
            result.unwrap();
        }
        assert_eq!(witness.count("tokens"), tokens, "after {passing} minutes");
    }
    assert_eq!(set.notes.expiries.lock().unwrap().len(), 2);
    set.down().await;
}

fn outdated() -> Answered {
    gateway::unauthorized("APIGW.0307", "The token must be updated")
}

/// So long after they came, refused keys and tokens are asked for anew.
const SETTLED: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let witness = Witness::new(|asked, before| (asked.path.contains("/jobs/") && before == 1).then(outdated));
    let set = Set::up(&witness, &password("PASSWORD")).await;
    set.read(JOB_IDS[0]).await.unwrap();
    pass(SETTLED).await;
    set.read(JOB_IDS[0]).await.unwrap();
    assert_eq!((witness.count("/jobs/"), witness.count("tokens")), (3, 2));
    set.down().await;
}

#[tokio::test]
async fn tokens_refused_again_and_again_stop_the_account() {
    let witness = Witness::new(|asked, before| (asked.path.contains("/jobs/") && before >= 1).then(outdated));
    let set = Set::up(&witness, &password("PASSWORD")).await;
    set.read(JOB_IDS[0]).await.unwrap();
    pass(SETTLED).await;
    for _ in 0..5 {
        assert_eq!(set.read(JOB_IDS[0]).await.unwrap_err().reason(), Reason::Denied);
    }
    assert_eq!((witness.count("/jobs/"), witness.count("tokens")), (3, 2));
    set.down().await;
}

#[tokio::test]
async fn a_given_token_is_used_as_it_is() {
    let witness = Witness::new(|_, _| None);
    let set = Set::up(&witness, &json!({"credentials": {"token": {"env": "WRONG"}}})).await;
    for _ in 0..5 {
        assert_eq!(set.read(JOB_IDS[0]).await.unwrap_err().reason(), Reason::Denied);
    }
    assert_eq!((witness.count("/"), witness.count("tokens")), (1, 0));
    set.down().await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_set_right_by_the_clouds() {
    for hours in [-2, 2] {
        let witness = Witness::with_clock_ahead(SignedDuration::from_hours(hours));
        let set = Set::up(&witness, &json!({"project_id": PROJECT_ID})).await;
        for result in set.read_many().await {
            result.unwrap();
        }
        assert_eq!(witness.count("/jobs/"), 21);
        set.down().await;
    }
}

#[tokio::test]
async fn a_job_nobody_knows_and_an_id_that_cannot_be_one() {
    let witness = Witness::new(|_, _| None);
    let set = Set::up(&witness, &json!({"project_id": PROJECT_ID})).await;
    let error = set.read("no-such-job").await.unwrap_err();
    assert_eq!((error.reason(), error.code()), (Reason::NotFound, "CCE.01404001"));
    assert_eq!(set.read("../clusters").await.unwrap_err().reason(), Reason::Rejected);
    assert_eq!(witness.count("/"), 1);
    set.down().await;
}
