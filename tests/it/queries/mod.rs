//! Whatever names a metric, a label or a value of a label, names one there is: dashboards, rules, runbooks, documents,
//! configuration. The catalogue of metrics says what there is; everything is read with the grammar of PromQL.

mod board;
mod expression;
mod expression_tests;
mod grafana;
mod known;
mod practice;
mod prose;
mod rules;
mod units;

use board::Board;
use known::Known;
use rules::Rule;
use std::path::Path;

/// Every file with such an ending in a folder of the repository and in those below: its path from the root, its text.
fn files(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap().to_owned();
            let is_ours = !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str());
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if extensions.iter().any(|extension| path.extension().is_some_and(|found| found == *extension)) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn boards() -> Vec<Board> {
    let files = files("dashboards", &["json"]).into_iter().filter(|(file, _)| !file.contains("/source/"));
    let read = |(file, text): (String, String)| {
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        Board { file, json }
    };
    files.map(read).collect()
}

fn all_rules() -> Vec<Rule> {
    let files = files("dashboards/rules", &["yml", "yaml"]);
    files.iter().flat_map(|(file, text)| rules::read(file, text)).collect()
}

/// The metrics of the exporter, of Prometheus and of the recording rules.
fn known() -> Known {
    rules::extend(Known::of_exporter(), &all_rules())
}

fn assert_none(mistakes: &[String]) {
    assert!(mistakes.is_empty(), "\n{}\n", mistakes.join("\n"));
}

#[test]
fn dashboards_name_what_there_is() {
    let known = known();
    let boards = boards();
    assert_eq!(boards.len(), 4);
    assert_none(&boards.iter().flat_map(|board| board.check(&known)).collect::<Vec<_>>());
}

#[test]
fn dashboards_follow_good_practice() {
    let boards = boards();
    let each = boards.iter().flat_map(practice::check);
    assert_none(&each.chain(practice::check_links(&boards)).collect::<Vec<_>>());
}

#[test]
fn panels_have_the_units_of_their_metrics() {
    let known = known();
    assert_none(&boards().iter().flat_map(|board| units::check(&known, board)).collect::<Vec<_>>());
}

#[test]
fn rules_name_what_there_is_and_alerts_say_what_to_do() {
    let rules = all_rules();
    let known = known();
    let runbooks = files("docs", &["md"]).into_iter().find(|(file, _)| file == "docs/runbooks.md");
    let runbooks = runbooks.map(|(_, text)| text).unwrap_or_default();
    let each = rules.iter().flat_map(|rule| rules::check_rule(&known, rule, &runbooks));
    assert_none(&each.chain(rules::check_runbooks(&rules, &runbooks)).collect::<Vec<_>>());
}

#[test]
fn documents_name_what_there_is() {
    let known = known();
    let mut mistakes = Vec::new();
    for (file, text) in files("", &["md"]) {
        let told = prose::check_words(&known, &text).into_iter().chain(prose::check_queries(&known, &text));
        mistakes.extend(told.map(|(line, told)| format!("{file}:{line}: {told}")));
    }
    for (file, text) in files("config", &["yaml", "yml"]) {
        mistakes
            .extend(prose::check_words(&known, &text).into_iter().map(|(line, told)| format!("{file}:{line}: {told}")));
    }
    assert_none(&mistakes);
}
