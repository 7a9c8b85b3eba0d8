"""The configs that are shipped for Prometheus and Alertmanager, judged by Debian's promtool, amtool and servers.

What the rules say and what the dashboards show is judged elsewhere.
"""

import re
import subprocess
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from exporter import ROOT, eventually, promtool
from program import Program
from prometheus import ALERTMANAGER, JOB, PROMETHEUS

SCRAPE = ROOT / "config" / "prometheus" / "prometheus.yml"
ROUTES = ROOT / "config" / "alertmanager" / "alertmanager.yml"
RULES = ROOT / "dashboards" / "rules"
AMTOOL = ALERTMANAGER.parent / "amtool"
# Debian's Prometheus, 2.42, has a feature flag in place of this line.
SINCE_3_8 = "    scrape_native_histograms: true\n"
RECEIVERS = {"critical": "on-call", "warning": "team", "info": "notes"}


def load(path):
    return yaml.safe_load(path.read_text())


def scrape_config(**addresses):
    """The shipped config for Debian's Prometheus: rules of this checkout, other addresses for some of compose's."""
    text = SCRAPE.read_text()
    assert text.count(SINCE_3_8) == 1
    text = text.replace(SINCE_3_8, "").replace("/etc/prometheus/rules/", f"{RULES}/")
    for name, address in addresses.items():
        text, found = re.subn(rf'"{name}:\d+"', f'"{address}"', text)
        assert found == 1, name
    return text


def named_rules():
    """The groups of the shipped rules with the names in them."""
    groups = [group for path in sorted(RULES.glob("*.yml")) for group in load(path)["groups"]]
    return {group["name"]: [rule.get("alert") or rule["record"] for rule in group["rules"]] for group in groups}


def amtool(*arguments):
    ended = subprocess.run([AMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.strip(), ended.stderr


class ShippedPrometheus(Program):
    """Debian's Prometheus with the config that is shipped."""

    def __init__(self, directory, exporter, alertmanager):
        super().__init__("prometheus", directory)
        text = scrape_config(exporter=exporter, alertmanager=urlsplit(alertmanager).netloc)
        (self.directory / "prometheus.yml").write_text(text)

    def command(self):
        return [PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0",
                "--enable-feature=native-histograms"]

    def api(self, path):
        return self.get(f"/api/v1/{path}").json()["data"]


class ShippedAlertmanager(Program):
    """Debian's Alertmanager with the config that is shipped."""

    def command(self):
        return [ALERTMANAGER, f"--config.file={ROUTES}", "--storage.path=data", "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address="]

    def tell(self, *alerts):
        """Each alert is told by its labels."""
        told = requests.post(f"{self.url}/api/v2/alerts", json=[{"labels": labels} for labels in alerts], timeout=10)
        assert told.status_code == 200, told.text

    def inhibited(self):
        """The names of the alerts, with whether another one silences it."""
        alerts = self.get("/api/v2/alerts").json()
        return {alert["labels"]["alertname"]: bool(alert["status"]["inhibitedBy"]) for alert in alerts}


@pytest.fixture
def alertmanager(tmp_path):
    with ShippedAlertmanager("alertmanager", tmp_path / "alertmanager") as alertmanager:
        yield alertmanager


def test_promtool_takes_the_config_and_its_rules(tmp_path):
    path = tmp_path / "prometheus.yml"
    path.write_text(scrape_config())
    code, said = promtool("check", "config", str(path))
    assert code == 0, said
    assert said.count(" rules found") == len(list(RULES.glob("*.yml"))), said


def test_promtool_misses_nothing_else_in_it():
    """The one line that is left out for Debian's Prometheus is the only one it does not know."""
    code, said = promtool("check", "config", str(SCRAPE))
    assert code != 0
    assert re.findall(r"field (\w+) not found", said) == ["scrape_native_histograms"], said


def test_prometheus_scrapes_the_demo_and_tells_alertmanager(demo, alertmanager, tmp_path):
    exporter = urlsplit(demo.metrics_url).netloc
    with ShippedPrometheus(tmp_path / "prometheus", exporter, alertmanager.url) as prometheus:

        def target():
            targets = prometheus.api("targets")["activeTargets"]
            return next((one for one in targets if one["labels"]["job"] == JOB and one["health"] == "up"), None)

        assert eventually("the exporter is scraped", target)["lastError"] == ""
        groups = prometheus.api("rules")["groups"]
        assert {group["name"]: [rule["name"] for rule in group["rules"]] for group in groups} == named_rules()
        told = eventually("Alertmanager is found", lambda: prometheus.api("alertmanagers")["activeAlertmanagers"])
        assert [one["url"] for one in told] == [f"{alertmanager.url}/api/v2/alerts"]


def test_amtool_takes_the_routes():
    code, said, error = amtool("check-config", ROUTES)
    assert code == 0, said + error


def test_amtool_takes_the_receivers_that_are_shown(tmp_path):
    head, receivers = ROUTES.read_text().split("\nreceivers:\n")
    shown, found = re.subn(r"^    # ", "    ", receivers, flags=re.MULTILINE)
    assert found > 10
    path = tmp_path / "alertmanager.yml"
    path.write_text(f"{head}\nreceivers:\n{shown}")
    code, said, error = amtool("check-config", path)
    assert code == 0, said + error
    ways = {key for receiver in load(path)["receivers"] for key in receiver} - {"name"}
    assert ways == {"webhook_configs", "slack_configs", "email_configs"}


@pytest.mark.parametrize("severity", [*RECEIVERS, "other"])
def test_a_severity_has_its_receiver(severity):
    labels = ["alertname=CloudTaskFailed", f"severity={severity}", "group=etl"]
    code, said, _ = amtool("config", "routes", "test", f"--config.file={ROUTES}", *labels)
    assert (code, said) == (0, RECEIVERS.get(severity, "nowhere"))


def test_every_alert_has_one_of_these_severities():
    rules = [rule for path in RULES.glob("*.yml") for group in load(path)["groups"] for rule in group["rules"]]
    severities = {rule["labels"]["severity"] for rule in rules if "alert" in rule}
    assert severities and severities <= set(RECEIVERS)


EXPORTER = {"job": JOB, "instance": "exporter:10417"}
ELSEWHERE = {"job": JOB, "instance": "other:10417"}
ACCOUNT = {"provider": "tencent", "account": "prod"}
OTHER = {"provider": "tencent", "account": "other"}
GROUP = ACCOUNT | {"cloud_region": "ap-guangzhou", "group": "etl"}
TASK = GROUP | {"task_id": "job-1/A"}


@pytest.mark.parametrize(
    "source, target, other",
    [
        (("ExporterDown", EXPORTER), ("ExporterLagging", EXPORTER | ACCOUNT), ("DataStale", TASK)),
        (("ExporterDown", EXPORTER), ("ExporterStateNotWritten", EXPORTER), ("ExporterAccountRefused", ELSEWHERE | ACCOUNT)),
        (("ExporterAccountRefused", EXPORTER | ACCOUNT), ("DataStale", TASK), ("Failed", TASK)),
        (("ExporterAccountRefused", EXPORTER | ACCOUNT), ("DataStale", TASK), ("ExporterLagging", EXPORTER | OTHER)),
        (("FailureBurst", GROUP), ("Failed", TASK), ("InstancesFailing", TASK)),
    ],
    ids=lambda alert: alert[0],
)
def test_what_follows_is_not_told(alertmanager, source, target, other):
    alerts = [{"alertname": f"CloudTask{name}"} | labels for name, labels in (source, target, other)]
    alertmanager.tell(*alerts)
    expected = dict(zip((alert["alertname"] for alert in alerts), (False, True, False)))
    eventually(f"silenced as in {expected}", lambda: alertmanager.inhibited() == expected, seconds=30)


def test_each_name_that_silences_or_is_silenced_is_that_of_an_alert():
    names = {name for group in named_rules().values() for name in group if name.startswith("CloudTask")}
    for rule in load(ROUTES)["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            for pattern in re.fullmatch(r'alertname(?:=|!=|=~)"(.+)"', matcher)[1].split("|"):
                assert any(re.fullmatch(pattern, name) for name in names), pattern
