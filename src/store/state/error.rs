//! Why there is no state file to go on with, and what can be done about it.

use super::record::FORMAT;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a state file cannot be used. None of these loses anything: the file stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process has it open.
    #[error("the state file {} is in use by another process; stop that one, or give each a file of its own", .0.display())]
    InUse(PathBuf),
    /// The file is not what was written.
    #[error(
        "the state file {} is damaged; restore it from a copy, or start once with --state.reset, which sets it aside and \
         begins anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Damage,
    },
    /// The file was written by a version to come.
    #[error(
        "the state file {} has format {format}, and this version knows format {FORMAT}: a newer version wrote it; run that \
         one, or start once with --state.reset, which sets it aside and begins anew",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The system does not let us.
    #[error(
        "the state file {} cannot be used; its directory has to exist, and the exporter to be allowed to write there",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StateError {
    /// What is behind it, for those who know which file it is about.
    pub(super) fn cause(&self) -> String {
        std::error::Error::source(self).map_or_else(|| self.to_string(), ToString::to_string)
    }
}

/// What is wrong with a damaged file.
#[derive(Debug)]
pub struct Damage(pub(super) String);

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}
