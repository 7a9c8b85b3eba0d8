"""promtool judges the rules and runs their tests; every alert has tests that can fail, and a runbook that stands where it
points."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from exporter import ROOT, promtool
from rules import RULES, RUNBOOKS, TESTS, cases, mutants, rules, survives

ALERTS = rules("alert")
RECORDS = rules("record")
PARTS = ["What it means", "How to look", "What to do"]
URL = "https://github.com/cloud-task-exporter/cloud-task-exporter/blob/main/docs/runbooks.md"
# Whose names a summary has to say.
TASK = ("provider", "account", "group", "task_id")
# Alerts of the exporter's own name accounts or processes, and of tasks one names a group.
GROUP_ALERTS = {"CloudTaskFailureBurst"}


def sections(text):
    """The second-level sections of a Markdown text: title to body."""
    titles = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(titles[::2], titles[1::2], strict=True))


def anchor(title):
    """How GitHub names a heading in a link."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def runbooks():
    return RUNBOOKS.read_text()


def test_promtool_takes_the_rules():
    code, printed = promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))
    assert code == 0, printed


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_promtools_tests_pass(path):
    code, printed = promtool("test", "rules", str(path))
    assert code == 0, printed


def test_every_test_says_what_it_is_about():
    assert {case.subject for case in cases() if case.path.stem != "recording"} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_to_fire_to_clear_and_not_to_fire(alert):
    times = [(case.fires_at(alert), case.quiet_at(alert)) for case in cases() if case.subject == alert]
    firing = [(fires, quiet) for fires, quiet in times if fires]
    assert firing, "no test in which it fires"
    assert any(quiet and min(quiet) < min(fires) for fires, quiet in firing), "no test in which it begins"
    assert any(quiet and max(quiet) > max(fires) for fires, quiet in firing), "no test in which it clears"
    assert any(quiet and not fires for fires, quiet in times), "no test in which it nearly fires"


@pytest.mark.parametrize("record", RECORDS)
def test_every_recording_rule_is_tested(record):
    asked = [one for case in cases() for one in case.body.get("promql_expr_test", []) if record in one["expr"]]
    assert any(one["exp_samples"] for one in asked)


@pytest.mark.parametrize("alert", ALERTS)
def test_tests_of_a_spoilt_alert_fail(alert):
    def passes(spoilt):
        with TemporaryDirectory() as directory:
            return survives(alert, spoilt, Path(directory))

    assert passes(ALERTS[alert]), "its tests fail without other alerts"
    spoilt = dict(mutants(ALERTS[alert]))
    assert spoilt
    with ThreadPoolExecutor(2) as pool:
        unnoticed = [what for what, passed in zip(spoilt, pool.map(passes, spoilt.values()), strict=True) if passed]
    assert not unnoticed


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_somebody_needs_who_is_woken(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    notes = rule["annotations"]
    assert set(notes) - {"task"} == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"{URL}#{alert.lower()}"
    if "task" in notes:
        named = TASK
    elif alert in GROUP_ALERTS:
        named = TASK[:-1]
    else:
        assert alert.startswith("CloudTaskExporter")
        named = ("instance",)
    text = notes["summary"] + notes["description"]
    assert all(f"$labels.{label}" in text for label in named), text


def test_each_alert_has_a_section_in_the_runbooks_and_nothing_else_has(runbooks):
    named = {title for title in sections(runbooks) if title.startswith("CloudTask")}
    assert named == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_a_section_has_its_parts_and_the_severity(alert, runbooks):
    body = sections(runbooks)[alert]
    assert re.findall(r"^### (.+)$", body, flags=re.MULTILINE) == PARTS
    texts = re.split(r"^### .+$", body, flags=re.MULTILINE)
    assert all(len(text.split()) > 5 for text in texts[1:]), "a part says nothing"
    assert f"Severity: {ALERTS[alert]['labels']['severity']}." in texts[0]


def test_links_of_the_runbooks_lead_somewhere(runbooks):
    headings = {anchor(title) for title in re.findall(r"^#+ (.+)$", runbooks, flags=re.MULTILINE)}
    assert {alert.lower() for alert in ALERTS} <= headings
    for link in re.findall(r"\]\(([^)]+)\)", runbooks):
        path, _, fragment = link.partition("#")
        if link.startswith("https://"):
            continue
        target = RUNBOOKS.parent / path if path else RUNBOOKS
        assert target.exists(), link
        if fragment:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), flags=re.MULTILINE)
            assert fragment in map(anchor, titles), link


def test_panels_of_the_runbooks_are_on_a_board(runbooks):
    boards = map(json.loads, map(Path.read_text, (ROOT / "dashboards").glob("*.json")))
    titles = {panel.get("title") for board in boards for panel in board["panels"]}
    lists = re.findall(r'panels?\s+((?:"[^"]+"(?:,\s+|\s+and\s+)?)+)', runbooks)
    named = [" ".join(title.split()) for listed in lists for title in re.findall(r'"([^"]+)"', listed)]
    assert named and set(named) <= titles, set(named) - titles


def test_queries_of_the_runbooks_are_promql(runbooks, tmp_path):
    queries = re.findall(r"```promql\n(.*?)```", runbooks, flags=re.DOTALL)
    assert len(queries) >= len(ALERTS)
    lines = ["groups:", "  - name: runbooks", "    rules:"]
    for number, query in enumerate(queries):
        lines += [f"      - record: runbook:query:n{number}", "        expr: |", *(f"          {line}" for line in query.splitlines())]
    (tmp_path / "queries.yml").write_text("\n".join(lines) + "\n")
    code, printed = promtool("check", "rules", str(tmp_path / "queries.yml"))
    assert code == 0, printed
