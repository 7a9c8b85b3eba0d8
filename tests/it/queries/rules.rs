//! Rule files: their expressions, what recording rules add to what is known, and what an alert has to say.

use super::expression::{VARIABLE, check};
use super::known::{Known, Labels, SEVERITIES, closed, hint};
use super::prose;
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

#[derive(Debug, Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(skip)]
    file: String,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match &self.alert {
            Some(name) => ("alert", name.as_str()),
            None => ("recording rule", self.record.as_deref().unwrap_or_default()),
        };
        write!(formatter, "{}: {kind} {name}", self.file)
    }
}

const PAGE: &str = "https://github.com/cloud-task-exporter/cloud-task-exporter/blob/main/docs/runbooks.md";

/// The rules of a file; a file that cannot be read fails the test.
pub fn read(file: &str, text: &str) -> Vec<Rule> {
    let read: RuleFile = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let rules = read.groups.into_iter().flat_map(|group| group.rules);
    rules.map(|rule| Rule { file: file.to_owned(), ..rule }).collect()
}

/// What is known with what the rules record, and with their alerts. A rule may use others, those that follow, and itself.
pub fn extend(mut known: Known, rules: &[Rule]) -> Known {
    let records: Vec<(&String, &Rule)> = rules.iter().filter_map(|rule| Some((rule.record.as_ref()?, rule))).collect();
    for (name, _) in &records {
        known.add(name, Labels::default());
    }
    // Each round knows the labels of one more level of rules that use rules.
    for _ in 0..=records.len() {
        for (name, rule) in &records {
            let labels = rule.labels.keys().fold(check(&known, &rule.expr).0, |labels, label| labels.with(label, None));
            known.add(name, labels);
        }
    }
    let alerts: Vec<&str> = rules.iter().filter_map(|rule| rule.alert.as_deref()).collect();
    for name in ["ALERTS", "ALERTS_FOR_STATE"] {
        let labels = known.labels(name).cloned().unwrap_or_default();
        known.add(
            name,
            if alerts.is_empty() { labels } else { labels.with("alertname", closed(alerts.iter().copied())) },
        );
    }
    known
}

/// What is wrong with a rule, with what is known from [`extend`] and the text of the runbooks.
pub fn check_rule(known: &Known, rule: &Rule, runbooks: &str) -> Vec<String> {
    let (labels, mut mistakes) = check(known, &rule.expr);
    if rule.alert.is_some() {
        let labels = rule.labels.keys().fold(labels, |labels, label| labels.with(label, None));
        mistakes.extend(check_alert(rule, runbooks));
        for (name, annotation) in &rule.annotations {
            let told = check_annotation(known, &labels, annotation);
            mistakes.extend(told.into_iter().map(|told| format!("annotation {name}: {told}")));
        }
    } else if rule.record.as_ref().is_none_or(|name| !name.contains(':')) {
        mistakes.push("a recording rule is named LEVEL:METRIC:OPERATIONS".to_owned());
    }
    mistakes.iter().map(|mistake| format!("{rule}: {mistake}")).collect()
}

fn check_alert(rule: &Rule, runbooks: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let severity = rule.labels.get("severity").map(String::as_str).unwrap_or_default();
    if !SEVERITIES.contains(&severity) {
        mistakes.push(format!("its severity is {severity:?}, expected one of {}", SEVERITIES.join(", ")));
    }
    for name in ["summary", "description", "runbook_url"] {
        if rule.annotations.get(name).is_none_or(|text| text.trim().is_empty()) {
            mistakes.push(format!("no annotation {name}"));
        }
    }
    if let Some(url) = rule.annotations.get("runbook_url") {
        let anchors: BTreeSet<String> = headings(runbooks).map(anchor).collect();
        match url.split_once('#') {
            Some((PAGE, found)) if anchors.contains(found) => {}
            Some((PAGE, found)) => {
                mistakes.push(format!("docs/runbooks.md has no heading for #{found}{}", hint(found, &anchors)));
            }
            _ => mistakes.push(format!("its runbook_url is {url}, expected {PAGE}#…")),
        }
    }
    mistakes
}

fn check_annotation(known: &Known, labels: &Labels, text: &str) -> Vec<String> {
    let label = Regex::new(r#"\$labels\.(\w+)|index \$labels "(\w+)""#).unwrap();
    let asked = Regex::new(r#"(?:printf|query)\s+(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)"#).unwrap();
    let named = label.captures_iter(text).filter_map(|found| found.get(1).or(found.get(2)));
    let mut mistakes: Vec<String> = named
        .filter(|name| !labels.has(name.as_str()))
        .map(|name| {
            let there = labels.named.keys().cloned().collect::<Vec<_>>().join(", ");
            format!("the expression keeps no label `{}` (there are: {there})", name.as_str())
        })
        .collect();
    for found in asked.captures_iter(text).filter_map(|found| found.get(1).or(found.get(2))) {
        if found.as_str().contains("cloud_task") {
            let query = found.as_str().replace("\\\"", "\"").replace("%q", &format!("\"{VARIABLE}\""));
            mistakes.extend(check(known, &query.replace("%s", VARIABLE).replace("%v", VARIABLE)).1);
        }
    }
    mistakes.extend(prose::check_words(known, text).into_iter().map(|(_, told)| told));
    mistakes
}

/// Sections of the runbooks for alerts that no rule has, and the other way round.
pub fn check_runbooks(rules: &[Rule], runbooks: &str) -> Vec<String> {
    let alerts: BTreeSet<String> = rules.iter().filter_map(|rule| rule.alert.clone()).collect();
    let sections: BTreeSet<String> =
        headings(runbooks).filter(|name| name.starts_with("CloudTask")).map(str::to_owned).collect();
    let lost =
        sections.difference(&alerts).map(|name| format!("docs/runbooks.md: no alert {name}{}", hint(name, &alerts)));
    let bare = alerts
        .difference(&sections)
        .map(|name| format!("docs/runbooks.md: no section `## {name}`{}", hint(name, &sections)));
    lost.chain(bare).collect()
}

fn headings(markdown: &str) -> impl Iterator<Item = &str> {
    markdown.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim())
}

/// The anchor GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNBOOKS: &str = "# Runbooks\n\n## CloudTaskFailed\n\nLook at it.\n";
    const GOOD: &str = r#"
groups:
  - name: a
    rules:
      - record: group:cloud_tasks_failed:last
        expr: group:cloud_tasks:sum{phase="failed"} or last_over_time(group:cloud_tasks_failed:last[5m])
        labels: {kind: x}
      - record: group:cloud_tasks:sum
        expr: sum by (group, phase) (cloud_tasks)
      - alert: CloudTaskFailed
        expr: sum without (phase) (group:cloud_tasks_failed:last) > 0 unless on () ALERTS{alertname="CloudTaskFailed"}
        labels: {severity: warning}
        annotations:
          summary: Group {{ $labels.group }} of {{ $labels.kind }}
          description: 'Now {{ with printf "cloud_tasks{group=%q,phase=\"failed\"}" $labels.group | query }}x{{ end }}'
          runbook_url: https://github.com/cloud-task-exporter/cloud-task-exporter/blob/main/docs/runbooks.md#cloudtaskfailed
"#;

    fn told(text: &str, runbooks: &str) -> Vec<String> {
        let rules = read("rules.yml", text);
        let known = extend(Known::of_exporter(), &rules);
        let of_rules = rules.iter().flat_map(|rule| check_rule(&known, rule, runbooks));
        of_rules.chain(check_runbooks(&rules, runbooks)).collect()
    }

    #[test]
    fn mistakes_of_rules_are_told() {
        assert_eq!(told(GOOD, RUNBOOKS), Vec::<String>::new());
        for (right, wrong, told_of) in [
            (
                "(cloud_tasks)",
                "(cloud_taks)",
                "rules.yml: recording rule group:cloud_tasks:sum: no metric `cloud_taks`",
            ),
            (
                "phase=\"failed\"} or",
                "phase=\"fail\"} or",
                "group:cloud_tasks_failed:last: `group:cloud_tasks:sum` has no phase=\"fail\"",
            ),
            ("sum{phase", "sums{phase", "no metric `group:cloud_tasks:sums`; did you mean `group:cloud_tasks:sum`?"),
            (
                "record: group:cloud_tasks:sum",
                "record: cloud_tasks_sum",
                "a recording rule is named LEVEL:METRIC:OPERATIONS",
            ),
            ("without (phase)", "without (task_id)", "alert CloudTaskFailed: no label `task_id`"),
            ("alertname=\"CloudTaskFailed\"", "alertname=\"CloudTaskFails\"", "did you mean `CloudTaskFailed`?"),
            (
                "severity: warning",
                "severity: page",
                "its severity is \"page\", expected one of critical, warning, info",
            ),
            ("labels: {severity: warning}", "labels: {}", "its severity is \"\""),
            ("$labels.group }}", "$labels.task_id }}", "annotation summary: the expression keeps no label `task_id`"),
            ("$labels.group }}", "$labels.phase }}", "annotation summary: the expression keeps no label `phase`"),
            ("phase=\\\"failed", "phase=\\\"fail", "annotation description: `cloud_tasks` has no phase=\"fail\""),
            ("Now", "See cloud_taskz.", "annotation description: no metric `cloud_taskz`"),
            ("summary: Group", "title: Group", "no annotation summary"),
            ("description: '", "descriptions: '", "no annotation description"),
            ("#cloudtaskfailed", "#cloudtaskfail", "no heading for #cloudtaskfail; did you mean `cloudtaskfailed`?"),
            ("/blob/main/docs", "/docs", "expected https://github.com"),
            ("alert: CloudTaskFailed", "alert: CloudTaskFails", "docs/runbooks.md: no section `## CloudTaskFails`"),
        ] {
            assert_eq!(GOOD.matches(right).count(), 1, "{right}");
            let told = told(&GOOD.replace(right, wrong), RUNBOOKS);
            assert!(told.iter().any(|told| told.contains(told_of)), "{wrong}: {told:#?}");
        }
        let lost = told(GOOD, &format!("{RUNBOOKS}## CloudTaskGone\n"));
        assert_eq!(lost, ["docs/runbooks.md: no alert CloudTaskGone"]);
    }

    #[test]
    fn anchors_are_those_of_github() {
        assert_eq!(anchor("CloudTaskFailed"), "cloudtaskfailed");
        assert_eq!(anchor("When `it` goes wrong: what?"), "when-it-goes-wrong-what");
    }
}
