//! The files a web config is made of: read once, then watched for a change. Knows nothing of what is in them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// No certificate chain and no list of users is larger; what is was named by mistake.
const MAX_LENGTH: u64 = 1024 * 1024;

/// Files that were read, each with what it looked like just before.
#[derive(Debug, Default)]
pub struct Files(Vec<(PathBuf, Option<Stamp>)>);

/// What changes when a file does. A link is followed: a mounted secret is changed by turning a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// The same of the last change of any kind, which nobody can set back.
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            place: (found.dev(), found.ino()),
            length: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

impl Files {
    /// The content of a file, which is watched from now on, whether it can be read or not.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file, or is larger than a mebibyte.
    pub fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.push((path.to_owned(), Stamp::of(path)));
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut content = Vec::new();
        let length = File::open(path)?.take(MAX_LENGTH + 1).read_to_end(&mut content)?;
        if u64::try_from(length).is_ok_and(|length| length <= MAX_LENGTH) {
            Ok(content)
        } else {
            Err(io::Error::other("it is larger than 1 MiB"))
        }
    }

    /// What the files looked like when they were read.
    pub(super) fn as_read(&self) -> Vec<Option<Stamp>> {
        self.0.iter().map(|(_, stamp)| stamp.clone()).collect()
    }

    /// What the files look like now.
    pub(super) fn now(&self) -> Vec<Option<Stamp>> {
        self.0.iter().map(|(path, _)| Stamp::of(path)).collect()
    }
}
