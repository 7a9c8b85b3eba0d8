//! A config file to a [`Config`] that cannot be wrong, or to every mistake in it with line and column; the web config file
//! likewise, to what the server asks for.
//!
//! The only owner of YAML. Reads the config file and, if asked to, the secrets it refers to; never the network.

mod document;
mod file;
mod found;
mod mistakes;
mod position;
mod typed;
mod web;
mod words;

#[cfg(test)]
mod tests;

pub use mistakes::{Located, Mistakes};
pub use web::read_web;

use crate::cloud::Prepared;
use crate::cloud::settings::{Environment, Report};
use document::Document;
use file::File;
use found::Found;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the exporter is to do.
#[derive(Debug)]
pub struct Config {
    /// When tasks are polled.
    pub poll: Poll,
    /// What is exported.
    pub metrics: Metrics,
    /// Where counters and last states are kept over a restart, if they are.
    pub state_path: Option<PathBuf>,
    /// The accounts, ready to be set up; all their targets have the same label names.
    pub accounts: Vec<Box<dyn Prepared>>,
    counts: Counts,
    warnings: Vec<Located>,
}

/// When tasks are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// How often a live task is asked for, unless its account or target says otherwise.
    pub interval: Duration,
    /// How long one API request may take.
    pub timeout: Duration,
    /// A task that was not polled successfully for so long loses its state series.
    pub stale_after: Duration,
    /// How often a finished task is looked at again; zero for never.
    pub final_recheck: Duration,
    /// How long a task that was never seen may read as "not found" before it counts as gone.
    pub not_found_grace: Duration,
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whether each task has histograms of its instances.
    pub instance_histograms: bool,
    /// At most so many series.
    pub series_limit: usize,
}

/// How much a config asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts of all clouds.
    pub accounts: usize,
    /// Tasks that are named.
    pub targets: usize,
    /// Ways to find more tasks.
    pub finders: usize,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            stale_after: Duration::from_mins(10),
            final_recheck: Duration::from_hours(1),
            not_found_grace: Duration::from_mins(5),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { instance_histograms: true, series_limit: 1_000_000 }
    }
}

impl Config {
    /// How much the config asks for.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What is no mistake but will not do what the file seems to ask for, by line.
    pub fn warnings(&self) -> &[Located] {
        &self.warnings
    }
}

/// Reads a config file; see [`load`].
///
/// # Errors
/// Why the file cannot be read, or every mistake in it.
pub fn load_file(path: &Path, environment: Option<Environment>) -> Result<Config, Mistakes> {
    let file_name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Mistakes::of_file(&file_name, format!("the config file cannot be read: {error}")))?;
    load(text_of(&bytes, &file_name)?, &file_name, environment)
}

/// Reads the text of a config file. With an environment, the secrets it refers to are read, too; without, as
/// `check-config` does, only the references are checked.
///
/// # Errors
/// Every mistake in the text, under the name of the file.
pub fn load(text: &str, file_name: &str, environment: Option<Environment>) -> Result<Config, Mistakes> {
    let check = |file: File, report: &mut Report, odd: &mut Report| file.check(environment, report, odd);
    let (config, warnings) = checked(text, file_name, check)?;
    Ok(Config { warnings, ..config })
}

/// The bytes of a file as text.
fn text_of<'a>(bytes: &'a [u8], file_name: &str) -> Result<&'a str, Mistakes> {
    std::str::from_utf8(bytes).map_err(|error| Mistakes::of_bytes(file_name, bytes, error.valid_up_to()))
}

/// Reads a text as a `T` and makes a `C` of it. The check tells mistakes to its first report, and to its second what is
/// only odd, which is handed back.
fn checked<T: DeserializeOwned, C>(
    text: &str,
    file_name: &str,
    check: impl FnOnce(T, &mut Report, &mut Report) -> C,
) -> Result<(C, Vec<Located>), Mistakes> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Document { value, mut found } =
        Document::read(text).map_err(|unreadable| Mistakes::of_text(file_name, text, unreadable))?;
    let typed = typed::read::<T>(value);
    found.extend(typed.found);
    let (mut report, mut odd) = (Report::default(), Report::default());
    let whole = typed.value.map(|value| check(value, &mut report, &mut odd));
    found.extend(typed.gaps.judge(report));
    match whole {
        Some(whole) if found.is_empty() => {
            let odd: Vec<Found> = odd.into_mistakes().into_iter().map(Found::from).collect();
            Ok((whole, mistakes::locate_all(text, &odd)))
        }
        _ => Err(Mistakes::locate(file_name, text, &found)),
    }
}

/// The JSON Schema of the config file.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let (accounts, tasks, ways) =
            (plural(self.accounts, "account"), plural(self.targets, "named task"), plural(self.finders, "way"));
        write!(formatter, "{accounts}, {tasks}, {ways} to find more")
    }
}
