//! The simulated metadata service of a machine, with its token before everything else, and a credentials URI.

use super::keys::Temporary;
use crate::cloud::digest;
use crate::demo::http::{Answered, Asked};
use http::Method;
use jiff::{SignedDuration, Timestamp};

/// The role of the machine.
pub const ROLE_NAME: &str = "exporter";
const TOKEN_PATH: &str = "/latest/api/token";
const KEYS_PATH: &str = "/latest/meta-data/ram/security-credentials/";
const URI_PATH: &str = "/credentials";
/// How long keys last: short, so that renewals are seen.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
const LONGEST_TOKEN_LIFE: i64 = 21_600;

/// The answer to a request for something of the machine; none if it is for something else.
pub(super) fn answer(request: &Asked, now: Timestamp) -> Option<Answered> {
    let is_get = request.method == Method::GET;
    match request.path.as_str() {
        URI_PATH if is_get => Some(keys("Uri", now)),
        TOKEN_PATH if request.method == Method::PUT => Some(issue_token(request, now)),
        path if path.starts_with("/latest/") => {
            Some(if is_get { meta_data(path, request, now) } else { plain(405, "") })
        }
        _ => None,
    }
}

fn meta_data(path: &str, request: &Asked, now: Timestamp) -> Answered {
    if !is_token(request.header("x-aliyun-ecs-metadata-token"), now) {
        return plain(403, "");
    }
    match path.strip_prefix(KEYS_PATH) {
        Some("") => plain(200, ROLE_NAME),
        Some(ROLE_NAME) => keys("Ecs", now),
        _ => plain(404, ""),
    }
}

fn keys(giver: &str, now: Timestamp) -> Answered {
    let mut document = Temporary::issue(giver, now, LIFE).document();
    document.insert("Code".to_owned(), "Success".into());
    document.insert("LastUpdated".to_owned(), now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
    Answered::json(200, &document.into())
}

fn issue_token(request: &Asked, now: Timestamp) -> Answered {
    let life = request.header("x-aliyun-ecs-metadata-token-ttl-seconds").parse().ok();
    match life.filter(|life| (1..=LONGEST_TOKEN_LIFE).contains(life)) {
        Some(life) => plain(200, &token_until(now.as_second() + life)),
        None => plain(400, ""),
    }
}

fn is_token(token: &str, now: Timestamp) -> bool {
    let ends_at = token.split_once('.').and_then(|(ends_at, _)| ends_at.parse::<i64>().ok());
    ends_at.is_some_and(|ends_at| now.as_second() < ends_at && digest::same(&token_until(ends_at), token))
}

fn token_until(ends_at: i64) -> String {
    let ends_at = ends_at.to_string();
    format!("{ends_at}.{}", digest::base64(&digest::hmac_sha256(b"metadata", ends_at.as_bytes())))
}

fn plain(status: u16, body: &str) -> Answered {
    Answered { status, headers: Vec::new(), content_type: "text/plain", body: body.to_owned() }
}
