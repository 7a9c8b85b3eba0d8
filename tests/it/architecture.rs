//! Who may use whom: the table of ARCHITECTURE.md, kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A room of the house and the rooms it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("bundle", &[]),
    ("telemetry", &["clock"]),
    ("cloud", &["model", "clock"]),
    ("config", &["cloud", "model", "server"]),
    ("schedule", &["model"]),
    ("metrics", &["model"]),
    ("store", &["model", "metrics"]),
    ("poll", &["model", "clock", "cloud", "schedule", "store"]),
    ("server", &["model", "bundle", "clock", "metrics", "store"]),
    ("demo", &["clock", "cloud"]),
    ("cli", &["bundle", "config", "telemetry"]),
    (
        "app",
        &[
            "model",
            "clock",
            "telemetry",
            "cloud",
            "config",
            "schedule",
            "metrics",
            "store",
            "poll",
            "server",
            "demo",
            "cli",
        ],
    ),
];

/// An outside crate and the only places that use it.
const OWNERS: &[(&str, &[&str])] = &[
    ("reqwest", &["cloud/http.rs", "cloud/settings/endpoint.rs", "cloud/settings/outgoing.rs"]),
    ("configparser", &["cloud/credentials/file.rs"]),
    ("shlex", &["cloud/aliyun/credentials/process.rs"]),
    ("serde_yaml", &["config/"]),
    ("hyper", &["server/", "demo/http.rs"]),
    ("hyper_util", &["server/", "demo/http.rs"]),
    ("tower", &["server/"]),
    ("tower_http", &["server/"]),
    ("askama", &["server/"]),
    ("prometheus", &["metrics/own.rs"]),
    ("aws_lc_rs", &["cloud/digest.rs", "clock.rs", "server/security/users.rs"]),
    ("bcrypt", &["server/security/users.rs"]),
    ("rustls_pki_types", &["server/security/"]),
    ("tokio_rustls", &["server/security/"]),
    ("webpki", &["server/security/"]),
    ("clap", &["cli.rs"]),
    ("redb", &["store/state/file.rs"]),
    ("anyhow", &["app/", "main.rs"]),
    ("fastrand", &["clock.rs", "demo/world.rs"]),
    ("tracing_subscriber", &["telemetry/"]),
    ("sd_notify", &["app/notify.rs"]),
    ("tempfile", &["app/demo.rs"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Name below `src`, and the code without comments and tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (name, lines.collect::<Vec<_>>().join("\n"))
    };
    paths.into_iter().map(read).filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/")).collect()
}

fn is_word(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The names that follow each `prefix::` in the code, also within braces.
fn names_after<'a>(code: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (start, _) in code.match_indices(&format!("{prefix}::")) {
        if is_word(start.checked_sub(1).map(|before| code.as_bytes()[before])) {
            continue;
        }
        let rest = &code[start + prefix.len() + 2..];
        let group = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap());
        let pieces: Vec<&str> = if rest.starts_with('{') { group.split(',').collect() } else { vec![group] };
        for piece in pieces {
            let piece = piece.trim_start();
            let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(piece.len());
            names.insert(&piece[..end]);
        }
    }
    names
}

#[test]
fn rooms_use_only_whom_they_may() {
    let mut wrong = Vec::new();
    for (name, code) in sources() {
        let room = name.split('/').next().unwrap().trim_end_matches(".rs");
        if room == "lib" || room == "main" {
            continue;
        }
        let (_, allowed) =
            ROOMS.iter().find(|(known, _)| *known == room).unwrap_or_else(|| panic!("no rule for {name}"));
        for used in names_after(&code, "crate") {
            let is_room = ROOMS.iter().any(|(known, _)| *known == used);
            if is_room && used != room && !allowed.contains(&used) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_cloud_never_uses_another() {
    let clouds = ["aliyun", "huawei", "tencent"];
    for (name, code) in sources() {
        for own in clouds
            .iter()
            .filter(|own| name.starts_with(&format!("cloud/{own}/")) || name.starts_with(&format!("demo/{own}")))
        {
            for other in clouds.iter().filter(|other| other != &own) {
                assert!(!code.contains(&format!("{other}::")), "{name} uses {other}");
            }
        }
    }
}

#[test]
fn outside_crates_have_one_owner() {
    let mut wrong = Vec::new();
    for (name, code) in sources() {
        for (outside, owners) in OWNERS {
            let used = !names_after(&code, outside).is_empty() || code.contains(&format!("use {outside};"));
            if used && !owners.iter().any(|owner| name.starts_with(owner)) {
                wrong.push(format!("{name} uses {outside}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_owns_and_is_short() {
    let mut wrong = Vec::new();
    for (name, code) in sources() {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&name)).unwrap();
        if !text.starts_with("//! ") {
            wrong.push(format!("{name} does not open with //!"));
        }
        if code.lines().count() > 300 {
            wrong.push(format!("{name} has over 300 lines of code"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
