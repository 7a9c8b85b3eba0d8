"""Writes every generated file beside the sources; `--check` says which are not current and exits 1.

The same sources give the same bytes. What is in a board stands in that board's file.
"""

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

import exporter
import group
import kubernetes
import overview
import task

ROOT = Path(__file__).resolve().parents[2]


def dashboards(root: Path) -> dict[Path, str]:
    """The boards and where they belong."""
    boards = {"overview": overview, "task": task, "group": group, "exporter": exporter}
    return {root / "dashboards" / f"{name}.json": encoded(module.board()) for name, module in boards.items()}


# Each gives the text of files by their paths below the root that it is handed, and may read what those before it wrote.
GENERATORS = [dashboards, kubernetes.files]


def encoded(board: object) -> str:
    """A board as text, its keys in order, so that a change shows as what it is."""
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes the files, or compares them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not current")
    check = parser.parse_args().check
    settle = complain if check else write
    stale = [path for generator in GENERATORS for path, text in generator(ROOT).items() if settle(path, text)]
    return 1 if check and stale else 0


def is_current(path: Path, text: str) -> bool:
    """Whether the file holds that text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def complain(path: Path, text: str) -> bool:
    """Says so of a file that is not current; whether it is not."""
    if is_current(path, text):
        return False
    print(f"{path.relative_to(ROOT)} is not current: run python3 dashboards/source/build.py", file=sys.stderr)
    return True


def write(path: Path, text: str) -> bool:
    """Writes a file that is not current; whether it was not."""
    if is_current(path, text):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
