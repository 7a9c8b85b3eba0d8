//! One event as one line, in either format.
//!
//! It takes whatever an event carries: text from a cloud can neither end a line nor forge a field.

use super::LogFormat;
use super::pace::Pace;
use crate::clock;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The longest text of a field, in characters; nobody reads a longer one in a log.
const MAX_TEXT: usize = 2000;

/// Writes events as lines: `time`, `level`, `source`, `msg`, then the event's own fields in their order. Events of one kind
/// that come too thick are counted, and the kind's next line says so: `suppressed`.
#[derive(Debug)]
pub(super) struct Line {
    format: LogFormat,
    pace: Mutex<Pace<Kind>>,
}

/// Lines of the same kind: one place in the code, one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    level: Level,
    source: Box<str>,
    /// Provider and account, where the event names them.
    account: Vec<(&'static str, Box<str>)>,
}

impl Line {
    /// Lines of that format.
    pub(super) fn new(format: LogFormat) -> Self {
        Self { format, pace: Mutex::default() }
    }

    fn write(&self, writer: &mut impl Write, line: &Pairs) -> fmt::Result {
        match self.format {
            LogFormat::Logfmt => write_logfmt(writer, line),
            LogFormat::Json => write_json(writer, line),
        }
    }

    /// What kinds that fell silent are said to have had left out, and the same of the event's own kind; none in its place
    /// if the event is to be left out. Details are for somebody who asked for them: all are written.
    fn pace(&self, kind: Kind) -> (Vec<(Kind, u64)>, Option<u64>) {
        if kind.level > Level::INFO {
            return (Vec::new(), Some(0));
        }
        let now = Instant::now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let suppressed = pace.take(kind, now);
        (pace.sweep(now), suppressed)
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now = clock::now();
        let kind = fields.kind(event.metadata());
        let mut line = kind.opening(now);
        let (silent, suppressed) = self.pace(kind);
        for (kind, suppressed) in silent {
            self.write(&mut writer, &kind.into_line(suppressed, now))?;
        }
        let Some(suppressed) = suppressed else { return Ok(()) };
        line.push(("msg", fields.message.into()));
        line.extend(fields.others);
        if suppressed > 0 {
            line.push(("suppressed", suppressed.into()));
        }
        self.write(&mut writer, &line)
    }
}

type Pairs = Vec<(&'static str, Value)>;

impl Kind {
    fn of(metadata: &Metadata<'_>, account: Vec<(&'static str, Box<str>)>) -> Self {
        let file = metadata.file().unwrap_or_default();
        let file = file.rsplit_once("src/").map_or(file, |(_, within)| within);
        let source = format!("{file}:{}", metadata.line().unwrap_or_default()).into();
        Self { level: *metadata.level(), source, account }
    }

    fn opening(&self, now: Timestamp) -> Pairs {
        let Self { level, source, .. } = self;
        vec![("time", format!("{now:.3}").into()), ("level", level.as_str().into()), ("source", (&**source).into())]
    }

    /// Says of a kind that fell silent how much of it was left out.
    fn into_line(self, suppressed: u64, now: Timestamp) -> Pairs {
        let mut line = self.opening(now);
        line.push(("msg", "more lines like those from here were left out".into()));
        line.extend(self.account.into_iter().map(|(name, value)| (name, value.into_string().into())));
        line.push(("suppressed", suppressed.into()));
        line
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Pairs,
}

impl Fields {
    fn kind(&self, metadata: &Metadata<'_>) -> Kind {
        let of_account = self.others.iter().filter(|(name, _)| ["provider", "account"].contains(name));
        let account = of_account.filter_map(|(name, value)| Some((*name, value.as_str()?.into()))).collect();
        Kind::of(metadata, account)
    }

    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.push((field.name(), value.into()));
    }

    fn push_text(&mut self, field: &Field, text: &str) {
        let text = cut(text);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.push(field, text);
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }
}

fn write_json(writer: &mut impl Write, line: &Pairs) -> fmt::Result {
    for (index, (key, value)) in line.iter().enumerate() {
        writer.write_str(if index == 0 { "{\"" } else { ",\"" })?;
        write!(writer, "{key}\":")?;
        match value {
            Value::String(text) => write_quoted(writer, text)?,
            other => write!(writer, "{other}")?,
        }
    }
    writer.write_str("}\n")
}

fn write_logfmt(writer: &mut impl Write, line: &Pairs) -> fmt::Result {
    for (index, (key, value)) in line.iter().enumerate() {
        if index > 0 {
            writer.write_char(' ')?;
        }
        write!(writer, "{key}=")?;
        match value {
            Value::String(text) => write_text(writer, text)?,
            other => write!(writer, "{other}")?,
        }
    }
    writer.write_char('\n')
}

/// Bare where that can be read back, else quoted; logfmt readers share the escapes of JSON.
fn write_text(writer: &mut impl Write, text: &str) -> fmt::Result {
    let is_bare = |character: char| !(character.is_whitespace() || "=\"".contains(character) || is_hidden(character));
    if !text.is_empty() && text.chars().all(is_bare) {
        return writer.write_str(text);
    }
    write_quoted(writer, text)
}

/// As a JSON string, without any character that does not show.
fn write_quoted(writer: &mut impl Write, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => writer.write_str("\\\"")?,
            '\\' => writer.write_str("\\\\")?,
            '\n' => writer.write_str("\\n")?,
            '\r' => writer.write_str("\\r")?,
            '\t' => writer.write_str("\\t")?,
            hidden if is_hidden(hidden) => write!(writer, "\\u{:04x}", u32::from(hidden))?,
            shown => writer.write_char(shown)?,
        }
    }
    writer.write_char('"')
}

/// Characters that end a line, or change how it looks on a terminal without being seen; none needs more than four
/// hexadecimal digits.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{2069}' | '\u{feff}')
}
