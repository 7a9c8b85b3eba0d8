"""Runs the exporter's binary and reads what it serves. Knows nothing of any test."""

import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

ROOT = Path(__file__).resolve().parents[2]
TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
PROVIDERS = ("tencent", "aliyun", "huawei")


def default_binary():
    """The release build of this checkout."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "cloud-task-exporter"


def reference():
    """Type and help of every metric, by name: the tables in the README that are made from the catalogue."""
    table = (ROOT / "README.md").read_text().split("<!-- metrics:begin -->")[1].split("<!-- metrics:end -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| .* \| (.+) \|$", table, re.MULTILINE)
    return {name: (kind, meaning) for name, kind, meaning in rows}


def promtool(*arguments, text=None):
    """Runs Prometheus's own tool; what it prints and its exit code."""
    path = ROOT / "target" / "promtool" / "usr" / "bin" / "promtool"
    ended = subprocess.run([path, *arguments], input=text, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def eventually(what, probe, seconds=60.0, every=0.25):
    """The first true value of `probe`; its AssertionErrors count as false. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if value := probe():
                return value
        except AssertionError as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"within {seconds:.0f} s not: {what}") from last


def environment():
    """This process's environment without what would configure the exporter."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLOUD_TASK_EXPORTER_")}


def run(binary, *arguments, seconds=30):
    """Runs a subcommand to its end."""
    return subprocess.run(
        [str(binary), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment(),
    )


def free_port():
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Cloud:
    """A simulated cloud: where it is, and the region and keys its line names. The keys are no secrets."""

    url: str
    words: dict = field(default_factory=dict)

    @property
    def authority(self):
        """Host and port."""
        return urlsplit(self.url).netloc

    def __getitem__(self, name):
        return self.words[name]


def read_line(line):
    """The name, the URL and the words of one line of the demo's output; None for any other line."""
    columns = re.split(r"\s{2,}", line.strip())
    if len(columns) < 2 or columns[0] not in ("metrics", *PROVIDERS):
        return None
    words = dict(column.split(maxsplit=1) for column in columns[2:])
    return columns[0], Cloud(columns[1], words)


class Demo:
    """`demo`: three simulated clouds and the exporter that polls them."""

    name = "demo"

    def __init__(self, binary, directory, *arguments):
        self._output = Path(directory) / "stdout"
        self._log = Path(directory) / "stderr"
        listen = () if any(argument.startswith("--web.listen-address") for argument in arguments) else (
            "--web.listen-address=127.0.0.1:0",
        )
        with self._output.open("w") as output, self._log.open("w") as log:
            self.process = subprocess.Popen(
                [str(binary), "demo", "--log.format=json", *listen, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                # A demo that is killed leaves its state file there.
                env={**environment(), "TMPDIR": str(directory)},
            )

    def __enter__(self):
        try:
            lines = eventually("the demo says where to look", self._read_output, seconds=30)
            self.metrics_url = lines.pop("metrics").url
            self.clouds = lines
            eventually("the exporter is ready", self._is_ready)
            eventually("tasks of each cloud on /metrics", self._shows_every_cloud)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def authority(self):
        """Host and port of the exporter."""
        return urlsplit(self.metrics_url).netloc

    def _read_output(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the demo ended with code {self.process.returncode}:\n{self.log()[-4000:]}")
        lines = dict(filter(None, map(read_line, self._output.read_text().splitlines())))
        return lines if len(lines) == 1 + len(PROVIDERS) else None

    def _is_ready(self):
        try:
            return self.get("/-/ready").status_code == 200
        except requests.ConnectionError:
            return False

    def _shows_every_cloud(self):
        return all(self.task_ids(provider) for provider in PROVIDERS)

    def stop(self, how=signal.SIGTERM, seconds=15):
        """Asks the demo to stop, and returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=seconds)

    def kill(self):
        """Ends the process, however it is."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self):
        """What the process wrote to stderr so far."""
        return self._log.read_text()

    def get(self, path, **headers):
        """Asks the exporter for a path."""
        url = self.metrics_url.removesuffix("/metrics") + path
        return requests.get(url, headers=headers, timeout=10)

    def text(self):
        """/metrics in the classic text format."""
        return self._scrape(TEXT)

    def openmetrics(self):
        """/metrics as OpenMetrics."""
        return self._scrape(OPENMETRICS)

    def _scrape(self, accept):
        response = self.get("/metrics", Accept=accept)
        assert response.status_code == 200, response.text[:500]
        return response.text

    def samples(self, name=None):
        """All samples of one scrape, or those of one name."""
        samples = [sample for family in parse_text(self.text()) for sample in family.samples]
        return samples if name is None else [sample for sample in samples if sample.name == name]

    def task_ids(self, provider):
        """The ids of a cloud's tasks that have been polled well, in the order they are served."""
        infos = self.samples("cloud_task_info")
        return [info.labels["task_id"] for info in infos if info.labels["provider"] == provider]


def families(text, openmetrics=False):
    """The metric families of a scrape; raises ValueError where the text breaks the format's rules."""
    return list((parse_openmetrics if openmetrics else parse_text)(text))
