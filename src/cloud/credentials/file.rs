//! Files that hold keys: found, read whole, and looked at for a change. Nothing of their content gets into an error.

use crate::cloud::Error;
use crate::cloud::settings::{Environment, read_text};
use crate::model::Reason;
use configparser::ini::{Ini, IniDefault};
use secrecy::SecretString;
use std::collections::HashMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a file was like when it was read: it has changed when any of this has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cloud) struct Stamp {
    path: PathBuf,
    /// None where there was no such file.
    seen: Option<(u64, u64, i64, i64, u64)>,
}

impl Stamp {
    /// What the file is like now. To be taken before it is read, so that no change is missed.
    pub(in crate::cloud) fn of(path: &Path) -> Self {
        let seen = |it: &Metadata| (it.dev(), it.ino(), it.mtime(), it.mtime_nsec(), it.len());
        Self { path: path.to_owned(), seen: std::fs::metadata(path).ok().as_ref().map(seen) }
    }

    /// Whether the file has changed since.
    pub(super) fn is_outdated(&self) -> bool {
        *self != Self::of(&self.path)
    }
}

/// The folder a vendor's files are in, by the variable `HOME`.
pub(in crate::cloud) fn home(environment: &Environment) -> Option<PathBuf> {
    environment.get("HOME").map(PathBuf::from)
}

/// A file's text and its stamp; none where there is no such file.
///
/// # Errors
/// When it is there and cannot be read, or is no text.
pub(in crate::cloud) fn read_file(path: &Path) -> Result<Option<(String, Stamp)>, Error> {
    let stamp = Stamp::of(path);
    match read_text(path) {
        Ok(text) => Ok(Some((text, stamp))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(wrong(path, "cannot be read").with_source(error)),
    }
}

/// The token in a file, and the file's stamp. Clusters write another one from time to time.
///
/// # Errors
/// As [`read_file`], and when there is no such file, or nothing in it.
pub(in crate::cloud) fn read_token(path: &Path) -> Result<(SecretString, Stamp), Error> {
    let (text, stamp) = read_file(path)?.ok_or_else(|| wrong(path, "does not exist; expected a token in it"))?;
    match text.trim() {
        "" => Err(wrong(path, "is empty; expected a token in it")),
        token => Ok((token.into(), stamp)),
    }
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(Reason::Denied, format!("the file {} {what}", path.display()))
}

/// Sections of an ini file by name, and in each the values by key. Names and keys are taken letter by letter, values
/// without quotes and comments of their own: a `#` or `;` begins a comment only at the beginning of a line.
///
/// # Errors
/// When the text is no ini file; the place is named, the line is not shown.
pub(in crate::cloud) fn ini(path: &Path, text: &str) -> Result<HashMap<String, HashMap<String, String>>, Error> {
    let mut defaults = IniDefault::default();
    defaults.default_section = String::new();
    defaults.case_sensitive = true;
    defaults.multiline = false;
    defaults.comment_symbols = vec!['#', ';'];
    defaults.enable_inline_comments = false;
    defaults.delimiters = vec!['=', ':'];
    let mut ini = Ini::new_from_defaults(defaults);
    let sections =
        ini.read(text.to_owned()).map_err(|_| wrong(path, "is no ini file: expected `[section]` and `key = value`"))?;
    let plain = |values: HashMap<String, Option<String>>| {
        values.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
    };
    Ok(sections.into_iter().map(|(name, values)| (name, plain(values))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ini_file_is_taken_letter_by_letter() {
        let text = "bare = 1\n[default]\nsecret_id = AKID\n# a comment\n; another\nSecret_Key=a#b;c=\"d\" %:\ncolon: e=f\n\n[Other]\nempty =\n";
        let sections = ini(Path::new("f"), text).unwrap();
        assert_eq!(sections["default"]["secret_id"], "AKID");
        assert_eq!(sections["default"]["Secret_Key"], "a#b;c=\"d\" %:");
        assert_eq!(sections["default"]["colon"], "e=f");
        assert_eq!(sections["Other"]["empty"], "");
        assert_eq!(sections["default"].len(), 3);
    }

    #[test]
    fn an_error_shows_nothing_of_a_file() {
        let error = ini(Path::new("/f"), "[hunter2\nhunter2").unwrap_err();
        let shown = crate::cloud::chain(&error);
        assert!(shown.contains("/f") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_file_that_is_not_there_is_none() {
        assert!(read_file(Path::new("/nowhere/at/all")).unwrap().is_none());
        assert!(read_file(Path::new("/dev")).is_err());
        let manifest = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let (text, stamp) = read_file(manifest).unwrap().unwrap();
        assert!(text.contains("[package]") && !stamp.is_outdated());
        assert!(Stamp { path: "/nowhere".into(), ..stamp }.is_outdated());
    }
}
