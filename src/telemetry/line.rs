//! One event as one line, in either format.
//!
//! It takes whatever an event carries: text from a cloud can neither end a line nor forge a field.

use super::LogFormat;
use crate::clock;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as lines: `time`, `level`, `source`, `msg`, then the event's own fields in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    format: LogFormat,
}

impl Line {
    /// Lines of that format.
    pub(super) const fn new(format: LogFormat) -> Self {
        Self { format }
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
        let line = fields.into_line(event.metadata(), clock::now());
        match self.format {
            LogFormat::Logfmt => write_logfmt(&mut writer, &line),
            LogFormat::Json => write_json(&mut writer, &line),
        }
    }
}

type Pairs = Vec<(&'static str, Value)>;

#[derive(Default)]
struct Fields {
    message: String,
    others: Pairs,
}

impl Fields {
    fn into_line(self, metadata: &Metadata<'_>, now: Timestamp) -> Pairs {
        let mut line: Pairs = vec![("time", format!("{now:.3}").into()), ("level", metadata.level().as_str().into())];
        if let (Some(file), Some(number)) = (metadata.file(), metadata.line()) {
            let file = file.rsplit_once("src/").map_or(file, |(_, within)| within);
            line.push(("source", format!("{file}:{number}").into()));
        }
        line.push(("msg", self.message.into()));
        line.extend(self.others);
        line
    }

    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.push((field.name(), value.into()));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.push(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.push(field, value);
        }
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
        writer.write_char(if index == 0 { '{' } else { ',' })?;
        write!(writer, "{}:{value}", Value::from(*key))?;
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

/// Bare where that can be read back, else quoted with the escapes of a JSON string, which logfmt readers share.
fn write_text(writer: &mut impl Write, text: &str) -> fmt::Result {
    let is_bare = |character: char| !(character.is_whitespace() || "=\"".contains(character) || is_hidden(character));
    if !text.is_empty() && text.chars().all(is_bare) {
        return writer.write_str(text);
    }
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
