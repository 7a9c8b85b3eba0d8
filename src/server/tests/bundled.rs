//! The dashboards and rules that come with the exporter, over real sockets.

use super::routes::{Served, header};
use crate::bundle::{Board, DASHBOARDS, RULES};
use reqwest::{Method, StatusCode};

/// Path, type and content of every file.
fn files() -> Vec<(String, &'static str, &'static str)> {
    let boards = DASHBOARDS.iter().map(|file| (format!("/dashboards/{}", file.name), "application/json", file.text));
    boards.chain(RULES.iter().map(|file| (format!("/rules/{}", file.name), "application/yaml", file.text))).collect()
}

#[tokio::test]
async fn every_file_is_served_as_it_is() {
    let served = Served::start().await;
    for (path, content_type, content) in files() {
        let answer = served.get(&path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&answer, "content-type"), content_type, "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert!(answer.text().await.unwrap() == content, "{path}");

        let head = served.raw(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(head.contains(&format!("content-type: {content_type}\r\n")), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", content.len())), "{head}");
    }
}

#[tokio::test]
async fn the_page_links_every_file() {
    let served = Served::start().await;
    let page = served.get("/dashboards").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    let page = page.text().await.unwrap();
    for (path, ..) in files() {
        assert!(page.contains(&format!("href=\"{}\"", path.trim_start_matches('/'))), "{path}");
    }
    for file in DASHBOARDS {
        let Board { title, description } = Board::read(file).unwrap();
        for text in [title, description] {
            let shown = askama::filters::escape(&text, askama::filters::Html).unwrap().to_string();
            assert!(page.contains(&shown), "{shown}");
        }
    }
    assert!(served.get("/").await.text().await.unwrap().contains("href=\"dashboards\""));
}

#[tokio::test]
async fn unknown_files_are_told_the_known_ones() {
    let served = Served::start().await;
    let unknown = [
        "/dashboards/",
        "/dashboards/overview",
        "/dashboards/alerts.yml",
        "/dashboards/overview.json/",
        "/dashboards/rules/alerts.yml",
        "/rules",
        "/rules/",
        "/rules/overview.json",
        "/rules/%61lerts.yml",
        "/rules/..%2fCargo.toml",
    ];
    for path in unknown {
        let answer = served.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let told = answer.text().await.unwrap();
        assert!(files().iter().all(|(known, ..)| told.contains(known.as_str())), "{path}: {told}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let served = Served::start().await;
    for path in ["/dashboards", "/dashboards/overview.json", "/rules/alerts.yml"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = served.request(method, path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(header(&answer, "allow"), "GET, HEAD", "{path}");
        }
    }
}
