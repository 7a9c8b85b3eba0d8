"""Runs the demo and a Prometheus, then writes what Grafana would show of each dashboard.

`evaluate.py MINUTES BINARY FOLDER`. Draws nothing. Of a board that shows one task it takes the one with the most to see.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "judges"))

from exporter import Demo  # noqa: E402
from grafana import Board, View, has_data  # noqa: E402
from prometheus import Prometheus  # noqa: E402

BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "dashboards" / "rules").glob("*.yml"))
CANDIDATES = 10


def busiest(prometheus, start, end):
    """The tasks of which most is to be told, the most first: changes of instances' states, times exit codes.

    Those that several accounts poll are left out: a board shows them once for each.
    """
    span = f"{round(end - start)}s"
    changes = f"sum by (task_id) (changes(cloud_task_instances[{span}]))"
    codes = "count by (task_id) (cloud_task_instance_exits > 0)"
    shared = f"count by (task_id) (last_over_time(cloud_task_poll_success[{span}])) > 1"
    told = f"({changes} * on (task_id) {codes}) unless on (task_id) ({shared})"
    result = prometheus.query(f"sort_desc(topk({CANDIDATES}, {told}))", end)["result"]
    return [one["metric"]["task_id"] for one in result]


def filled(view):
    """How many panels have data."""
    return sum(any(map(has_data, queries.values())) for queries in view.panels().values())


def show(board, prometheus, start, end):
    """The board; where it shows one task, the busiest of those that fill the most panels."""
    single = board.single()
    if single is None:
        return View(board, prometheus, start, end)
    tasks = busiest(prometheus, start, end)
    return max((View(board, prometheus, start, end, {single["name"]: task}) for task in tasks), key=filled)


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
