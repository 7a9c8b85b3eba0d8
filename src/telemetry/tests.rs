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

/// The fields of a line of JSON, in order.
fn read_json(line: &str) -> Vec<(String, String)> {
    let parsed: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parsed.as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

proptest! {
    #[test]
    fn any_event_is_one_line_that_reads_back_as_its_fields(
        value in any::<String>(),
        hostile in "[\"\\\\ =\n\r\t\u{2028}\u{202e}\u{7f}\u{85}\u{1b}a]*",
        number in any::<i64>(),
        truth in any::<bool>(),
    ) {
        for (format, value) in [LogFormat::Logfmt, LogFormat::Json].into_iter().flat_map(|format| {
            [(format, &value), (format, &hostile)]
        }) {
            let error = io::Error::other(value.clone());
            let event = || tracing::info!(value, number, %error, truth, "{}", value);
            let line = written(LogLevel::Info, format, event);
            let line = line.strip_suffix('\n').unwrap();
            let forbidden = |character: char| character.is_control() || "\u{2028}\u{2029}\u{202e}".contains(character);
            prop_assert!(!line.contains(forbidden), "{line:?}");
            let mut pairs = if format == LogFormat::Json { read_json(line) } else { read_logfmt(line) };
            // An object of serde_json has its keys in order of the alphabet.
            pairs.sort();
            let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
            prop_assert_eq!(keys, ["error", "level", "msg", "number", "source", "time", "truth", "value"]);
            for (place, wanted) in [(0, value), (2, value), (3, &number.to_string()), (6, &truth.to_string()), (7, value)] {
                prop_assert_eq!(&pairs[place].1, wanted);
            }
        }
    }
}

#[test]
fn a_long_text_is_cut() {
    let line = written(LogLevel::Info, LogFormat::Json, || tracing::info!(text = "é".repeat(1 << 20), "long"));
    let parsed: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["text"].as_str().unwrap().chars().count(), 2001);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_account_is_a_few_lines_and_a_number() {
    let kept = Kept::default();
    let writer = kept.clone();
    let _guard =
        tracing::subscriber::set_default(subscriber(LogLevel::Info, LogFormat::Logfmt, move || writer.clone()));
    let event = |account: &str, task: u64| tracing::warn!(provider = "aliyun", %account, task, "polling a task fails");
    for task in 0..10_000 {
        event("down", task);
    }
    event("other", 1);
    assert_eq!(kept.text().matches("account=down").count(), pace::LINES);
    assert_eq!(kept.text().matches("account=other").count(), 1);
    tokio::time::advance(pace::WINDOW).await;
    event("down", 10_000);
    assert!(kept.text().ends_with("account=down task=10000 suppressed=9990\n"), "{}", kept.text());
    for task in 0..20 {
        event("down", task);
    }
    tokio::time::advance(pace::WINDOW * 2).await;
    tracing::info!("anything else");
    let text = kept.text();
    let last: Vec<&str> = text.lines().rev().take(2).collect();
    assert!(last[0].ends_with("msg=\"anything else\""), "{last:?}");
    let told = "msg=\"more lines like those from here were left out\" provider=aliyun account=down suppressed=11";
    assert!(last[1].ends_with(told), "{last:?}");
}

#[test]
fn details_are_all_written() {
    let flood = || (0..100).for_each(|number| tracing::debug!(number, "trying again"));
    assert_eq!(written(LogLevel::Debug, LogFormat::Logfmt, flood).lines().count(), 100);
}

/// The hook is the whole process's: this is the only test that sets it, for a moment, and looks at its own lines only.
#[test]
fn a_panic_is_a_line_that_tells_no_data() {
    let before = std::panic::take_hook();
    report_panics();
    let log = written(LogLevel::Info, LogFormat::Logfmt, || {
        let secret = "AKID-secret\nline";
        drop(std::panic::catch_unwind(|| panic!("the answer was {secret}")));
        drop(std::panic::catch_unwind(|| panic!("a plain reason")));
    });
    std::panic::set_hook(before);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("place=src/telemetry/tests.rs:") && lines[0].contains("cause=\"not told"), "{log}");
    assert!(lines[1].contains("cause=\"a plain reason\"") && !log.contains("secret"), "{log}");
}
