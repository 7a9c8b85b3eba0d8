"""Runs the demo and a Prometheus, then writes what Grafana would show of each dashboard.

`evaluate.py MINUTES BINARY FOLDER`. Draws nothing.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "judges"))

from choice import show  # noqa: E402
from exporter import Demo  # noqa: E402
from grafana import Board  # noqa: E402
from prometheus import Prometheus  # noqa: E402

BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "dashboards" / "rules").glob("*.yml"))


def main(minutes, binary, folder):
    """Writes a file for each dashboard into the folder, and leaves no other there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch, Demo(binary.resolve(), scratch) as demo:
        with Prometheus("prometheus", f"{scratch}/prometheus", demo.authority, RULES) as prometheus:
            start = time.time()
            time.sleep(minutes * 60)
            for path in BOARDS:
                shown = show(Board(path), prometheus, start, time.time()).evaluated()
                (folder / path.name).write_text(json.dumps(shown))
                print(f"{folder / path.name}: {len(shown['panels'])} panels, {shown['variables']}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
