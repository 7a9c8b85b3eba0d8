//! `dashboards DIR`: what it writes, and what it says when it cannot.

use crate::harness::{binary, file};
use cloud_task_exporter::bundle::{DASHBOARDS, File, RULES};
use std::path::Path;
use std::process::Output;

fn dashboards(directory: &Path) -> Output {
    binary().arg("dashboards").arg(directory).output().unwrap()
}

/// Each file of the bundle with its path below the directory.
fn files() -> impl Iterator<Item = (String, &'static File)> {
    let rules = RULES.iter().map(|file| (format!("rules/{}", file.name), file));
    DASHBOARDS.iter().map(|file| (file.name.to_owned(), file)).chain(rules)
}

#[test]
fn every_file_is_written_into_a_directory_that_may_be_there_or_not() {
    let directory = file("other.txt", "stays").with_file_name("made").join("here");
    for already in ["", "older"] {
        let written = dashboards(&directory);
        assert_eq!(written.status.code(), Some(0), "{already}");
        let told = String::from_utf8(written.stdout).unwrap();
        let expected: Vec<String> =
            files().map(|(path, _)| format!("wrote {}\n", directory.join(path).display())).collect();
        assert_eq!(told, expected.concat());
        for (path, File { text, .. }) in files() {
            let path = directory.join(path);
            assert!(std::fs::read_to_string(&path).unwrap() == *text, "{}", path.display());
            std::fs::write(&path, "older").unwrap();
        }
        std::fs::write(directory.join("mine.json"), "mine").unwrap();
    }
    assert_eq!(std::fs::read_to_string(directory.join("mine.json")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_written_is_named() {
    let occupied = file("occupied", "a file");
    let folder = occupied.with_file_name("folder");
    std::fs::create_dir_all(folder.join("overview.json")).unwrap();
    let rules = occupied.with_file_name("rules-occupied");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join("rules"), "a file").unwrap();
    for (directory, named) in
        [(&occupied, occupied.clone()), (&folder, folder.join("overview.json")), (&rules, rules.join("rules"))]
    {
        let refused = dashboards(directory);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
        let reason = String::from_utf8(refused.stderr).unwrap();
        assert!(reason.starts_with(&format!("error: cannot write {}: ", named.display())), "{reason}");
        assert!(reason.contains("os error"), "{reason}");
    }
}
