//! The rules of a web config in force: who is refused, what is open all the same, how the rules change.

use super::connections::{LIMITS, Served, read_answer};
use super::*;
use crate::server::security::{Files, RateLimit, Reading, Rules, Security, Users};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, X_FRAME_OPTIONS};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

fn users() -> Users {
    let hash = bcrypt::hash("open sesame", 4).unwrap().try_into().unwrap();
    Users::new(BTreeMap::from([("alice".to_owned(), hash)]))
}

fn start(rules: impl Fn() -> Rules + Send + Sync + 'static) -> Served {
    let read = move || Reading { files: Files::default(), outcome: Ok((rules(), Vec::new())) };
    Served::guarded(Fake::new(Length::Of(1)).0, Security::new(read).unwrap(), LIMITS())
}

/// The head of the answer to a request with these header lines.
async fn head(served: &Served, path: &str, lines: &str) -> String {
    let mut stream = served.connect();
    stream.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n").as_bytes()).await.unwrap();
    read_answer(&mut stream, "\r\n\r\n").await
}

#[tokio::test]
async fn only_health_and_readiness_need_no_password() {
    let served = start(|| Rules { users: users(), ..Rules::default() });
    let right = format!("Authorization: Basic {}\r\n", STANDARD.encode("alice:open sesame"));
    let wrong = format!("Authorization: Basic {}\r\n", STANDARD.encode("alice:open"));
    let guarded = [
        "/",
        "/metrics",
        "/nowhere",
        "/-/healthy/",
        "//-/healthy",
        "/-/reload",
        "/dashboards",
        "/dashboards/overview.json",
        "/rules/alerts.yml",
    ];
    for path in guarded {
        for lines in ["", &wrong] {
            let refusal = head(&served, path, lines).await;
            assert!(refusal.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{path} {refusal}");
            assert!(refusal.contains("www-authenticate: Basic realm=\"cloud-task-exporter\""), "{path} {refusal}");
            assert!(refusal.contains("cache-control: no-store\r\n"), "{path} {refusal}");
        }
        assert!(!head(&served, path, &right).await.starts_with("HTTP/1.1 401"), "{path}");
    }
    for path in ["/-/healthy", "/-/ready", "/-/healthy?verbose"] {
        assert!(head(&served, path, "").await.starts_with("HTTP/1.1 200 OK\r\n"), "{path}");
    }
}

#[tokio::test]
async fn headers_of_the_file_take_the_place_of_ours() {
    let policy = HeaderValue::from_static("frame-ancestors https://example.com");
    let served = start(move || Rules {
        headers: vec![
            (CONTENT_SECURITY_POLICY, Some(policy.clone())),
            (X_FRAME_OPTIONS, Some(HeaderValue::from_static("deny"))),
            (CACHE_CONTROL, None),
        ],
        ..Rules::default()
    });
    for path in ["/", "/metrics", "/nowhere", "/-/healthy"] {
        let answer = head(&served, path, "").await;
        assert_eq!(answer.matches("content-security-policy: ").count(), 1, "{answer}");
        assert!(answer.contains("content-security-policy: frame-ancestors https://example.com\r\n"), "{answer}");
        assert!(answer.contains("x-frame-options: deny\r\n"), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
        assert!(!answer.contains("cache-control"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_rate_limit_are_refused() {
    let served = start(|| Rules { rate_limit: Some(RateLimit::new(Duration::from_secs(10), 2)), ..Rules::default() });
    for status in ["200 OK", "200 OK", "429 Too Many Requests"] {
        assert!(head(&served, "/metrics", "").await.starts_with(&format!("HTTP/1.1 {status}\r\n")));
    }
    assert!(head(&served, "/-/healthy", "").await.starts_with("HTTP/1.1 200 OK\r\n"));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(head(&served, "/metrics", "").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

/// A file whose content says whether there are users, or that it is broken.
fn security_of(path: &Path) -> Security {
    let path = path.to_owned();
    let read = move || {
        let mut files = Files::default();
        let outcome = match files.read(&path).as_deref() {
            Ok(b"users") => Ok((Rules { users: users(), ..Rules::default() }, Vec::new())),
            Ok(b"open") => Ok((Rules::default(), Vec::new())),
            _ => Err("first mistake\nsecond mistake".to_owned()),
        };
        Reading { files, outcome }
    };
    Security::new(read).unwrap()
}

#[test]
fn a_changed_file_is_taken_once_it_rests_and_a_broken_one_is_not() {
    let path = std::env::temp_dir().join(format!("cloud-task-exporter-{}-watched", std::process::id()));
    let write = |content: &str| {
        // Anew, as an editor does it: the stamps differ whatever the clock of the file system does.
        let next = path.with_extension("next");
        std::fs::write(&next, content).unwrap();
        std::fs::rename(&next, &path).unwrap();
    };
    write("open");
    let security = security_of(&path);
    let users = || security.rules().users.count();
    let first = security.rules();
    security.look();
    assert!(Arc::ptr_eq(&first, &security.rules()), "nothing has changed");

    write("users");
    security.look();
    assert_eq!(users(), 0, "it may not be whole yet");
    security.look();
    assert_eq!(users(), 1);

    write("half of");
    for _ in 0..3 {
        security.look();
        assert_eq!(users(), 1, "the one before stays");
    }
    assert_eq!(security.read_again().unwrap_err(), "first mistake\nsecond mistake");
    assert_eq!(users(), 1);

    write("open");
    security.enforce(security.read_again().unwrap());
    assert_eq!(users(), 0, "at once, as it was asked for");
    std::fs::remove_file(&path).unwrap();
    security.look();
    security.look();
    assert_eq!(users(), 0);
    write("users");
    drop(security.read_again().unwrap());
    assert_eq!(users(), 0, "read, and not taken by who asked for it");
    security.look();
    security.look();
    assert_eq!(users(), 1, "it is back");
    std::fs::remove_file(&path).unwrap();
}
