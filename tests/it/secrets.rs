//! No secret shows: clouds that repeat every key they could know, in every shape of an answer, and all the exporter says
//! meanwhile, with every detail logged.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, binary, file};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Stands in each secret, and nowhere else.
const MARK: &str = "s3cr3t";

/// Environment variable, and what of an account it is.
const SECRETS: [&str; 8] = [
    "TENCENT_KEY",
    "TENCENT_TOKEN",
    "ALIYUN_KEY",
    "ALIYUN_TOKEN",
    "HUAWEI_KEY",
    "HUAWEI_TOKEN",
    "HUAWEI_PASSWORD",
    "HUAWEI_GIVEN_TOKEN",
];

/// What each account asks for.
const TARGETS: [&str; 5] = ["job-00000001", "T-1", "key-0001", "user-0001", "token-0001"];

fn secret(name: &str) -> String {
    format!("{MARK}/{name}+\"x\"")
}

fn config(endpoint: &str, state: &Path) -> String {
    let huawei = |name: &str, credentials: &str| {
        format!(
            "  - account: {name}\n    region: cn-north-4\n    project_id: 0123456789abcdef0123456789abcdef\n    \
             endpoint: {endpoint}\n    iam_endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{{credentials}}}\n    targets: [{{job: {name}-0001}}]\n"
        )
    };
    format!(
        "poll: {{interval: 1s, timeout: 2s, not_found_grace: 0s}}\n\
         tencent:\n  - account: prod\n    region: ap-guangzhou\n    endpoint: {endpoint}\n    rate_limit: 1000\n    \
         credentials: {{secret_id: {{env: KEY}}, secret_key: {{env: TENCENT_KEY}}, token: {{env: TENCENT_TOKEN}}}}\n    \
         targets: [{{job: job-00000001, tasks: [A]}}]\n\
         aliyun:\n  - account: prod\n    region: cn-hangzhou\n    endpoint: {endpoint}\n    rate_limit: 1000\n    \
         credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: ALIYUN_KEY}}, security_token: {{env: ALIYUN_TOKEN}}}}\n    \
         targets: [{{task: T-1}}]\n\
         huawei:\n{}{}{}state: {{path: {}}}\n",
        huawei("key", "access_key: {env: KEY}, secret_key: {env: HUAWEI_KEY}, security_token: {env: HUAWEI_TOKEN}"),
        huawei("user", "user_name: exporter, password: {env: HUAWEI_PASSWORD}, domain: company"),
        huawei("token", "token: {env: HUAWEI_GIVEN_TOKEN}"),
        state.display(),
    )
}

/// The exporter with every detail in its log, in that format, and its state file.
fn start(cloud: &FakeCloud, format: &str) -> (Exporter, PathBuf) {
    let state = file("marker", "").with_file_name("state");
    let path = file("config.yaml", &config(&cloud.endpoint(), &state));
    let mut command = binary();
    command.arg(format!("--config.file={}", path.display()));
    command.args(["--log.level=debug", &format!("--log.format={format}")]);
    command.envs(SECRETS.map(|name| (name, secret(name))));
    (Exporter::start(command), state)
}

/// IAM's answer with a token, which is a secret, too.
fn issued() -> Reply {
    let body = r#"{"token":{"issued_at":"2026-01-01T00:00:00.000000Z","expires_at":"2099-01-01T00:00:00.000000Z","project":{"id":"0123456789abcdef0123456789abcdef"}}}"#;
    Reply::Whole(201, format!("x-subject-token: {}\r\n", secret("ISSUED")), body.into())
}

fn is_iam(asked: &Asked) -> bool {
    asked.line.contains("/auth/tokens")
}

/// Everything a cloud could know: the request, and the secrets of the account that sent it.
fn known(asked: &Asked) -> String {
    let theirs: &[&str] = match TARGETS.into_iter().find(|target| asked.is_about(target)) {
        Some("job-00000001") => &["TENCENT_KEY", "TENCENT_TOKEN"],
        Some("T-1") => &["ALIYUN_KEY", "ALIYUN_TOKEN"],
        Some("key-0001") => &["HUAWEI_KEY", "HUAWEI_TOKEN"],
        Some("user-0001") => &["ISSUED"],
        Some(_) => &["HUAWEI_GIVEN_TOKEN"],
        None => &["HUAWEI_PASSWORD"],
    };
    let secrets: Vec<String> = theirs.iter().map(|name| secret(name)).collect();
    format!("{} {} {:?} {}", secrets.join(" "), asked.line, asked.headers, asked.body)
}

type Shape = fn(&str) -> Reply;

/// Answers that go wrong and tell what they were asked with.
const SHAPES: [Shape; 9] = [
    |said| Reply::Whole(200, "content-type: text/html\r\n".into(), format!("<html>{said}</html>")),
    |said| Reply::json(json!({"Response": {"TaskState": [said]}, "state": [said], "status": said}).to_string()),
    |said| {
        Reply::json(
            json!({"Response": {"Error": {"Code": said, "Message": said}}, "code": said, "errorCode": said})
                .to_string(),
        )
    },
    |said| {
        Reply::error(
            400,
            &json!({"code": "New.Code", "message": said, "error_code": "CCE.1", "error_msg": said}).to_string(),
        )
    },
    |said| Reply::error(500, &format!("<Error><Code>{said}</Code><Message>{said}</Message></Error>")),
    |said| Reply::CutOff(said.to_owned()),
    |said| {
        Reply::Whole(
            302,
            format!("location: /elsewhere\r\nx-said: {}\r\n", said.replace(['\r', '\n'], " ")),
            said.into(),
        )
    },
    |said| {
        Reply::error(
            403,
            &json!({"Code": "NoPermission", "Message": said, "error_msg": said, "errorMessage": said}).to_string(),
        )
    },
    |said| {
        let error = json!({"Code": "AuthFailure.SignatureFailure", "Message": said});
        Reply::error(401, &json!({"Response": {"Error": error}, "code": "InvalidAccessKeySecret", "message": said, "error_code": "APIGW.0301", "error_msg": said}).to_string())
    },
];

/// Every account meets that answer, and two exporters with logs of either kind say what they have to say about it.
fn shows_no_secret(shape: Shape, of_iam: bool) {
    let cloud = FakeCloud::start(move |asked| if is_iam(asked) && !of_iam { issued() } else { shape(&known(asked)) });
    for (exporter, state) in ["logfmt", "json"].map(|format| start(&cloud, format)) {
        for target in TARGETS {
            exporter.wait_for("cloud_task_poll_success", &[target], 0.0);
        }
        for page in ["/", "/metrics", "/-/ready", "/-/healthy", "/no/such/page"] {
            let (_, body) = exporter.get(page);
            assert!(!body.contains(MARK), "{page}: {body}");
        }
        let shown = exporter.logged(MARK);
        assert!(shown.is_empty() && !exporter.logged("polling a").is_empty(), "{shown:#?}");
        assert_eq!(exporter.terminate(), Some(0));
        let kept = std::fs::read(&state).unwrap();
        let holds = |text: &str| kept.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert!(!holds(MARK) && TARGETS.into_iter().all(holds), "the state file holds each failure, and no secret");
    }
    let sent = |name: &str| cloud.asked_about("").iter().any(|asked| format!("{asked:?}").contains(name));
    for name in ["TENCENT_TOKEN", "ALIYUN_TOKEN", "HUAWEI_TOKEN", "HUAWEI_PASSWORD", "HUAWEI_GIVEN_TOKEN"] {
        assert!(sent(name), "{name} was there to be repeated");
    }
    assert!(cloud.asked_about("/elsewhere").is_empty(), "no redirect is followed");
    assert!(!["TENCENT_KEY", "ALIYUN_KEY", "HUAWEI_KEY"].into_iter().any(sent), "what only signs is never sent");
}

#[test]
fn no_secret_shows_in_any_log_or_page() {
    for shape in SHAPES {
        shows_no_secret(shape, false);
    }
}

#[test]
fn no_secret_shows_when_iam_repeats_it() {
    for shape in SHAPES {
        shows_no_secret(shape, true);
    }
}
