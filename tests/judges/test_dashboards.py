"""Real software judges dashboards and rules: Prometheus with classic and with native histograms, and Alertmanager.

They run beside the demo until each query of each board was answered with data, and an alert has come and gone.
"""

import time

import pytest
import yaml
from choice import show
from exporter import ROOT, reference
from grafana import Board
from pictures import draw
from prometheus import JOB, Alertmanager, Prometheus, Webhook
from templating import Several, choose
from watch import Watch

BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "dashboards" / "rules").glob("*.yml"))
RUNBOOKS = "https://github.com/cloud-task-exporter/cloud-task-exporter/blob/main/docs/runbooks.md#"
# Everything is seen within two and a half minutes; the rest is for machines that are slow or busy.
LIMIT = 400.0
EVERY = 3.0
# Prometheus counts here what it could not take or work out, and what it could not tell.
SCRAPE_TROUBLE = (
    "prometheus_target_scrapes_exceeded_sample_limit_total",
    "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    "prometheus_target_scrapes_sample_out_of_bounds_total",
    "prometheus_target_scrapes_sample_out_of_order_total",
    "prometheus_rule_evaluation_failures_total",
)
NOTIFICATION_TROUBLE = ("prometheus_notifications_dropped_total", "prometheus_notifications_errors_total")

by_board = pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def webhook():
    with Webhook() as webhook:
        yield webhook


@pytest.fixture(scope="module")
def alertmanager(webhook, tmp_path_factory):
    with Alertmanager(tmp_path_factory.mktemp("alertmanager"), webhook) as alertmanager:
        yield alertmanager


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The rules as they are, but evaluated every second, not every minute."""
    folder = tmp_path_factory.mktemp("rules")
    for path in RULES:
        content = yaml.safe_load(path.read_text())
        for group in content["groups"]:
            group.pop("interval", None)
        (folder / path.name).write_text(yaml.safe_dump(content))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def classic(demo, rules, alertmanager, tmp_path_factory):
    """Prometheus as most run it. It alone tells Alertmanager, so that each alert has one teller."""
    folder = tmp_path_factory.mktemp("classic")
    with Prometheus("classic", folder, demo.authority, rules, alertmanager=alertmanager) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def native(demo, rules, tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    with Prometheus("native", folder, demo.authority, rules, features=["native-histograms"]) as prometheus:
        yield prometheus


@pytest.fixture(scope="module", params=["classic", "native"])
def prometheus(request, classic, native):
    return {"classic": classic, "native": native}[request.param]


@pytest.fixture(scope="module")
def watches(classic, native, webhook):
    """What each board has not shown in the end, by the names of the Prometheus and the board."""
    histograms = {name for name, (kind, _) in reference().items() if kind == "histogram"}
    start = time.time()
    watches = {
        (prometheus.name, path.stem): Watch(Board(path), prometheus, start, histograms)
        for prometheus in (classic, native)
        for path in BOARDS
    }
    while time.time() < start + LIMIT:
        time.sleep(EVERY)
        for watch in watches.values():
            if not watch.is_complete():
                watch.look(time.time())
        complete = all(watch.is_complete() for watch in watches.values())
        if complete and came_and_went(webhook) and not unrecorded(classic) and not unrecorded(native):
            break
    return watches


def unrecorded(prometheus):
    """The recording rules that never had a result."""
    names = {rule["name"] for rule in prometheus.rules() if rule["type"] == "recording"}
    return {name for name in names if not prometheus.query(f"last_over_time({name}[1h])")["result"]}


def came_and_went(webhook, name="CloudTaskFailed"):
    """An alert that was told to fire and then to be resolved: both tellings; None where there is none."""
    firing = {}
    for alert in webhook.alerts(name):
        labels = tuple(sorted(alert["labels"].items()))
        if alert["status"] == "firing":
            firing.setdefault(labels, alert)
        elif labels in firing:
            return firing[labels], alert
    return None


def test_all_jobs_are_those_of_exporters():
    """Prometheus scrapes other jobs, too, and each of them has `up` and `process_cpu_seconds_total`."""
    jobs = [one for path in BOARDS for one in Board(path).variables() if one["name"] == "job"]
    assert [choose(one, [JOB]) for one in jobs] == [Several((JOB,))]


@by_board
def test_every_query_of_every_panel_has_data(watches, prometheus, path):
    watch = watches[prometheus.name, path.stem]
    assert watch.is_complete(), f"in {prometheus.name}:\n{watch.report()}"


@by_board
def test_a_board_can_be_drawn(watches, prometheus, path, tmp_path):
    shown = show(Board(path), prometheus, watches[prometheus.name, path.stem].start, time.time()).evaluated()
    assert all(shown["variables"].values()), shown["variables"]
    drawn = draw(tmp_path, shown)
    # Every panel that has data shows something, drawn by Grafana's own components.
    assert drawn.code == 0, drawn.said


def test_rules_are_healthy(watches, prometheus):
    rules = prometheus.rules()
    assert {rule["type"] for rule in rules} == {"alerting", "recording"}
    said = {(rule["name"], rule["health"], rule.get("lastError", "")) for rule in rules}
    assert said == {(name, "ok", "") for name, _, _ in said}


def test_what_is_recorded_is_there(watches, prometheus):
    assert not unrecorded(prometheus)


def test_scrapes_are_clean(watches, prometheus):
    targets = prometheus.targets()
    assert [(one["labels"]["job"], one["health"], one["lastError"]) for one in targets] == [(JOB, "up", "")]
    assert float(prometheus.query("min_over_time(up[1h])")["result"][0]["value"][1]) == 1
    assert not prometheus.complaints()
    assert not prometheus.counted(SCRAPE_TROUBLE)


def test_metadata_is_the_catalogue(watches, prometheus):
    # In OpenMetrics a counter is named without its suffix.
    known = {name.removesuffix("_total"): meaning for name, meaning in reference().items()}
    told = {name.removesuffix("_total"): meaning for name, meaning in prometheus.metadata().items()}
    assert told == known


def test_alerts_are_told_whole(watches, webhook, alertmanager, classic):
    alerts = webhook.alerts()
    assert alerts
    for alert in alerts:
        labels, annotations = alert["labels"], alert["annotations"]
        assert labels["severity"] in ("critical", "warning", "info"), alert
        assert {"summary", "description", "runbook_url"} <= set(annotations), alert
        assert annotations["runbook_url"] == RUNBOOKS + labels["alertname"].lower(), alert
        for text in annotations.values():
            assert text and not any(wrong in text for wrong in ("<no value>", "{{", "%!", "<error")), alert
    assert not alertmanager.complaints()
    assert not classic.counted(NOTIFICATION_TROUBLE)


def test_a_failed_task_is_told_and_its_recovery_too(watches, webhook, alertmanager):
    told = came_and_went(webhook)
    assert told, [(alert["status"], alert["labels"]) for alert in webhook.alerts("CloudTaskFailed")]
    firing, resolved = told
    assert {"provider", "account", "group", "task_id"} <= set(firing["labels"])
    assert resolved["startsAt"] == firing["startsAt"]
    assert resolved["endsAt"] > resolved["startsAt"]
    assert set(resolved["annotations"]) == set(firing["annotations"])


def test_native_histograms_are_scraped(watches, native):
    assert native.query("histogram_count(cloud_task_duration_seconds)")["result"]
