//! What the simulated cloud takes and refuses, and the exporter's own way to it over real HTTP.

use super::*;
use crate::clock;
use crate::cloud::aliyun::Section;
use crate::cloud::aliyun::sign::{authorization, canonical_fields, canonical_query, canonical_request, string_to_sign};
use crate::cloud::digest::sha256_hex;
use crate::cloud::settings::{Defaults, Environment, Report};
use crate::cloud::{Account, Error, Shared, chain};
use crate::demo::http::decode_form;
use crate::demo::serve;
use crate::model::{AccountKey, Observe, Phase, Reason};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PLENTY: u32 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn cloud(per_second: u32) -> Aliyun {
    Aliyun::new(World::new(1, at(0)), per_second)
}

/// A request to be signed, with one thing after another to get wrong.
#[derive(Clone)]
struct Draft {
    method: Method,
    path: String,
    query: &'static str,
    headers: Vec<(&'static str, String)>,
    unsigned: Vec<(&'static str, String)>,
    id: &'static str,
    secret: &'static str,
}

impl Draft {
    fn new(path: &str, action: &str, now: Timestamp, nonce: usize) -> Self {
        let headers = vec![
            ("host", "127.0.0.1:1".to_owned()),
            ("x-acs-action", action.to_owned()),
            ("x-acs-content-sha256", sha256_hex(b"")),
            ("x-acs-date", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("x-acs-signature-nonce", format!("nonce-{nonce}")),
            ("x-acs-version", "2015-12-15".to_owned()),
        ];
        Self {
            method: Method::GET,
            path: path.to_owned(),
            query: "",
            headers,
            unsigned: Vec::new(),
            id: ACCESS_KEY_ID,
            secret: ACCESS_KEY_SECRET,
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn sign(self) -> Asked {
        let fields = canonical_fields(self.headers.clone());
        let query = canonical_query(&decode_form(self.query));
        let canonical = canonical_request(self.method.as_str(), &self.path, &query, &fields, &sha256_hex(b""));
        let authorization = authorization(&self.id.into(), &self.secret.into(), &fields, &string_to_sign(&canonical));
        let mut headers = HeaderMap::new();
        let all = self.headers.into_iter().chain(self.unsigned).chain([("authorization", authorization)]);
        for (name, value) in all {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        Asked { method: self.method, path: self.path, query: self.query.to_owned(), headers, body: Bytes::new() }
    }
}

fn task_draft(nonce: usize) -> Draft {
    Draft::new(&format!("/tasks/{TASK_ID}"), "DescribeTaskInfo", at(0), nonce)
}

fn json(answered: &Answered) -> Value {
    serde_json::from_str(&answered.body).unwrap()
}

/// Status and code of an answer.
fn told(answered: &Answered) -> (u16, String) {
    let body = json(answered);
    let code = body.get("Code").or_else(|| body.get("code")).and_then(Value::as_str).unwrap_or("ok");
    (answered.status, code.to_owned())
}

#[test]
fn a_signed_request_is_answered_once() {
    let cloud = cloud(PLENTY);
    let request = task_draft(1).sign();
    let answered = cloud.answer(&request, at(0));
    assert_eq!(told(&answered), (200, "ok".to_owned()));
    assert_eq!(json(&answered)["task_id"], TASK_ID);
    assert!(answered.headers.contains(&("date", "Tue, 14 Nov 2023 22:13:20 GMT".to_owned())), "{answered:?}");
    assert_eq!(told(&cloud.answer(&request, at(1))), (400, "SignatureNonceUsed".to_owned()));
}

#[test]
fn a_client_that_signs_all_its_headers_is_answered_too() {
    let draft = task_draft(1).with("accept", "application/json").with("user-agent", "AlibabaCloud (Linux)");
    let draft = draft.with("x-acs-credentials-provider", "static_ak");
    assert_eq!(told(&cloud(PLENTY).answer(&draft.sign(), at(0))).0, 200);
}

#[test]
fn whoever_is_not_exact_is_refused() {
    let cases: Vec<(u16, &str, Draft)> = vec![
        (404, "InvalidAccessKeyId.NotFound", Draft { id: "LTAI5tNobody", ..task_draft(1) }),
        (400, "SignatureDoesNotMatch", Draft { secret: "wrong", ..task_draft(2) }),
        (400, "SignatureDoesNotMatch", Draft { unsigned: vec![("x-acs-more", "x".to_owned())], ..task_draft(3) }),
        (400, "SignatureDoesNotMatch", Draft { unsigned: vec![("content-type", "a/b".to_owned())], ..task_draft(4) }),
        (400, "SignatureDoesNotMatch", task_draft(5).with("x-acs-content-sha256", &sha256_hex(b"x"))),
        (400, "InvalidTimeStamp.Format", task_draft(6).with("x-acs-date", "2023-11-14T22:13:20+00:00")),
        (400, "InvalidTimeStamp.Expired", task_draft(7).with("x-acs-date", "2023-11-14T22:28:21Z")),
        (400, "MissingSignatureNonce", task_draft(8).with("x-acs-signature-nonce", "")),
        (400, "InvalidVersion", task_draft(9).with("x-acs-version", "2018-04-18")),
        (404, "InvalidAction.NotFound", task_draft(10).with("x-acs-action", "DescribeClusterTasks")),
        (400, "InvalidSecurityToken.MismatchWithAccessKey", task_draft(11).with("x-acs-security-token", "t")),
        (404, "InvalidApi.NotFound", Draft { path: "/task/T-1".to_owned(), ..task_draft(12) }),
        (404, "InvalidApi.NotFound", Draft { path: "/tasks/".to_owned(), ..task_draft(13) }),
        (403, "UnsupportedHTTPMethod", Draft { method: Method::POST, ..task_draft(14) }),
        (400, "400", Draft { path: "/tasks/T-nobody".to_owned(), ..task_draft(15) }),
        (400, "InvalidParameter", Draft { query: "RegionId=cn-hangzhou", ..task_draft(16) }),
    ];
    let cloud = cloud(PLENTY);
    for (status, code, draft) in cases {
        let request = draft.sign();
        assert_eq!(told(&cloud.answer(&request, at(0))), (status, code.to_owned()), "{request:?}");
    }
    let mut unsigned = task_draft(17).sign();
    unsigned.headers.remove("authorization");
    assert_eq!(told(&cloud.answer(&unsigned, at(0))), (400, "IncompleteSignature".to_owned()));
    let in_time = task_draft(18).with("x-acs-date", "2023-11-14T22:28:20Z").sign();
    assert_eq!(told(&cloud.answer(&in_time, at(0))).0, 200);
}

#[test]
fn a_signature_covers_path_and_query_as_they_came() {
    let cloud = cloud(PLENTY);
    let mut request = task_draft(1).sign();
    request.path = "/tasks/T-other".to_owned();
    assert_eq!(told(&cloud.answer(&request, at(0))).1, "SignatureDoesNotMatch");
    let mut request = task_draft(2).sign();
    request.query = "a=b".to_owned();
    assert_eq!(told(&cloud.answer(&request, at(0))).1, "SignatureDoesNotMatch");
}

#[test]
fn a_second_has_room_for_its_quota_only() {
    let cloud = cloud(2);
    let now = at(0) + SignedDuration::from_millis(400);
    let answers: Vec<Answered> = (0..3).map(|nonce| cloud.answer(&task_draft(nonce).sign(), now)).collect();
    assert_eq!(told(&answers[1]).0, 200);
    assert_eq!(told(&answers[2]), (400, "Throttling.User".to_owned()));
    assert!(answers[2].headers.contains(&("x-acs-retry-after", "600".to_owned())), "{:?}", answers[2]);
}

#[test]
fn lists_have_pages() {
    let (cloud, now) = (cloud(PLENTY), at(600));
    let [first, second] = CLUSTER_IDS;
    let ask = |path: &str, action: &str, query: &'static str, nonce: usize| {
        cloud.answer(&Draft { query, ..Draft::new(path, action, now, nonce) }.sign(), now)
    };
    let tasks = |query, nonce| ask(&format!("/clusters/{first}/tasks"), "DescribeClusterTasks", query, nonce);
    let whole = json(&tasks("page_size=100", 1));
    let total = whole["page_info"]["total_count"].as_u64().unwrap();
    let rows = whole["tasks"].as_array().unwrap().clone();
    assert!(rows.len() > 10 && rows.len() as u64 == total, "{whole}");
    let created: Vec<&str> = rows.iter().map(|row| row["created"].as_str().unwrap()).collect();
    assert!(created.is_sorted_by(|one, other| one >= other), "{created:?}");
    assert_eq!(json(&tasks("page_size=4&page_number=2", 2))["tasks"].as_array().unwrap()[..], rows[4..8]);
    assert_eq!(json(&tasks("", 3))["tasks"].as_array().unwrap()[..], rows[..10]);
    assert_eq!(json(&tasks("page_number=1000", 4))["tasks"], json!([]));
    for (nonce, query) in
        ["page_size=101", "page_size=0", "page_number=0", "page_size=x", "state=running"].iter().enumerate()
    {
        assert_eq!(told(&tasks(query, 10 + nonce)), (400, "InvalidParameter".to_owned()), "{query}");
    }
    let gone = ask("/clusters/c0/tasks", "DescribeClusterTasks", "", 20);
    assert_eq!(told(&gone), (404, "ErrorClusterNotFound".to_owned()));
    let clusters =
        |query, nonce| json(&ask("/api/v1/clusters", "DescribeClustersV1", query, nonce))["clusters"].clone();
    let ids: Vec<String> = clusters("region_id=cn-hangzhou", 30)
        .as_array()
        .unwrap()
        .iter()
        .map(|cluster| cluster["cluster_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, [first, second]);
    assert_eq!(clusters("region_id=cn-beijing", 31), json!([]));
}

#[test]
fn within_minutes_every_word_is_said() {
    let world = World::new(1, at(0));
    let (mut states, mut statuses, mut clusters) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for second in (0..1200).step_by(7) {
        for task in tasks::all(&world, at(second)) {
            let info = task.info(at(second));
            states.insert(info["state"].as_str().unwrap().to_owned());
            let rows = info["task_result"].as_array().cloned().unwrap_or_default();
            statuses.extend(rows.iter().map(|row| row["status"].as_str().unwrap().to_owned()));
            clusters.insert(task.cluster_id);
            assert!(task.id == "install-addons-c3f0e1d2" || task.id.len() == 26, "{}", task.id);
        }
    }
    assert!(states.iter().eq(["canceled", "fail", "initial", "paused", "running", "success", "timeout"]), "{states:?}");
    assert!(statuses.iter().eq(["failed", "initial", "success"]), "{statuses:?}");
    assert_eq!(clusters.len(), 2);
}

/// A request that nobody signs.
fn plain(method: &str, path: &str, query: &str, headers: &[(&'static str, &str)]) -> Asked {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
    let method = method.parse().unwrap();
    Asked { method, path: path.to_owned(), query: query.to_owned(), headers, body: Bytes::new() }
}

const KEYS_PATH: &str = "/latest/meta-data/ram/security-credentials/";

#[test]
fn the_metadata_service_wants_its_token() {
    let cloud = cloud(PLENTY);
    let status = |request: Asked, second| cloud.answer(&request, at(second)).status;
    let ask = |life: &'static str| {
        plain("PUT", "/latest/api/token", "", &[("x-aliyun-ecs-metadata-token-ttl-seconds", life)])
    };
    for life in ["", "0", "21601", "soon"] {
        assert_eq!(status(ask(life), 0), 400, "{life}");
    }
    let token = cloud.answer(&ask("60"), at(0)).body;
    let get = |path: &str, token: &str| plain("GET", path, "", &[("x-aliyun-ecs-metadata-token", token)]);
    assert_eq!(status(get(KEYS_PATH, ""), 0), 403);
    assert_eq!(status(get(KEYS_PATH, &token.replace('.', "0.")), 0), 403);
    assert_eq!(cloud.answer(&get(KEYS_PATH, &token), at(59)).body, ROLE_NAME);
    assert_eq!(status(get(KEYS_PATH, &token), 60), 403);
    assert_eq!(status(get(&format!("{KEYS_PATH}nobody"), &token), 0), 404);
    assert_eq!(status(get("/latest/api/token", &token), 0), 404);
    assert_eq!(status(plain("POST", KEYS_PATH, "", &[]), 0), 405);
}

#[test]
fn temporary_keys_are_taken_with_their_token_until_they_end() {
    let cloud = cloud(PLENTY);
    let keys = json(&cloud.answer(&plain("GET", "/credentials", "", &[]), at(0)));
    assert_eq!((&keys["Code"], &keys["Expiration"]), (&json!("Success"), &json!("2023-11-14T22:23:20Z")));
    let text = |name: &str| -> &'static str { keys[name].as_str().unwrap().to_owned().leak() };
    let (id, secret) = (text("AccessKeyId"), text("AccessKeySecret"));
    let draft = |nonce, now| {
        let draft = Draft::new(&format!("/tasks/{TASK_ID}"), "DescribeTaskInfo", now, nonce);
        Draft { id, secret, ..draft }
    };
    let signed = |nonce, second| draft(nonce, at(second)).with("x-acs-security-token", text("SecurityToken"));
    let told = |draft: Draft, second| told(&cloud.answer(&draft.sign(), at(second)));
    assert_eq!(told(signed(1, 599), 599), (200, "ok".to_owned()));
    assert_eq!(told(signed(2, 600), 600).1, "InvalidSecurityToken.Expired");
    assert_eq!(told(draft(3, at(0)), 0).1, "MissingSecurityToken");
    assert_eq!(
        told(draft(4, at(0)).with("x-acs-security-token", "t"), 0).1,
        "InvalidSecurityToken.MismatchWithAccessKey"
    );
    assert_eq!(told(Draft { secret: "wrong", ..signed(5, 0) }, 0).1, "SignatureDoesNotMatch");
    assert_eq!(told(Draft { id: "STS.Demo", ..signed(6, 0) }, 0).1, "InvalidAccessKeyId.NotFound");
}

/// The older signature is what Python's standard library computes; a judge has the SDK make one.
#[test]
fn a_role_is_given_for_either_signature() {
    let cloud = cloud(PLENTY);
    let query = "DurationSeconds=900&RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fexporter&RoleSessionName=me";
    let draft = |query, nonce| Draft {
        query,
        ..Draft::new("/", "AssumeRole", at(0), nonce).with("x-acs-version", "2015-04-01")
    };
    let answered = json(&cloud.answer(&draft(query, 1).sign(), at(0)));
    assert_eq!(answered["Credentials"]["Expiration"], "2023-11-14T22:28:20Z");
    let refused = |query: &'static str, nonce| told(&cloud.answer(&draft(query, nonce).sign(), at(0))).1;
    assert_eq!(refused("RoleArn=acs%3Aram%3A%3A1%3Arole%2Fa&RoleSessionName=me", 2), "EntityNotExist.Role");
    let role = "RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fexporter";
    assert_eq!(refused(format!("{role}&RoleSessionName=a%20b").leak(), 3), "InvalidParameter");
    assert_eq!(refused(format!("{role}&RoleSessionName=me&DurationSeconds=60").leak(), 4), "InvalidParameter");
    let older = |signature: &str| {
        let query = format!(
            "AccessKeyId={ACCESS_KEY_ID}&Action=AssumeRole&{query}&SignatureMethod=HMAC-SHA1&SignatureNonce=1\
             &SignatureVersion=1.0&Timestamp=2023-11-14T22%3A13%3A20Z&Version=2015-04-01&Signature={signature}"
        );
        told(&cloud.answer(&plain("GET", "/", &query, &[]), at(0))).1
    };
    assert_eq!(older("nonsense"), "SignatureDoesNotMatch");
    assert_eq!(older("yBmvuNNJaDSy2jCpATSVhBp1m4Q%3D"), "ok");
    assert_eq!(older("yBmvuNNJaDSy2jCpATSVhBp1m4Q%3D"), "SignatureNonceUsed");
}

#[test]
fn a_role_is_given_for_a_token() {
    let cloud = cloud(PLENTY);
    let ask = |token: &str, provider: &str| {
        let mut request = plain("POST", "/", "Action=AssumeRoleWithOIDC&Version=2015-04-01", &[]);
        let form = format!("OIDCToken={token}&OIDCProviderArn={provider}&RoleArn={ROLE_ARN}&RoleSessionName=me");
        request.body = form.into();
        told(&cloud.answer(&request, at(0))).1
    };
    assert_eq!(ask(OIDC_TOKEN, OIDC_PROVIDER_ARN), "ok");
    assert_eq!(ask("another", OIDC_PROVIDER_ARN), "AuthenticationFail.OIDCToken.Invalid");
    assert_eq!(ask(OIDC_TOKEN, "another"), "EntityNotExist.OIDCProvider");
    assert_eq!(
        told(&cloud.answer(&plain("GET", "/", "Action=GetCallerIdentity", &[]), at(0))).1,
        "InvalidAction.NotFound"
    );
}

// The exporter's own way, over real HTTP.

/// Remembers the codes of the requests.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<(&'static str, String)>>);

impl Observe for Notes {
    fn request(&self, _: &AccountKey, api: &'static str, code: &str, _: Duration) {
        self.0.lock().unwrap().push((api, code.to_owned()));
    }
    fn throttled(&self, _: &AccountKey, _: &'static str) {}
    fn waited(&self, _: &AccountKey, _: &'static str, _: Duration) {}
    fn quota(&self, _: &AccountKey, _: &'static str, _: f64) {}
    fn demand(&self, _: &AccountKey, _: &'static str, _: f64) {}
    fn credentials_expire(&self, _: &AccountKey, _: Option<Timestamp>) {}
    fn polled(&self, _: &AccountKey, _: Option<Reason>) {}
    fn panicked(&self, _: &AccountKey) {}
    fn listed(&self, _: &AccountKey, _: Option<Reason>) {}
    fn unknown_states(&self, _: &AccountKey, _: u64) {}
}

/// The same cloud in a world whose clocks are ahead of ours.
struct Ahead(Aliyun, SignedDuration);

impl Simulator for Ahead {
    fn answer(&self, request: &Asked, now: Timestamp) -> Answered {
        self.0.answer(request, now + self.1)
    }
}

/// A world that began ten minutes ago.
fn cloud_of_today(per_second: u32) -> Aliyun {
    Aliyun::new(World::new(1, clock::now() - SignedDuration::from_mins(10)), per_second)
}

/// Serves the cloud for as long as the guard lives, and builds an account that asks it.
async fn account(cloud: impl Simulator, secret: &'static str) -> (Account, Arc<Notes>, impl Drop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    tracker.spawn(serve(listener, Arc::new(cloud), tracker.clone(), stop.clone()));
    let section: Section = serde_json::from_value(json!({
        "account": "ack", "region": REGION, "endpoint": endpoint, "rate_limit": 1000,
        "targets": [{"task": TASK_ID, "group": "standing"}],
        "discover": [{"group": "young", "max_age": "5m"}, {"clusters": [CLUSTER_IDS[1], "c0"], "limit": 3}],
    }))
    .unwrap();
    let environment = Environment::from_fn(move |name| match name {
        "ALIBABA_CLOUD_ACCESS_KEY_ID" => Some(ACCESS_KEY_ID.to_owned()),
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET" => Some(secret.to_owned()),
        _ => None,
    });
    let mut defaults = Defaults {
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        labels: BTreeMap::new(),
        environment: Some(environment),
        accounts: std::collections::HashSet::new(),
        tasks: std::collections::HashSet::new(),
    };
    let mut report = Report::default();
    let prepared = section.check(&mut defaults, &mut report);
    assert!(report.is_clean(), "{report:?}");
    let notes = Arc::new(Notes::default());
    let shared = Shared::new(Arc::<Notes>::clone(&notes));
    (prepared.unwrap().build(&shared, None).unwrap(), notes, stop.drop_guard())
}

async fn failure(account: &Account, task_id: &str) -> Error {
    account.cloud.read(task_id, None).await.unwrap_err()
}

#[tokio::test]
async fn tasks_are_found_and_read() {
    let (account, notes, _served) = account(cloud_of_today(PLENTY), ACCESS_KEY_SECRET).await;
    let young = account.finders[0].find.find().await.unwrap();
    let few = account.finders[1].find.find().await.unwrap();
    assert!(young.len() > 10, "{young:?}");
    assert_eq!((few.len(), account.finders[1].limit), (3, 3));
    let ids =
        young.iter().chain(&few).map(AsRef::as_ref).chain(account.targets.iter().map(|target| &*target.key.task_id));
    let mut phases = BTreeSet::new();
    for id in ids.collect::<BTreeSet<&str>>() {
        let reading = account.cloud.read(id, None).await.unwrap();
        assert_eq!(reading.unknown_states, 0, "{reading:?}");
        let task = reading.task;
        assert!(task.instances_expected > 0 && task.created.is_some(), "{task:?}");
        assert_eq!(task.finished.is_some(), task.is_final, "{task:?}");
        assert!(CLUSTER_IDS.contains(&&*task.facts.cluster_id) && task.facts.task_name.starts_with("np"));
        phases.insert(task.phase);
    }
    assert!(phases.len() > 2 && !phases.contains(&Phase::Unknown), "{phases:?}");
    let apis: BTreeSet<&str> = notes.0.lock().unwrap().iter().map(|(api, _)| *api).collect();
    assert_eq!(
        apis.into_iter().collect::<Vec<_>>(),
        ["DescribeClusterTasks", "DescribeClustersV1", "DescribeTaskInfo"]
    );
}

#[tokio::test]
async fn a_path_arrives_as_it_was_signed() {
    let (account, _, _served) = account(cloud_of_today(PLENTY), ACCESS_KEY_SECRET).await;
    for odd in ["a b/c*~+é:%", "T-1?x=y#z", "...", "%2e%2e", "a\\b"] {
        let error = failure(&account, odd).await;
        assert_eq!(error.reason(), Reason::NotFound, "{odd}: {error}");
    }
}

#[tokio::test]
async fn a_refused_key_stops_the_account_and_repeats_nothing() {
    let (account, notes, _served) = account(cloud_of_today(PLENTY), "wrong").await;
    let error = failure(&account, TASK_ID).await;
    assert_eq!((error.reason(), error.code(), error.stops_account()), (Reason::Denied, "SignatureDoesNotMatch", true));
    assert!(!chain(&error).contains("x-acs"), "{error}");
    assert_eq!(failure(&account, TASK_ID).await.reason(), Reason::Denied);
    assert_eq!(notes.0.lock().unwrap().len(), 1, "the second request was not to be sent");
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_clouds() {
    let ahead = Ahead(cloud_of_today(PLENTY), SignedDuration::from_hours(1));
    let (account, notes, _served) = account(ahead, ACCESS_KEY_SECRET).await;
    account.cloud.read(TASK_ID, None).await.unwrap();
    account.cloud.read(TASK_ID, None).await.unwrap();
    let codes: Vec<String> = notes.0.lock().unwrap().iter().map(|(_, code)| code.clone()).collect();
    assert_eq!(codes, ["InvalidTimeStamp.Expired", "ok", "ok"]);
}
