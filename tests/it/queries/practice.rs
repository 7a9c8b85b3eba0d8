//! What makes a dashboard work in any Grafana and be understood by anyone: names, words, units, data sources, windows, links.

use super::board::{Board, Query, items, name_of, text};
use super::grafana::{WINDOWS, neutral};
use promql_parser::parser::{Call, Expr, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

/// File, uid and title of each board.
const BOARDS: [(&str, &str, &str); 4] = [
    ("dashboards/overview.json", "cloud-task-overview", "Cloud tasks / Overview"),
    ("dashboards/task.json", "cloud-task-task", "Cloud tasks / Task"),
    ("dashboards/group.json", "cloud-task-group", "Cloud tasks / Group"),
    ("dashboards/exporter.json", "cloud-task-exporter", "Cloud tasks / Exporter"),
];
const TAG: &str = "cloud-task-exporter";

/// Panels that need no unit: they show words or lists, or, a table, have a unit for each column.
const WITHOUT_UNIT: [&str; 6] = ["alertlist", "dashlist", "row", "table", "text", "state-timeline"];

/// The one source of data that may be named: it is part of Grafana.
const BUILT_IN: &str = "-- Grafana --";

pub fn check(board: &Board) -> Vec<String> {
    let laws = [names, words, units, ids, sources, variables, windows];
    laws.iter().flat_map(|law| law(board)).map(|mistake| format!("{}: {mistake}", board.file)).collect()
}

fn names(board: &Board) -> Vec<String> {
    let Some((_, uid, title)) = BOARDS.into_iter().find(|(file, ..)| *file == board.file) else {
        return vec!["is none of the agreed boards".to_owned()];
    };
    let mut mistakes = Vec::new();
    for (field, wanted) in [("uid", uid), ("title", title)] {
        let found = &board.json[field];
        if found != wanted {
            mistakes.push(format!("{field} is {found}, expected {wanted:?}"));
        }
    }
    if !items(&board.json, "/tags").iter().any(|tag| tag == TAG) {
        mistakes.push(format!("the tag {TAG:?} is missing"));
    }
    mistakes
}

fn words(board: &Board) -> Vec<String> {
    let mut mistakes = Vec::new();
    if text(&board.json, "/description").is_empty() {
        mistakes.push("the board has no description".to_owned());
    }
    for panel in board.panels() {
        let needed: &[&str] = if panel["type"] == "row" { &["title"] } else { &["title", "description"] };
        for field in needed.iter().filter(|field| panel[**field].as_str().is_none_or(|text| text.trim().is_empty())) {
            mistakes.push(format!("{}: no {field}", name_of(panel)));
        }
    }
    mistakes
}

fn units(board: &Board) -> Vec<String> {
    let panels = board.panels().into_iter().filter(|panel| !WITHOUT_UNIT.contains(&text(panel, "/type")));
    let bare = panels.filter(|panel| {
        // A heatmap has that of its axis; its colours are counts.
        ["/fieldConfig/defaults/unit", "/options/yAxis/unit"].iter().all(|pointer| text(panel, pointer).is_empty())
    });
    bare.map(|panel| format!("{}: no unit; \"short\" is that of plain numbers", name_of(panel))).collect()
}

fn ids(board: &Board) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let panels = board.panels().into_iter();
    let twice = panels.filter(|panel| panel["id"].as_u64().is_none_or(|id| !seen.insert(id)));
    twice
        .map(|panel| format!("{}: its id {} is no number or that of another panel", name_of(panel), panel["id"]))
        .collect()
}

/// Whoever asks has to ask the source that is chosen on the board.
fn sources(board: &Board) -> Vec<String> {
    let mut mistakes = Vec::new();
    let askers = board.panels().into_iter().filter(|panel| panel["targets"].is_array());
    let variables = board.variables().iter().filter(|variable| variable["type"] == "query");
    for asker in askers.chain(variables).chain(items(&board.json, "/annotations/list")) {
        if asker["datasource"].is_null() {
            mistakes
                .push(format!("{}: no datasource", asker.get("name").map_or_else(|| name_of(asker), Value::to_string)));
        }
    }
    walk_values(&board.json, "", &mut |path, value| {
        let uid = value["datasource"].as_str().unwrap_or_else(|| text(value, "/datasource/uid"));
        if value.get("datasource").is_some_and(|source| !source.is_null()) && uid != "${datasource}" && uid != BUILT_IN
        {
            mistakes.push(format!("{path}/datasource is {}, expected uid \"${{datasource}}\"", value["datasource"]));
        }
    });
    mistakes
}

fn variables(board: &Board) -> Vec<String> {
    let chosen = board.variables().first();
    let is_source = chosen.is_some_and(|first| {
        first["name"] == "datasource" && first["type"] == "datasource" && first["query"] == "prometheus"
    });
    if is_source {
        Vec::new()
    } else {
        vec!["the first variable is not `datasource`, a datasource of type prometheus".to_owned()]
    }
}

/// What a counter did is asked for in a window that fits the steps of the panel, or else in one of which the panel tells.
fn windows(board: &Board) -> Vec<String> {
    let queries = board.queries().0.into_iter().filter(|query| query.panel.is_some());
    let fixed = queries.flat_map(|Query { place, text: query, panel, .. }| {
        let mut visitor = FixedWindows(Vec::new());
        // What cannot be read is told by another check.
        if let Ok(expression) = parse(&neutral(query).0) {
            let Ok(_) = walk_expr(&mut visitor, &expression);
        }
        let told_of = panel.map(|panel| format!("{} {}", text(panel, "/title"), text(panel, "/description")));
        let told_of = told_of.unwrap_or_default().to_lowercase();
        let untold = visitor.0.into_iter().filter(move |(_, range)| !told_of.contains(word_of(*range)));
        untold.map(move |(call, range)| {
            let word = word_of(range);
            format!("{place}: the window of `{call}` is fixed; use $__rate_interval, $__interval or $__range, or tell of the {word}")
        })
    });
    fixed.collect()
}

/// The word a text about a length of time has.
fn word_of(range: Duration) -> &'static str {
    let units = [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute")];
    let unit = units.into_iter().find(|(seconds, _)| range.as_secs().is_multiple_of(*seconds));
    unit.map_or("second", |(_, word)| word)
}

/// Calls with windows that are no macro.
struct FixedWindows(Vec<(String, Duration)>);

impl ExprVisitor for FixedWindows {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        if let Expr::Call(Call { func, args }) = expression
            && ["rate", "irate", "increase", "delta", "idelta", "deriv"].contains(&func.name)
        {
            let range = match args.args.first().map(|argument| &**argument) {
                Some(Expr::MatrixSelector(selector)) => Some(selector.range),
                Some(Expr::Subquery(subquery)) => Some(subquery.range),
                _ => None,
            };
            let fixed = range.filter(|range| !WINDOWS.iter().any(|(_, _, known)| known == range));
            self.0.extend(fixed.map(|range| (expression.to_string(), range)));
        }
        Ok(true)
    }
}

/// Links from board to board lead to boards there are, and give them variables they have.
pub fn check_links(boards: &[Board]) -> Vec<String> {
    let target = Regex::new(r"/d/([\w-]+)").unwrap();
    let given = Regex::new(r"[?&]var-(\w+)=").unwrap();
    let variables: BTreeMap<&str, BTreeSet<String>> =
        boards.iter().map(|board| (board.uid(), board.variable_names())).collect();
    let mut mistakes = Vec::new();
    for board in boards {
        walk_values(&board.json, "", &mut |path, value| {
            let url = text(value, "/url");
            let Some(uid) = target.captures(url).map(|found| found[1].to_owned()) else { return };
            let Some(known) = variables.get(uid.as_str()) else {
                let there = variables.keys().copied().collect::<Vec<_>>().join(", ");
                return mistakes.push(format!("{}: {path}/url: no board {uid:?} (there are: {there})", board.file));
            };
            for name in given.captures_iter(url).map(|found| found[1].to_owned()).filter(|name| !known.contains(name)) {
                mistakes.push(format!("{}: {path}/url: board {uid:?} has no variable `{name}`", board.file));
            }
        });
    }
    mistakes
}

fn walk_values(value: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            visit(path, value);
            fields.iter().for_each(|(name, field)| walk_values(field, &format!("{path}/{name}"), visit));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk_values(item, &format!("{path}/{index}"), visit));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::tests::assert_told;
    use super::*;
    use serde_json::json;

    #[test]
    fn every_law_can_be_broken() {
        let hard = json!({"type": "prometheus", "uid": "P1809F7CD0C75ACF3"});
        let rows = [
            ("/uid", json!("overview"), "overview.json: uid is \"overview\", expected \"cloud-task-overview\""),
            ("/title", json!("Overview"), "title is \"Overview\", expected"),
            ("/tags", json!(["x"]), "the tag \"cloud-task-exporter\" is missing"),
            ("/description", json!(""), "the board has no description"),
            ("/panels/0/title", json!(" "), "no title"),
            ("/panels/0/title", json!(null), "panel 1: no title"),
            ("/panels/1/title", json!(""), "panel 2: no title"),
            ("/panels/1/panels/0/description", json!(""), "panel \"Duration\": no description"),
            ("/panels/2/description", json!(null), "panel \"Help\": no description"),
            ("/panels/0/fieldConfig/defaults/unit", json!(""), "panel \"Tasks\": no unit"),
            ("/panels/0/fieldConfig", json!(null), "panel \"Tasks\": no unit"),
            ("/panels/1/panels/0/id", json!(1), "panel \"Duration\": its id 1"),
            ("/panels/0/id", json!(null), "its id null"),
            ("/panels/0/datasource", hard.clone(), "/panels/0/datasource is {"),
            ("/panels/0/datasource", json!("Prometheus"), "/panels/0/datasource is \"Prometheus\""),
            ("/panels/0/datasource", json!(null), "panel \"Tasks\": no datasource"),
            ("/panels/1/panels/0/targets/0/datasource", hard.clone(), "/panels/1/panels/0/targets/0/datasource"),
            ("/templating/list/1/datasource", hard.clone(), "/templating/list/1/datasource"),
            ("/templating/list/1/datasource", json!(null), "\"group\": no datasource"),
            ("/annotations/list/1/datasource", hard, "/annotations/list/1/datasource"),
            ("/annotations/list/1/datasource", json!(null), "\"Alerts\": no datasource"),
            ("/templating/list/0/query", json!("loki"), "the first variable is not `datasource`"),
            ("/templating/list", json!([]), "the first variable is not `datasource`"),
            (
                "/panels/0/targets/0/expr",
                json!("rate(cloud_tasks_finished_total[5m])"),
                "query A: the window of `rate(",
            ),
            (
                "/panels/0/targets/0/expr",
                json!("sum(increase(cloud_tasks_finished_total[1h:5m]))"),
                "the window of `increase(",
            ),
        ];
        assert_told(check, &rows);
        let other = Board { file: "dashboards/other.json".to_owned(), json: json!({}) };
        assert!(check(&other)[0].contains("is none of the agreed boards"));
    }

    #[test]
    fn a_fixed_window_is_told_of() {
        let mut board = super::super::board::tests::good();
        board.json["panels"][0]["targets"][0]["expr"] = json!("increase(cloud_tasks_finished_total[6h])");
        board.json["panels"][0]["description"] = json!("Of the last day.");
        assert!(windows(&board)[0].ends_with("or tell of the hour"));
        board.json["panels"][0]["description"] = json!("Of the last six hours.");
        assert_eq!(windows(&board), Vec::<String>::new());
    }

    #[test]
    fn links_lead_somewhere() {
        let link = "/panels/0/fieldConfig/defaults/links/0/url";
        let rows = [
            (
                link,
                json!("/d/cloud-task-tsk?x"),
                "defaults/links/0/url: no board \"cloud-task-tsk\" (there are: cloud-task-overview)",
            ),
            (link, json!("/d/cloud-task-overview?var-task=1"), "board \"cloud-task-overview\" has no variable `task`"),
        ];
        let alone = |board: &Board| check_links(&[Board { file: board.file.clone(), json: board.json.clone() }]);
        assert_told(alone, &rows);
    }
}
