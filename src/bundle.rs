//! The dashboards and rules that come with the exporter, within the binary.
//!
//! The files are those of `dashboards/`, which are generated; nothing here changes or repeats what they say.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A file of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name without the folder.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! files {
    ($list:ident: $what:literal, $folder:literal; $($name:literal)*) => {
        #[doc = $what]
        pub const $list: &[File] =
            &[$(File { name: $name, text: include_str!(concat!("../dashboards/", $folder, $name)) }),*];
    };
}

files! { DASHBOARDS: "Grafana dashboards, in the order to look at them.", "";
"overview.json" "group.json" "task.json" "exporter.json" }
files! { RULES: "Rule files of Prometheus.", "rules/";
"recording.yml" "alerts.yml" }

/// What a dashboard says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Board {
    /// Its name in Grafana.
    pub title: String,
    /// What it shows.
    pub description: String,
}

impl Board {
    /// What the dashboard in a file says of itself.
    ///
    /// # Errors
    /// When the file is no dashboard; a test makes sure that those of the bundle are.
    pub fn read(file: &File) -> serde_json::Result<Self> {
        serde_json::from_str(file.text)
    }
}

/// A file or a directory that cannot be written.
#[derive(Debug, Error)]
#[error("cannot write {}", path.display())]
pub struct WriteError {
    path: PathBuf,
    source: std::io::Error,
}

/// Writes the dashboards into a directory and the rules into `rules` within it. Directories that are missing are made; files
/// of these names are overwritten. The paths of what was written.
///
/// # Errors
/// The first that cannot be written; those before it are.
pub fn write(directory: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let mut written = write_files(directory, DASHBOARDS)?;
    written.extend(write_files(&directory.join("rules"), RULES)?);
    Ok(written)
}

fn write_files(directory: &Path, files: &[File]) -> Result<Vec<PathBuf>, WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| WriteError { path, source }
    };
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    files
        .iter()
        .map(|File { name, text }| {
            let path = directory.join(name);
            std::fs::write(&path, text).map_err(failed(&path))?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names_in(folder: &str, extension: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(folder);
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
        files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn names_of(files: &[File]) -> BTreeSet<String> {
        files.iter().map(|file| file.name.to_owned()).collect()
    }

    #[test]
    fn the_bundle_has_exactly_the_files_of_the_folder() {
        assert_eq!(names_of(DASHBOARDS), names_in("", "json"));
        assert_eq!(names_of(RULES), names_in("rules", "yml"));
    }

    #[test]
    fn every_dashboard_says_what_it_is() {
        for file in DASHBOARDS {
            let Board { title, description } = Board::read(file).unwrap();
            assert!(!title.is_empty() && !description.is_empty(), "{}", file.name);
        }
        assert!(Board::read(&File { name: "x.json", text: "{\"title\": \"x\"}" }).is_err());
    }
}
