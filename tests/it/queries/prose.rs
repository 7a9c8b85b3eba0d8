//! Metrics and queries in texts: Markdown, comments of YAML, descriptions.

use super::expression::check;
use super::known::Known;
use regex::Regex;
use std::sync::LazyLock;

/// The library; every other word that begins like a metric has to be one.
const LIBRARY: &str = "cloud_task_exporter";

static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z_:][\w:]*").unwrap());
static FENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^ *```promql *\n((?s:.*?))^ *``` *$").unwrap());
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([^`\n]+)`").unwrap());
/// A metric with matchers, a window, or as the argument of something.
static QUERY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bcloud_tasks?\w*[\[{]\S|\w *\([^()]*\bcloud_task").unwrap());

/// Words that begin like a metric and are none, each with its line. A part with an asterisk, or what stands for the rest,
/// behind it has to be the beginning of one.
pub fn check_words(known: &Known, text: &str) -> Vec<(usize, String)> {
    let mut mistakes = Vec::new();
    for found in WORD.find_iter(text) {
        let (word, rest) = (found.as_str().trim_end_matches(':'), &text[found.end()..]);
        let is_metric = word.starts_with("cloud_task") || word.contains(":cloud_task") && !word.contains("::");
        if !is_metric || word == LIBRARY || word.starts_with("cloud_task_exporter::") || known.labels(word).is_some() {
            continue;
        }
        let is_part =
            word.ends_with('_') && ["*", "\\*", ".*", ".+", "…", "`", "{"].iter().any(|mark| rest.starts_with(mark));
        if !(is_part && known.has_prefix(word)) {
            mistakes.push((line_of(text, found.start()), known.unknown(word)));
        }
    }
    mistakes
}

/// Queries in a Markdown text that are wrong, each with its line: blocks of PromQL, and code that is a query.
pub fn check_queries(known: &Known, text: &str) -> Vec<(usize, String)> {
    let mut mistakes = Vec::new();
    for block in FENCE.captures_iter(text).filter_map(|found| found.get(1)) {
        for (start, query) in queries_of(block.as_str()) {
            let told = check(known, query).1.into_iter();
            mistakes.extend(told.map(|told| (line_of(text, block.start() + start), told)));
        }
    }
    let outside = FENCE.replace_all(text, |block: &regex::Captures<'_>| "\n".repeat(block[0].matches('\n').count()));
    for code in
        CODE.captures_iter(&outside).filter_map(|found| found.get(1)).filter(|code| QUERY.is_match(code.as_str()))
    {
        let told = check(known, code.as_str()).1.into_iter();
        mistakes.extend(told.map(|told| (line_of(&outside, code.start()), told)));
    }
    mistakes
}

/// The queries of a block, each with where it begins. Comments and empty lines part them; where what is between is not one
/// query, every line is.
fn queries_of(block: &str) -> Vec<(usize, &str)> {
    let mut chunks: Vec<(usize, usize)> = Vec::new();
    let mut position = 0;
    let mut is_open = false;
    for line in block.split_inclusive('\n') {
        let end = position + line.len();
        let is_query = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        match chunks.last_mut() {
            Some(last) if is_query && is_open => last.1 = end,
            _ if is_query => chunks.push((position, end)),
            _ => {}
        }
        is_open = is_query;
        position = end;
    }
    let chunks = chunks.into_iter().map(|(start, end)| (start, &block[start..end]));
    chunks
        .flat_map(|(start, chunk)| {
            if promql_parser::parser::parse(chunk).is_ok() { vec![(start, chunk)] } else { lines_of(start, chunk) }
        })
        .collect()
}

fn lines_of(start: usize, chunk: &str) -> Vec<(usize, &str)> {
    let mut position = start;
    let lines = chunk.split_inclusive('\n').map(|line| {
        let begins = position;
        position += line.len();
        (begins, line)
    });
    lines.collect()
}

fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_no_metrics_are_told_with_their_line() {
        let known = Known::of_exporter();
        let good = "`cloud_tasks` and cloud_task_duration_seconds_bucket, `cloud_task_exporter_*`, `cloud_task_…`, cloud_task_.+, \
                    library `cloud_task_exporter`, cloud_task_exporter::app, CLOUD_TASK_EXPORTER_X, cloud-task-exporter\n";
        assert_eq!(check_words(&known, good), []);
        for (bad, told_of) in [
            ("`cloud_taks_` `cloud_tasks_finished`", "no metric `cloud_tasks_finished`; did you mean"),
            ("cloud_task_exporters_*", "no metric `cloud_task_exporters_`"),
            ("cloud_task_exporter_", "no metric `cloud_task_exporter_`"),
            ("group:cloud_tasks:sum", "no metric `group:cloud_tasks:sum`"),
        ] {
            let told = check_words(&known, &format!("{good}\n{bad}"));
            assert!(told.len() == 1 && told[0].0 == 3 && told[0].1.contains(told_of), "{bad}: {told:?}");
        }
    }

    #[test]
    fn queries_that_are_wrong_are_told_with_their_line() {
        let known = Known::of_exporter();
        let good = "```promql\n# One?\nsum by (group) (\n  cloud_tasks{phase=\"failed\"}\n)\n# Two?\nup == 0\nup == 1\n```\n\
                    `cloud_tasks{phase=\"failed\"}` and `curl x | grep cloud_tasks` and `rate(cloud_tasks_finished_total[5m])`\n";
        assert_eq!(check_queries(&known, good), []);
        for (right, wrong, line, told_of) in [
            ("{phase=\"failed\"}\n", "{phase=\"fail\"}\n", 3, "has no phase=\"fail\""),
            ("by (group)", "by (grop)", 3, "no label `grop`"),
            ("up == 1", "up = 1", 8, "not PromQL"),
            ("up == 1", "down == 1", 8, "no metric `down`"),
            ("`cloud_tasks{phase=\"failed\"}`", "`cloud_tasks{phase=\"fail\"}`", 10, "has no phase=\"fail\""),
            ("finished_total[5m])`", "finished_total[5m]`", 10, "not PromQL"),
        ] {
            assert_eq!(good.matches(right).count(), 1, "{right}");
            let told = check_queries(&known, &good.replace(right, wrong));
            assert!(told.iter().any(|(at, told)| *at == line && told.contains(told_of)), "{wrong}: {told:?}");
        }
    }
}
