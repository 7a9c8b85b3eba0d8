"""Debian's Prometheus and Alertmanager, and a receiver of notifications. Knows no metric, and nothing of Grafana."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
import yaml
from exporter import ROOT
from prometheus_client.parser import text_string_to_metric_families as parse_text
from program import Program

PROMETHEUS = ROOT / "target" / "promtool" / "usr" / "bin" / "prometheus"
ALERTMANAGER = ROOT / "target" / "alertmanager" / "usr" / "bin" / "prometheus-alertmanager"
JOB = "cloud-task-exporter"


class QueryError(Exception):
    """Prometheus refused a query: what it said, and the query."""


class Prometheus(Program):
    """A Prometheus that scrapes one target every `interval` seconds, and evaluates rules every second.

    `rules` are files of rules, `features` what `--enable-feature` takes, `alertmanager` is told of alerts.
    """

    # As often as the demo polls. It is how long a scrape may take, too, and a busy machine is slow.
    interval = 5

    def __init__(self, name, directory, target, rules=(), features=(), alertmanager=None):
        super().__init__(name, directory)
        self._features = features
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(self._config(target, rules, alertmanager)))

    def _config(self, target, rules, alertmanager):
        every = f"{self.interval}s"
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target]}]}],
        }
        if alertmanager is not None:
            addresses = [{"targets": [alertmanager.url.removeprefix("http://")]}]
            config["alerting"] = {"alertmanagers": [{"static_configs": addresses}]}
        return config

    def command(self):
        return [
            PROMETHEUS,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
            *(f"--enable-feature={feature}" for feature in self._features),
        ]

    def api(self, path, **parameters):
        """What `/api/v1/PATH` answers."""
        body = requests.post if path.startswith("query") else requests.get
        key = "data" if path.startswith("query") else "params"
        answer = body(f"{self.url}/api/v1/{path}", **{key: parameters}, timeout=30).json()
        if answer["status"] != "success":
            raise QueryError(f"{answer['error']}: {parameters}")
        return answer["data"]

    def query(self, expression, at=None):
        """An instant query: type and result, as in Prometheus's API."""
        return self.api("query", query=expression, **({} if at is None else {"time": at}))

    def query_range(self, expression, start, end, step):
        """A range query: type and result, as in Prometheus's API."""
        return self.api("query_range", query=expression, start=start, end=end, step=step)

    def label_values(self, label, selector, start, end):
        """The values of a label, sorted; a selector narrows them."""
        only = {"match[]": selector} if selector else {}
        return self.api(f"label/{label}/values", start=start, end=end, **only)

    def rules(self):
        """Every rule: name, health and last error among its fields."""
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def alerts(self):
        """The alerts that are pending or firing."""
        return self.api("alerts")["alerts"]

    def targets(self):
        """The targets it scrapes."""
        return self.api("targets")["activeTargets"]

    def metadata(self):
        """Type and help of what the targets serve, by name."""
        return {one["metric"]: (one["type"], one["help"]) for one in self.api("targets/metadata")}

    def counted(self, names):
        """Those of its own counters that are not 0, of these names."""
        return nonzero(self.get("/metrics").text, names)


class Alertmanager(Program):
    """An Alertmanager that sends everything to a webhook within a second or two, resolutions too."""

    def __init__(self, directory, webhook):
        super().__init__("alertmanager", directory)
        config = {
            "route": {
                "receiver": "webhook",
                "group_by": ["..."],
                "group_wait": "1s",
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook.url, "send_resolved": True}]}],
        }
        (self.directory / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def command(self):
        return [
            ALERTMANAGER,
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ]

    def counted(self, names):
        """Those of its own counters that are not 0, of these names."""
        return nonzero(self.get("/metrics").text, names)


class Webhook:
    """Takes an Alertmanager's notifications and keeps them. Use it with `with`."""

    def __init__(self):
        self._alerts = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = "http://{}:{}/".format(*self._server.server_address)

    def _handler(self):
        keep = self._alerts.extend

        class Handler(BaseHTTPRequestHandler):
            """Answers 200 to any POST of JSON."""

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                keep(json.loads(body)["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                """Says nothing."""

        return Handler

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def alerts(self, name=None, status=None):
        """The alerts it was told of, in order: all, or those of a name, or of a status (`firing`, `resolved`)."""
        return [
            alert
            for alert in list(self._alerts)
            if name in (None, alert["labels"]["alertname"]) and status in (None, alert["status"])
        ]


def nonzero(text, names):
    """The samples of a scrape that have one of these names and are not 0."""
    return [sample for family in parse_text(text) for sample in family.samples if sample.name in names and sample.value]
