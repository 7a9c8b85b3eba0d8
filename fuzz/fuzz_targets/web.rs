//! The web config file: it is taken, or every mistake is told with a place that is in it.
#![no_main]

use cloud_task_exporter::config::read_web;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// In a folder of its own: the file may name others beside it.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-web-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the file");
    folder.join("web.yaml")
});

fuzz_target!(|text: &str| {
    std::fs::write(&*FILE, text).expect("the file can be written");
    let name = FILE.display().to_string();
    let lines: Vec<String> = match read_web(&FILE).outcome {
        Ok((_, odd)) => odd,
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused, and nothing is wrong");
            mistakes.lines().map(str::to_owned).collect()
        }
    };
    for line in lines {
        assert!(!line.contains(char::is_control), "{line:?}");
        let place = line.strip_prefix(&name).unwrap_or_else(|| panic!("no mistake of the file: {line:?}"));
        let mut parts = place.trim_start_matches(':').splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
        match (number(), number()) {
            (Some(line), Some(column)) => laws::has_place(text, line, column),
            _ => assert!(place.contains("more mistakes may follow"), "a mistake without a place: {line:?}"),
        }
    }
});
