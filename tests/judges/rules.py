"""Reads the rules, their promtool tests and the runbooks, and spoils rules one by one. Judges nothing itself."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from exporter import ROOT, promtool

RULES = sorted((ROOT / "dashboards" / "rules").glob("*.yml"))
TESTS = sorted((ROOT / "tests" / "rules").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks.md"

# A word or a number of an expression that a spoilt one has another for, one at a time.
TOKEN = re.compile(r"(?<![\w~:!])(\band\b|\bunless\b|\d+(?:\.\d+)?)(?![\w.~:])")
WORDS = {"and": "unless", "unless": "and"}


@dataclass(frozen=True)
class Case:
    """A test of promtool: the file it stands in and what it says."""

    path: Path
    body: dict

    @property
    def name(self):
        """What it shows, in words."""
        return self.body["name"]

    @property
    def subject(self):
        """The alert it is about; of a test of recording rules, the whole name."""
        return self.name.split(":", 1)[0]

    def fires_at(self, alert):
        """The times, in minutes, at which that alert is expected."""
        return [minutes(asked["eval_time"]) for asked in self._asked(alert) if asked["exp_alerts"]]

    def quiet_at(self, alert):
        """The times, in minutes, at which that alert is expected not to be."""
        return [minutes(asked["eval_time"]) for asked in self._asked(alert) if not asked["exp_alerts"]]

    def _asked(self, alert):
        return [asked for asked in self.body.get("alert_rule_test", []) if asked["alertname"] == alert]


def minutes(text):
    """A time of a test, which is written in minutes."""
    assert re.fullmatch(r"\d+m", text), text
    return int(text[:-1])


def rules(kind):
    """Every rule that has this key (`alert` or `record`), by its name."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def cases():
    """Every test of promtool."""
    return [Case(path, body) for path in TESTS for body in yaml.safe_load(path.read_text())["tests"]]


def mutants(rule):
    """What is spoilt, and the rule with it: no wait, or one word or number of its expression that is another."""
    for time in ("for", "keep_firing_for"):
        if time in rule:
            yield f"without {time}", {key: value for key, value in rule.items() if key != time}
    expression = rule["expr"]
    for found in TOKEN.finditer(expression):
        start, end = found.span(1)
        for instead in instead_of(found.group(1), expression[:start]):
            what = f"{instead} in place of {found.group(1)} at {start}"
            yield what, {**rule, "expr": expression[:start] + instead + expression[end:]}


def instead_of(token, before):
    """What may stand in place of a token: the other word, or numbers that are clearly others."""
    if token in WORDS:
        return [WORDS[token]]
    if float(token) == 0:
        return ["1"] if before.endswith("== ") else ["1000"]
    return [f"{float(token) * 3:g}", f"{float(token) / 3:g}"]


def survives(alert, spoilt, directory):
    """Whether the tests of an alert pass although it is spoilt. Other alerts are left out, for speed."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    for group in groups:
        named = (spoilt if rule.get("alert") == alert else rule for rule in group["rules"])
        group["rules"] = [rule for rule in named if rule.get("alert", alert) == alert]
    # The rules that record go first.
    groups.sort(key=lambda group: not any("record" in rule for rule in group["rules"]))
    (directory / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [case.body for case in cases() if case.subject == alert],
    }
    (directory / "test.yml").write_text(yaml.safe_dump(test))
    return promtool("test", "rules", str(directory / "test.yml"))[0] == 0
