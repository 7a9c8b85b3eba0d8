//! Logs: one line an event on standard error, as logfmt or JSON, in the order the Prometheus projects use.
//!
//! What is worth a line is decided where it happens. An event carries all it has to say; spans are not used. How many lines
//! of a kind there may be is decided here: a log does not grow because something stays broken.

mod line;
mod pace;
mod panic;

pub use panic::report_panics;

use line::Line;
use std::io;
use std::str::FromStr;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt};

/// How a line is written: the value of `--log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value` pairs.
    #[default]
    Logfmt,
    /// A JSON object.
    Json,
}

/// The least important events that are written: the value of `--log.level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Every detail of a request.
    Debug,
    /// What the operator may want to know.
    #[default]
    Info,
    /// What the operator may have to look at.
    Warn,
    /// What the operator has to act on.
    Error,
}

/// A word that names no log level or format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownWord {
    expected: &'static str,
}

impl FromStr for LogFormat {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            _ => Err(UnknownWord { expected: "logfmt or json" }),
        }
    }
}

impl FromStr for LogLevel {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err(UnknownWord { expected: "debug, info, warn or error" }),
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Info => Self::INFO,
            LogLevel::Warn => Self::WARN,
            LogLevel::Error => Self::ERROR,
        }
    }
}

/// Sends the events of the whole process to standard error.
///
/// # Errors
/// Somebody else receives them already.
pub fn init(level: LogLevel, format: LogFormat) -> Result<(), SetGlobalDefaultError> {
    set_global_default(subscriber(level, format, io::stderr))
}

/// Our own events from `level` on; those of the crates we use from warnings on at most.
fn subscriber<W>(level: LogLevel, format: LogFormat, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = LevelFilter::from_level(level.into());
    let filter = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level).with_default(level.min(LevelFilter::WARN));
    let lines = fmt::layer().event_format(Line::new(format)).with_ansi(false).with_writer(writer);
    Registry::default().with(filter).with(lines)
}

#[cfg(test)]
mod tests;
