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
import overview
import task

ROOT = Path(__file__).resolve().parents[2]


def dashboards(root: Path) -> dict[Path, str]:
    """The boards and where they belong."""
    boards = {"overview": overview, "task": task, "group": group, "exporter": exporter}
    return {root / "dashboards" / f"{name}.json": encoded(module.board()) for name, module in boards.items()}


# Each gives the text of files by their paths below the root that it is handed.
GENERATORS = [dashboards]


def encoded(board: object) -> str:
    """A board as text, its keys in order, so that a change shows as what it is."""
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes the files, or compares them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not current")
    check = parser.parse_args().check
    files = {path: text for generator in GENERATORS for path, text in generator(ROOT).items()}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not current: run python3 dashboards/source/build.py", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
