//! Lines as they are written, caught instead of sent to standard error.

use super::*;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// What was written so far.
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines `events` writes, from that level on.
fn written(level: LogLevel, format: LogFormat, events: impl FnOnce()) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    tracing::subscriber::with_default(subscriber(level, format, move || writer.clone()), events);
    kept.text()
}

/// The line without the values that change: time and line number.
fn steady(line: &str) -> String {
    let line = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").unwrap().replace_all(line, "TIME");
    regex::Regex::new(r"tests\.rs:\d+").unwrap().replace_all(&line, "tests.rs:N").into_owned()
}

fn one_event() {
    let error = "refused: \"no\"\nnext";
    tracing::info!(account = "prod", tasks = 3_u64, %error, empty = "", well = true, "polled an account");
}

#[test]
fn a_line_of_logfmt() {
    assert_eq!(
        steady(&written(LogLevel::Info, LogFormat::Logfmt, one_event)),
        "time=TIME level=INFO source=telemetry/tests.rs:N msg=\"polled an account\" account=prod tasks=3 \
         error=\"refused: \\\"no\\\"\\nnext\" empty=\"\" well=true\n"
    );
}

#[test]
fn a_line_of_json() {
    assert_eq!(
        steady(&written(LogLevel::Info, LogFormat::Json, one_event)),
        "{\"time\":\"TIME\",\"level\":\"INFO\",\"source\":\"telemetry/tests.rs:N\",\"msg\":\"polled an account\",\
         \"account\":\"prod\",\"tasks\":3,\"error\":\"refused: \\\"no\\\"\\nnext\",\"empty\":\"\",\"well\":true}\n"
    );
}

#[test]
fn levels_of_ours_and_of_others() {
    let events = || {
        tracing::debug!("own debug");
        tracing::warn!("own warn");
        tracing::info!(target: "hyper", "their info");
        tracing::warn!(target: "hyper", "their warn");
        tracing::error!(target: "hyper", "their error");
    };
    let messages = |level| {
        let lines = written(level, LogFormat::Json, events);
        let message = |line| serde_json::from_str::<Value>(line).unwrap()["msg"].as_str().unwrap().to_owned();
        lines.lines().map(message).collect::<Vec<_>>()
    };
    assert_eq!(messages(LogLevel::Debug), ["own debug", "own warn", "their warn", "their error"]);
    assert_eq!(messages(LogLevel::Info), ["own warn", "their warn", "their error"]);
    assert_eq!(messages(LogLevel::Error), ["their error"]);
}

#[test]
fn words_of_the_flags() {
    assert_eq!("json".parse(), Ok(LogFormat::Json));
    assert_eq!("warn".parse(), Ok(LogLevel::Warn));
    assert_eq!("loud".parse::<LogLevel>().unwrap_err().to_string(), "expected debug, info, warn or error");
}

/// Reads a line of logfmt by its rules: bare values end at a space, quoted ones are JSON strings.
fn read_logfmt(mut line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while !line.is_empty() {
        let (key, rest) = line.split_once('=').unwrap();
        let (value, rest) = if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let value = values.next().unwrap().unwrap();
            (value, rest.split_at(values.byte_offset()).1)
        } else {
            let (value, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
            (value.to_owned(), rest)
        };
        pairs.push((key.to_owned(), value));
        assert!(rest.is_empty() || rest.starts_with(' '), "{rest}");
        line = rest.trim_start_matches(' ');
    }
    pairs
}

proptest! {
    #[test]
    fn any_value_stays_within_its_field_of_one_line(
        value in any::<String>(),
        hostile in "[\"\\\\ =\n\r\t\u{2028}\u{202e}\u{7f}a]*",
    ) {
        for value in [value, hostile] {
            let line = written(LogLevel::Info, LogFormat::Logfmt, || tracing::info!(value, after = 1, "{}", value));
            let line = line.strip_suffix('\n').unwrap();
            let forbidden = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{1b}'];
            prop_assert!(!line.contains(forbidden), "{line:?}");
            let pairs = read_logfmt(line);
            let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
            prop_assert_eq!(keys, ["time", "level", "source", "msg", "value", "after"]);
            prop_assert_eq!(&pairs[3].1, &value);
            prop_assert_eq!(&pairs[4].1, &value);

            let line = written(LogLevel::Info, LogFormat::Json, || tracing::info!(value, "{}", value));
            prop_assert_eq!(line.matches('\n').count(), 1);
            let parsed: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(parsed["value"].as_str(), Some(value.as_str()));
            prop_assert_eq!(parsed["msg"].as_str(), Some(value.as_str()));
        }
    }
}
