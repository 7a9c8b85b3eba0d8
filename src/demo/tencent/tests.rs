//! The simulated cloud asked through its trait: what it takes, and what it refuses as the vendor does.

use super::*;
use crate::cloud::tencent::legacy::SignatureMethod;
use crate::cloud::tencent::sign::{self, Scope, Signed};
use bytes::Bytes;
use http::HeaderMap;
use jiff::SignedDuration;

const HOST: &str = "127.0.0.1:1234";

fn now() -> Timestamp {
    Timestamp::from_second(1_700_001_000).unwrap()
}

fn cloud() -> Tencent {
    Tencent::new(World::new(1, Timestamp::from_second(1_700_000_000).unwrap()), 1000)
}

/// A request of API 3.0 as an SDK makes it.
struct Request {
    method: Method,
    action: &'static str,
    query: String,
    body: String,
    secret_id: String,
    secret_key: String,
    service: &'static str,
    at: Timestamp,
    signed_headers: Vec<&'static str>,
    headers: Vec<(&'static str, String)>,
}

fn post(action: &'static str, body: &Value) -> Request {
    Request {
        method: Method::POST,
        action,
        query: String::new(),
        body: body.to_string(),
        secret_id: SECRET_ID.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        service: "batch",
        at: now(),
        signed_headers: vec!["content-type", "host"],
        headers: Vec::new(),
    }
}

impl Request {
    fn signed(&self) -> Asked {
        let mut headers = HeaderMap::new();
        let seconds = self.at.as_second().to_string();
        let content_type =
            if self.method == Method::GET { "application/x-www-form-urlencoded" } else { "application/json" };
        let usual = [
            ("content-type", content_type),
            ("host", HOST),
            ("x-tc-action", self.action),
            ("x-tc-version", VERSION),
            ("x-tc-region", REGION),
            ("x-tc-timestamp", &seconds),
        ];
        for (name, value) in usual.into_iter().chain(self.headers.iter().map(|(name, value)| (*name, value.as_str()))) {
            headers.insert(name, value.parse().unwrap());
        }
        let scope = Scope { at: self.at, service: self.service };
        let signed = Signed {
            method: self.method.as_str(),
            query: &self.query,
            headers: self.signed_headers.iter().map(|name| (*name, headers[*name].to_str().unwrap())).collect(),
            payload: self.body.as_bytes(),
        };
        let authorization = sign::authorization(&self.secret_id, &self.secret_key, &scope, &signed);
        headers.insert("authorization", authorization.parse().unwrap());
        Asked {
            method: self.method.clone(),
            path: "/".to_owned(),
            query: self.query.clone(),
            headers,
            body: Bytes::from(self.body.clone()),
        }
    }

    fn ask(&self) -> Value {
        ask(&cloud(), &self.signed())
    }
}

fn ask(cloud: &Tencent, asked: &Asked) -> Value {
    let answered = cloud.answer(asked, now());
    assert_eq!((answered.status, answered.content_type), (200, "application/json"));
    serde_json::from_str(&answered.body).unwrap()
}

fn code(answer: &Value) -> &str {
    answer["Response"]["Error"]["Code"].as_str().unwrap_or("ok")
}

fn nightly() -> Value {
    json!({"JobId": NIGHTLY_JOB, "TaskName": "A"})
}

#[test]
fn a_signed_request_is_answered_whatever_headers_are_signed() {
    let answer = post("DescribeTask", &nightly()).ask();
    assert_eq!((code(&answer), &answer["Response"]["JobId"]), ("ok", &json!(NIGHTLY_JOB)));
    assert_eq!(answer["Response"]["RequestId"].as_str().unwrap().len(), 36);
    let signed_headers = vec!["content-type", "host", "x-tc-action"];
    assert_eq!(code(&Request { signed_headers, ..post("DescribeTask", &nightly()) }.ask()), "ok");
    let query = format!("JobId={NIGHTLY_JOB}&TaskName=A&Filters.0.Name=task-instance-state&Filters.0.Values.0=SUCCEED");
    let get = Request { method: Method::GET, query, body: String::new(), ..post("DescribeTask", &json!({})) };
    assert_eq!(code(&get.ask()), "ok");
}

#[test]
fn who_may_not_ask_is_told_why() {
    let usual = || post("DescribeTask", &nightly());
    for (request, expected) in [
        (Request { secret_key: "wrong".into(), ..usual() }, "AuthFailure.SignatureFailure"),
        (Request { secret_id: "AKIDother".into(), ..usual() }, "AuthFailure.SecretIdNotFound"),
        (Request { signed_headers: vec!["host"], ..usual() }, "AuthFailure.SignatureFailure"),
        (Request { headers: vec![("x-tc-token", "t".into())], ..usual() }, "AuthFailure.TokenFailure"),
        (Request { headers: vec![("x-tc-version", "2016-01-01".into())], ..usual() }, "NoSuchVersion"),
        (Request { headers: vec![("x-tc-region", "ap-tokyo".into())], ..usual() }, "UnsupportedRegion"),
        (Request { headers: vec![("x-tc-region", String::new())], ..usual() }, "MissingParameter"),
        (Request { at: now() + SignedDuration::from_secs(301), ..usual() }, "AuthFailure.SignatureExpire"),
        (Request { at: now() - SignedDuration::from_secs(301), ..usual() }, "AuthFailure.SignatureExpire"),
        (Request { at: now() - SignedDuration::from_secs(300), ..usual() }, "ok"),
        (Request { action: "DescribeEverything", ..usual() }, "InvalidAction"),
        (Request { method: Method::PUT, ..usual() }, "UnsupportedProtocol"),
        (Request { headers: vec![("content-type", "text/plain".into())], ..usual() }, "UnsupportedProtocol"),
        (post("DescribeJobs", &json!({"JobIds": vec![NIGHTLY_JOB; 101]})), "InvalidParameterValue.LimitExceeded"),
    ] {
        assert_eq!(code(&request.ask()), expected);
    }
    let mut other_body = usual().signed();
    other_body.body = Bytes::from_static(b"{}");
    assert_eq!(code(&ask(&cloud(), &other_body)), "AuthFailure.SignatureFailure");
    let mut unsigned = usual().signed();
    unsigned.headers.remove("authorization");
    assert_eq!(code(&ask(&cloud(), &unsigned)), "MissingParameter");
    unsigned.headers.insert("authorization", "Basic eDp5".parse().unwrap());
    assert_eq!(code(&ask(&cloud(), &unsigned)), "AuthFailure.InvalidAuthorization");
}

#[test]
fn parameters_are_checked() {
    for (action, body, expected) in [
        ("DescribeTask", json!({"JobId": NIGHTLY_JOB}), "MissingParameter"),
        ("DescribeTask", json!({"JobId": NIGHTLY_JOB, "TaskName": 1}), "InvalidParameter"),
        ("DescribeTask", json!({"JobId": NIGHTLY_JOB, "TaskName": "A", "Region": "x"}), "UnknownParameter"),
        ("DescribeTask", json!({"JobId": NIGHTLY_JOB, "TaskName": "Z"}), "ResourceNotFound.Task"),
        ("DescribeTask", json!({"JobId": "job-xxxxxxxx", "TaskName": "A"}), "ResourceNotFound.Task"),
        ("DescribeTask", json!({"JobId": "JOB-1", "TaskName": "A"}), "InvalidParameter.JobIdMalformed"),
        (
            "DescribeTask",
            json!({"JobId": NIGHTLY_JOB, "TaskName": "A", "Limit": 1001}),
            "InvalidParameterValue.LimitExceeded",
        ),
        (
            "DescribeTask",
            json!({"JobId": NIGHTLY_JOB, "TaskName": "A", "Offset": -1}),
            "InvalidParameterValue.Negative",
        ),
        ("DescribeTask", json!({"JobId": NIGHTLY_JOB, "TaskName": "A", "Limit": "many"}), "InvalidParameter"),
        ("DescribeJob", json!({"JobId": "job-xxxxxxxx"}), "ResourceNotFound.Job"),
        ("DescribeJob", json!({"JobId": NIGHTLY_JOB, "Limit": 1}), "UnknownParameter"),
        ("DescribeJobs", json!({"Limit": 101}), "InvalidParameterValue.LimitExceeded"),
        ("DescribeJobs", json!({"JobIds": ["nonsense"]}), "InvalidParameter.JobIdMalformed"),
        (
            "DescribeJobs",
            json!({"Filters": [{"Name": "colour", "Values": ["red"]}]}),
            "InvalidParameterValue.InvalidFilter",
        ),
        (
            "DescribeJobs",
            json!({"JobIds": [NIGHTLY_JOB], "Filters": [{"Name": "zone", "Values": ["z"]}]}),
            "InvalidParameter.InvalidParameterCombination",
        ),
        ("DescribeJobs", json!({"JobIds": [NIGHTLY_JOB]}), "ok"),
    ] {
        assert_eq!(code(&post(action, &body).ask()), expected, "{action} {body}");
    }
}

#[test]
fn lists_are_filtered_and_paged() {
    let list = |body: Value| post("DescribeJobs", &body).ask()["Response"].clone();
    let everything = list(json!({"Limit": 100}));
    let total = everything["TotalCount"].as_u64().unwrap();
    assert!(total > 40, "{total}");
    assert_eq!(list(json!({}))["JobSet"].as_array().unwrap().len(), 20);
    let page = list(json!({"Limit": 2, "Offset": 1}));
    assert_eq!(page["JobSet"][0], everything["JobSet"][1]);
    for (name, value, field) in [("job-state", "SUCCEED", "JobState"), ("job-id", NIGHTLY_JOB, "JobId")] {
        let kept = list(json!({"Limit": 100, "Filters": [{"Name": name, "Values": [value]}]}));
        let kept = kept["JobSet"].as_array().unwrap();
        assert!(!kept.is_empty() && kept.iter().all(|job| job[field] == value), "{name}: {kept:?}");
    }
    let of_team = list(json!({"Limit": 100, "Filters": [{"Name": "tag:team", "Values": ["data"]}]}));
    let names: Vec<&str> =
        of_team["JobSet"].as_array().unwrap().iter().map(|job| job["JobName"].as_str().unwrap()).collect();
    assert!(names.len() > 10 && names.iter().all(|name| name.contains("etl") || name.ends_with("-load")), "{names:?}");
}

#[test]
fn a_second_has_room_for_its_quota() {
    let cloud = Tencent::new(World::new(1, now()), 2);
    let request = post("DescribeTask", &nightly()).signed();
    let answers: Vec<Value> = (0..3).map(|_| ask(&cloud, &request)).collect();
    let codes: Vec<&str> = answers.iter().map(code).collect();
    assert_eq!(codes, ["ok", "ok", "RequestLimitExceeded"]);
}

#[test]
fn a_task_and_its_rows_agree_at_every_moment() {
    let cloud = cloud();
    let mut states = std::collections::BTreeSet::new();
    for second in (0..900).step_by(20) {
        let story =
            Story { world: &cloud.world, now: now() + SignedDuration::from_secs(second), spelling: Spelling::Current };
        let jobs = story.describe_jobs(&Parameters::default()).unwrap();
        for job in jobs["JobSet"].as_array().unwrap() {
            let form = |task: &str| {
                let job = job["JobId"].as_str().unwrap().to_owned();
                Parameters::of_form(&[("JobId".to_owned(), job), ("TaskName".to_owned(), task.to_owned())].into())
            };
            let task = story.describe_task(&form("A")).unwrap();
            let rows = task["TaskInstanceSet"].as_array().unwrap();
            assert_eq!(task["TaskInstanceTotalCount"], rows.len());
            states.extend(rows.iter().map(|row| row["TaskInstanceState"].as_str().unwrap().to_owned()));
            let interrupted = rows.iter().filter(|row| row["TaskInstanceState"] == "FAILED_INTERRUPTED").count();
            assert_eq!(task["TaskInstanceMetrics"]["FailedInterruptedCount"], interrupted);
        }
    }
    assert_eq!(states.len(), 8, "{states:?}");
}

/// A request of API 2.0 as the old SDK makes it.
fn legacy_form(method: SignatureMethod, changes: &[(&str, &str)]) -> Asked {
    let mut form: legacy::Parameters = [
        ("Action", "DescribeTask"),
        ("Version", VERSION),
        ("Region", REGION),
        ("Timestamp", "1700001000"),
        ("Nonce", "11886"),
        ("SecretId", SECRET_ID),
        ("SignatureMethod", method.as_str()),
        ("RequestClient", "SDK_PYTHON_2.0.15"),
        ("JobId", NIGHTLY_JOB),
        ("TaskName", "A"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    form.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let string = legacy::string_to_sign("GET", HOST, legacy::PATH, &form);
    let signature = legacy::signature(SECRET_KEY, method, &string);
    form.insert("Signature".to_owned(), signature.replace('+', "%2B"));
    let query = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let headers = [(http::header::HOST, HOST.parse().unwrap())].into_iter().collect();
    Asked { method: Method::GET, path: legacy::PATH.to_owned(), query, headers, body: Bytes::new() }
}

#[test]
fn api_2_answers_in_its_own_words() {
    for method in [SignatureMethod::HmacSha1, SignatureMethod::HmacSha256] {
        let cloud = cloud();
        let asked = legacy_form(method, &[]);
        assert_eq!(ask(&cloud, &asked)["Response"]["JobId"], NIGHTLY_JOB);
        assert_eq!(ask(&cloud, &asked)["code"], 4500, "a nonce is good once");
    }
    for (changes, expected) in [
        (vec![("SecretId", "AKIDother")], json!({"code": 4100})),
        (vec![("Timestamp", "1699990000")], json!({"code": 4500})),
        (vec![("Limit", "10")], json!({"code": 4000})),
        (vec![("Action", "DescribeEverything")], json!({"code": 4000})),
        (vec![("Version", "2016-01-01")], json!({"code": 6100})),
        (vec![("TaskName", "Z")], json!({"Response": {"Error": {"Code": "TaskNotFound"}}})),
        (vec![("JobId", "nonsense")], json!({"Response": {"Error": {"Code": "InvalidBatchJobId.Malformed"}}})),
    ] {
        let answer = ask(&cloud(), &legacy_form(SignatureMethod::HmacSha256, &changes));
        match expected["code"].as_i64() {
            Some(number) => assert_eq!(answer["code"], number, "{changes:?}: {answer}"),
            None => assert_eq!(code(&answer), code(&expected), "{changes:?}: {answer}"),
        }
    }
    let mut forged = legacy_form(SignatureMethod::HmacSha256, &[]);
    forged.query.push_str("&Extra=1");
    assert_eq!(ask(&cloud(), &forged)["code"], 4100);
}

#[test]
fn no_two_jobs_have_one_id() {
    let story = Story { world: &cloud().world, now: now(), spelling: Spelling::Current };
    let mut ids = std::collections::BTreeSet::new();
    for offset in ["0", "100"] {
        let form = [("Limit".to_owned(), "100".to_owned()), ("Offset".to_owned(), offset.to_owned())].into();
        let jobs = story.describe_jobs(&Parameters::of_form(&form)).unwrap();
        for job in jobs["JobSet"].as_array().unwrap() {
            assert!(ids.insert(job["JobId"].as_str().unwrap().to_owned()), "{job}");
        }
    }
    assert!(ids.len() > 40, "{}", ids.len());
}

fn assume(action: &'static str, body: &Value) -> Request {
    let headers = vec![("x-tc-version", "2018-08-13".to_owned())];
    Request { service: "sts", headers, ..post(action, body) }
}

fn role() -> Value {
    json!({"RoleArn": ROLE_ARN, "RoleSessionName": "me", "DurationSeconds": 60})
}

/// A request of Batch with temporary keys, and perhaps with a token.
fn with_keys(credentials: &Value, token: Option<&Value>, at: Timestamp) -> Asked {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let headers = token.map(|token| ("x-tc-token", text(token))).into_iter().collect();
    let (secret_id, secret_key) = (text(&credentials["TmpSecretId"]), text(&credentials["TmpSecretKey"]));
    Request { secret_id, secret_key, at, headers, ..post("DescribeTask", &nightly()) }.signed()
}

#[test]
fn keys_of_a_role_are_good_with_their_token_until_their_end() {
    let answer = assume("AssumeRole", &role()).ask();
    let credentials = &answer["Response"]["Credentials"];
    assert_eq!(answer["Response"]["ExpiredTime"], now().as_second() + 60);
    let ask_at = |credentials, token, at| {
        let answered = cloud().answer(&with_keys(credentials, token, at), at);
        code(&serde_json::from_str(&answered.body).unwrap()).to_owned()
    };
    let token = Some(&credentials["Token"]);
    assert_eq!(ask_at(credentials, token, now() + SignedDuration::from_secs(59)), "ok");
    assert_eq!(ask_at(credentials, token, now() + SignedDuration::from_secs(60)), "AuthFailure.TokenFailure");
    assert_eq!(ask_at(credentials, None, now()), "AuthFailure.TokenFailure");
    let mut forged = credentials.clone();
    forged["TmpSecretId"] = format!("{}9", credentials["TmpSecretId"].as_str().unwrap()).into();
    assert_eq!(ask_at(&forged, token, now()), "AuthFailure.TokenFailure");
}

#[test]
fn a_role_is_given_to_those_who_may_have_it() {
    let with = |changes: Value| {
        let mut body = role();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    for (request, expected) in [
        (assume("AssumeRole", &role()), "ok"),
        (
            assume("AssumeRole", &with(json!({"RoleArn": "qcs::cam::uin/1:roleName/x"}))),
            "ResourceNotFound.RoleNotFound",
        ),
        (assume("AssumeRole", &with(json!({"RoleSessionName": "a"}))), "InvalidParameter.ParamError"),
        (assume("AssumeRole", &with(json!({"RoleSessionName": "a b"}))), "InvalidParameter.ParamError"),
        (assume("AssumeRole", &with(json!({"DurationSeconds": 43_201}))), "InvalidParameter.OverTimeError"),
        (assume("AssumeRole", &with(json!({"Region": "x"}))), "UnknownParameter"),
        (assume("AssumeRole", &json!({"RoleArn": ROLE_ARN})), "MissingParameter"),
        (assume("GetFederationToken", &role()), "InvalidAction"),
        (Request { service: "batch", ..assume("AssumeRole", &role()) }, "AuthFailure.SignatureFailure"),
        (Request { headers: vec![], ..assume("AssumeRole", &role()) }, "AuthFailure.SignatureFailure"),
        (assume("AssumeRoleWithWebIdentity", &role()), "AuthFailure.InvalidAuthorization"),
    ] {
        assert_eq!(code(&request.ask()), expected);
    }
    for (changes, expected) in [
        (json!({}), "ok"),
        (json!({"WebIdentityToken": "other"}), "InvalidParameter.WebIdentityTokenError"),
        (json!({"ProviderId": "other"}), "ResourceNotFound.RoleNotFound"),
        (json!({"RoleArn": "other"}), "ResourceNotFound.RoleNotFound"),
    ] {
        let mut body = with(json!({"ProviderId": PROVIDER_ID, "WebIdentityToken": WEB_IDENTITY_TOKEN}));
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut asked = assume("AssumeRoleWithWebIdentity", &body).signed();
        asked.headers.insert("authorization", "SKIP".parse().unwrap());
        assert_eq!(code(&ask(&cloud(), &asked)), expected, "{changes}");
    }
}

#[test]
fn the_metadata_service_knows_one_role() {
    let get = |path: &str| {
        let (query, headers, body) = (String::new(), HeaderMap::new(), Bytes::new());
        cloud().answer(&Asked { method: Method::GET, path: path.to_owned(), query, headers, body }, now())
    };
    let role = get(sts::METADATA_PATH);
    assert_eq!((role.status, role.body.as_str()), (200, ROLE_NAME));
    let keys: Value = serde_json::from_str(&get(&format!("{}{ROLE_NAME}", sts::METADATA_PATH)).body).unwrap();
    assert_eq!((&keys["Code"], &keys["ExpiredTime"]), (&json!("Success"), &json!(now().as_second() + 600)));
    assert_eq!(code(&ask(&cloud(), &with_keys(&keys, Some(&keys["Token"]), now()))), "ok");
    assert_eq!(get("/latest/meta-data/cam/security-credentials/other").status, 404);
}
