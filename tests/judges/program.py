"""Runs a server in a directory of its own, on a port the system chooses. Knows nothing of what it serves."""

import re
import subprocess
from pathlib import Path

import requests
from exporter import eventually


class Program:
    """A server that logs where it listens, and answers `/-/ready`. Use it with `with`."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.url = None
        self._process = None

    def command(self):
        """What to run, in `directory`."""
        raise NotImplementedError

    def __enter__(self):
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self.url = eventually(f"{self.name} listens", self._find_url, every=0.05)
            eventually(f"{self.name} is ready", self._is_ready, every=0.05)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _log(self):
        return self.directory / "log"

    def log(self):
        """What it wrote so far."""
        return self._log.read_text()

    def complaints(self):
        """The warnings and errors in its log."""
        return [line for line in self.log().splitlines() if re.search(r"\blevel=(warn|error)\b", line)]

    def get(self, path, **parameters):
        """The answer for a path."""
        return requests.get(self.url + path, params=parameters, timeout=30)

    def _find_url(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with code {self._process.returncode}:\n{self.log()[-4000:]}")
        found = re.search(r'msg="Listening on" address=(\S+)', self.log())
        return found and f"http://{found[1]}"

    def _is_ready(self):
        try:
            return self.get("/-/ready").status_code == 200
        except requests.ConnectionError:
            return False
