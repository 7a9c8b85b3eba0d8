//! The file: opened by one process at a time, checked as a whole, written in transactions.
//!
//! The only place that knows redb. Beside the file lies PATH.lock, locked for as long as the process lives: redb's own lock
//! goes whenever the file is closed, and after a failed write it has to be closed and opened anew.

use super::super::changes::Kind;
use super::super::saved::Saved;
use super::error::{Damage, StateError};
use super::record::{self, Line, Unreadable};
use jiff::Timestamp;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What redb may keep in memory: the file is read once and then only written.
const CACHE: usize = 8 * 1024 * 1024;

/// A state file that is ours alone.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// None after a write that failed.
    database: Option<Database>,
    /// Held, not used.
    _lock: File,
}

impl StateFile {
    /// Opens the file, or makes it, and reads all of it. `reset`: what is there is set aside and the file made anew.
    ///
    /// # Errors
    /// Why it cannot be used. What is there stays as it is.
    pub fn open(path: &Path, reset: bool, now: Timestamp) -> Result<(Self, Saved), StateError> {
        let unusable = |source| StateError::Unusable { path: path.to_owned(), source };
        let lock = lock(path).map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse(path.to_owned()),
            TryLockError::Error(source) => unusable(source),
        })?;
        let mut is_there = is_there(path)?;
        if reset && is_there {
            set_aside(path, now).map_err(unusable)?;
            is_there = false;
        }
        if !is_there {
            create(path, now).map_err(|trouble| trouble.at(path))?;
            tracing::info!(path = %path.display(), "a new state file");
        }
        let (database, saved) = guarded(|| {
            let database = open(path)?;
            let saved = record::saved(|kind| read(&database, kind).map_err(Trouble::from))?;
            // A clock that once was ahead does not hide what happens from now on.
            Ok((database, Saved { began: saved.began.min(now), ..saved }))
        })
        .map_err(|trouble| trouble.at(path))?;
        Ok((Self { path: path.to_owned(), database: Some(database), _lock: lock }, saved))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the lines: all of them or, if this fails, none. Once it returns they outlive the machine's power.
    ///
    /// # Errors
    /// Why they could not be written.
    pub(super) fn write(&mut self, lines: &[Line]) -> Result<(), StateError> {
        let database = self.database.take();
        let written = guarded(|| {
            let database = database.map_or_else(|| open(&self.path), Ok)?;
            write(&database, lines)?;
            Ok(database)
        });
        // One that could not be written takes no further writes: it is closed, and opened by the next.
        self.database = Some(written.map_err(|trouble| trouble.at(&self.path))?);
        Ok(())
    }
}

/// What is in the way, before it is said of which file.
enum Trouble {
    InUse,
    Damaged(Damage),
    Newer(u32),
    System(io::Error),
}

impl Trouble {
    fn at(self, path: &Path) -> StateError {
        let path = path.to_owned();
        match self {
            Self::InUse => StateError::InUse(path),
            Self::Damaged(source) => StateError::Damaged { path, source },
            Self::Newer(format) => StateError::Newer { path, format },
            Self::System(source) => StateError::Unusable { path, source },
        }
    }

    fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(Damage(what.into()))
    }
}

impl From<redb::Error> for Trouble {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Io(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                Self::damaged(error.to_string())
            }
            redb::Error::Io(error) => Self::System(error),
            error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed) => Self::System(io::Error::other(error)),
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<Unreadable> for Trouble {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Newer(format) => Self::Newer(format),
            Unreadable::Damaged(damage) => Self::Damaged(damage),
        }
    }
}

/// A damaged page can be more than redb is prepared for.
fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().map(String::as_str);
        let what = what.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Trouble::damaged(what.unwrap_or("it cannot be made sense of")))
    })
}

/// A path beside the file.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn lock(path: &Path) -> Result<File, TryLockError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, ".lock"));
    let file = file.map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// Whether there is a file, and it can be one of ours.
fn is_there(path: &Path) -> Result<bool, StateError> {
    match path.symlink_metadata().and_then(|_| path.metadata()) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => {
            let source = io::Error::other("it is there and is no file");
            Err(StateError::Unusable { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StateError::Unusable { path: path.to_owned(), source }),
    }
}

fn set_aside(path: &Path, now: Timestamp) -> io::Result<()> {
    let aside = beside(path, &format!(".set-aside-{}", now.strftime("%Y%m%dT%H%M%S.%3fZ")));
    std::fs::rename(path, &aside)?;
    sync_directory(path)?;
    tracing::warn!(path = %path.display(), aside = %aside.display(), "the state file is set aside; counters begin at zero");
    Ok(())
}

/// Makes a file that is whole from the moment it is there: an empty one is never a new one, but one that lost its content.
fn create(path: &Path, now: Timestamp) -> Result<(), Trouble> {
    let new = beside(path, ".new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Trouble::System(error)),
        _ => {}
    }
    let database = Builder::new().set_cache_size(CACHE).create(&new).map_err(redb::Error::from)?;
    let lines = record::first_lines(now).map_err(|error| Trouble::System(error.into()))?;
    write(&database, &lines)?;
    database.close().map_err(redb::Error::from)?;
    std::fs::rename(&new, path).and_then(|()| sync_directory(path)).map_err(Trouble::System)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Opens a file that is there. The checksums of all its pages are looked at.
fn open(path: &Path) -> Result<Database, Trouble> {
    if path.metadata().map_err(Trouble::System)?.len() == 0 {
        return Err(Trouble::damaged("it is empty"));
    }
    let opened = Builder::new().set_cache_size(CACHE).set_check_integrity_on_open(true).open(path);
    Ok(opened.map_err(redb::Error::from)?)
}

const fn table(kind: Kind) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(kind.table())
}

fn read(database: &Database, kind: Kind) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
    let transaction = database.begin_read()?;
    let lines = transaction.open_table(table(kind))?;
    let lines = lines.iter()?.map(|line| line.map(|(name, value)| (name.value().to_owned(), value.value().to_owned())));
    Ok(lines.collect::<Result<_, _>>()?)
}

fn write(database: &Database, lines: &[Line]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // With one phase, damage to the last commit reads like a crash during it, and the one before is believed instead.
    transaction.set_two_phase_commit(true);
    for kind in Kind::ALL {
        let mut table = transaction.open_table(table(kind))?;
        for line in lines.iter().filter(|line| line.kind == kind) {
            match &line.value {
                Some(value) => drop(table.insert(&*line.name, &**value)?),
                None => drop(table.remove(&*line.name)?),
            }
        }
    }
    Ok(transaction.commit()?)
}
