//! A dashboard as Grafana keeps it: its panels, its queries and where each stands, its words.

use super::expression::check;
use super::grafana::neutral;
use super::known::{Known, hint};
use super::prose;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

pub struct Board {
    /// Below the root of the repository.
    pub file: String,
    pub json: Value,
}

/// A PromQL expression and where it stands.
pub struct Query<'a> {
    pub place: String,
    pub text: &'a str,
    /// Of a variable `label_values(…)`: the label asked for.
    pub label: Option<&'a str>,
    /// None: of a variable or an annotation.
    pub panel: Option<&'a Value>,
}

pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A panel by its title, or else its id.
pub fn name_of(panel: &Value) -> String {
    match text(panel, "/title") {
        "" => format!("panel {}", panel["id"]),
        title => format!("panel {title:?}"),
    }
}

/// A query that may be a text or an object that holds one.
pub fn query_of(variable: &Value) -> &str {
    let query = &variable["query"];
    query.as_str().unwrap_or_else(|| text(query, "/query"))
}

impl Board {
    pub fn uid(&self) -> &str {
        text(&self.json, "/uid")
    }

    /// Every panel, those in rows that are folded among them.
    pub fn panels(&self) -> Vec<&Value> {
        let outer = items(&self.json, "/panels").iter();
        outer.flat_map(|panel| std::iter::once(panel).chain(items(panel, "/panels"))).collect()
    }

    pub fn variables(&self) -> &[Value] {
        items(&self.json, "/templating/list")
    }

    pub fn variable_names(&self) -> BTreeSet<String> {
        self.variables().iter().map(|variable| text(variable, "/name").to_owned()).collect()
    }

    /// Every expression, and what is wrong with those that cannot be found.
    pub fn queries(&self) -> (Vec<Query<'_>>, Vec<String>) {
        let mut queries = Vec::new();
        let mut mistakes = Vec::new();
        for panel in self.panels() {
            for target in items(panel, "/targets") {
                let place = format!("{}, query {}", name_of(panel), text(target, "/refId"));
                let found = text(target, "/expr");
                if found.is_empty() {
                    mistakes.push(format!("{place}: no expression in `expr`"));
                } else {
                    queries.push(Query { place, text: found, label: None, panel: Some(panel) });
                }
            }
        }
        for variable in self.variables().iter().filter(|variable| variable["type"] == "query") {
            let place = format!("variable {:?}", text(variable, "/name"));
            match asked(query_of(variable)) {
                Some((text, label)) => queries.push(Query { place, text, label, panel: None }),
                None => mistakes.push(format!(
                    "{place}: expected label_values(METRIC, LABEL) or query_result(EXPRESSION), not {:?}",
                    query_of(variable)
                )),
            }
        }
        for annotation in items(&self.json, "/annotations/list") {
            for pointer in ["/expr", "/target/expr"] {
                let place = format!("annotation {:?}", text(annotation, "/name"));
                let found = Some(text(annotation, pointer)).filter(|found| !found.is_empty());
                queries.extend(found.map(|text| Query { place, text, label: None, panel: None }));
            }
        }
        (queries, mistakes)
    }

    /// What is wrong with the names that its queries and texts use.
    pub fn check(&self, known: &Known) -> Vec<String> {
        let (queries, mut mistakes) = self.queries();
        for Query { place, text, label, .. } in queries {
            mistakes.extend(self.check_query(known, text, label).into_iter().map(|told| format!("{place}: {told}")));
        }
        for panel in self.panels() {
            for pointer in ["/title", "/description", "/options/content"] {
                let told = prose::check_words(known, text(panel, pointer));
                mistakes.extend(told.into_iter().map(|(_, told)| format!("{}: {told}", name_of(panel))));
            }
        }
        mistakes.iter().map(|mistake| format!("{}: {mistake}", self.file)).collect()
    }

    fn check_query(&self, known: &Known, text: &str, label: Option<&str>) -> Vec<String> {
        let (plain, used) = neutral(text);
        let declared = self.variable_names();
        let unknown = used.iter().filter(|name| !declared.contains(*name));
        let mut mistakes: Vec<String> =
            unknown.map(|name| format!("no variable or macro `${name}`{}", hint(name, &declared))).collect();
        let (labels, told) = check(known, &plain);
        mistakes.extend(told);
        if let Some(label) = label.filter(|label| !labels.has(label)) {
            mistakes.push(format!("no label `{label}` to list the values of{}", hint(label, labels.named.keys())));
        }
        mistakes
    }
}

/// The expression a variable asks for, and the label.
fn asked(query: &str) -> Option<(&str, Option<&str>)> {
    let values = Regex::new(r"^label_values\((?s:(.+)),\s*(\w+)\s*\)$").unwrap();
    let result = Regex::new(r"^query_result\((?s:(.+))\)$").unwrap();
    let group = |found: &regex::Captures<'_>, index| found.get(index).map(|part: regex::Match<'_>| part.range());
    if let Some(found) = values.captures(query) {
        return Some((&query[group(&found, 1)?], Some(&query[group(&found, 2)?])));
    }
    let found = result.captures(query)?;
    Some((&query[group(&found, 1)?], None))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// A board nothing is wrong with.
    pub fn good() -> Board {
        let source = || json!({"type": "prometheus", "uid": "${datasource}"});
        let panel = |id: u8, title: &str, expr: &str, unit: &str| {
            json!({
                "id": id, "type": "timeseries", "title": title, "description": "What it shows.",
                "datasource": source(), "fieldConfig": {"defaults": {"unit": unit}},
                "targets": [{"refId": "A", "datasource": source(), "expr": expr}]
            })
        };
        let waiting =
            "histogram_quantile(0.9, sum by (le) (rate(cloud_task_duration_seconds_bucket[$__rate_interval])))";
        let mut tasks =
            panel(1, "Tasks", "sum by (phase) (cloud_tasks{group=~\"$group\",phase=~\"running|failed\"})", "short");
        let url = "/d/cloud-task-overview?${datasource:queryparam}&var-group=${__field.labels.group}";
        tasks["fieldConfig"]["defaults"]["links"] = json!([{"title": "Group", "url": url}]);
        let row = json!({"id": 2, "type": "row", "title": "More", "panels": [panel(3, "Duration", waiting, "s")]});
        let text =
            json!({"id": 4, "type": "text", "title": "Help", "description": "How.", "options": {"content": "x"}});
        let json = json!({
            "uid": "cloud-task-overview", "title": "Cloud tasks / Overview", "description": "How tasks stand.",
            "tags": ["cloud-task-exporter"], "panels": [tasks, row, text],
            "templating": {"list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                {"name": "group", "type": "query", "datasource": source(), "query": "label_values(cloud_tasks, group)"}
            ]},
            "annotations": {"list": [
                {"name": "Annotations", "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}},
                {"name": "Alerts", "datasource": source(), "expr": "ALERTS{alertstate=\"firing\"}"}
            ]}
        });
        Board { file: "dashboards/overview.json".to_owned(), json }
    }

    /// Asserts that, with another value at that place of a good board, a check tells of it.
    pub fn assert_told(check: impl Fn(&Board) -> Vec<String>, rows: &[(&str, Value, &str)]) {
        assert_eq!(check(&good()), Vec::<String>::new());
        for (pointer, value, told_of) in rows {
            let mut bad = good();
            *bad.json.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = value.clone();
            let told = check(&bad);
            assert!(told.iter().any(|told| told.contains(told_of)), "{pointer} {value}: {told:?}");
        }
    }

    #[test]
    fn queries_of_every_kind_are_checked() {
        let known = Known::of_exporter();
        let rows = [
            (
                "/panels/0/targets/0/expr",
                json!("cloud_taks"),
                "overview.json: panel \"Tasks\", query A: no metric `cloud_taks`",
            ),
            (
                "/panels/0/targets/0/expr",
                json!("cloud_tasks{group=~\"$grp\"}"),
                "no variable or macro `$grp`; did you mean `group`?",
            ),
            (
                "/panels/0/targets/0/expr",
                json!("rate(cloud_tasks_finished_total[$__rate_intervall])"),
                "`$__rate_intervall`",
            ),
            ("/panels/0/targets/0/expr", json!(""), "panel \"Tasks\", query A: no expression"),
            (
                "/panels/1/panels/0/targets/0/expr",
                json!("cloud_tasks{phase=\"done\"}"),
                "panel \"Duration\", query A: `cloud_tasks` has no phase",
            ),
            ("/panels/0/description", json!("As cloud_taskz says."), "panel \"Tasks\": no metric `cloud_taskz`"),
            ("/templating/list/1/query", json!("label_values(cloud_taks, group)"), "variable \"group\": no metric"),
            ("/templating/list/1/query", json!("label_values(cloud_tasks, grop)"), "no label `grop` to list"),
            ("/templating/list/1/query", json!({"query": "query_result(cloud_taks)"}), "variable \"group\": no metric"),
            ("/templating/list/1/query", json!("label_values(group)"), "variable \"group\": expected label_values("),
            (
                "/annotations/list/1/expr",
                json!("ALERTS{alertstate=\"on\"}"),
                "annotation \"Alerts\": `ALERTS` has no alertstate",
            ),
        ];
        assert_told(|board| board.check(&known), &rows);
    }
}
