"""Runs the program that draws dashboards, and looks at its pictures. Knows nothing of what a board should show."""

import json
import shutil
import subprocess
from dataclasses import dataclass

from exporter import ROOT
from PIL import Image

PROGRAM = ROOT / "tests" / "pictures" / "draw.mjs"
# A picture takes some seconds; this bounds the wait for a machine that does much else.
DRAWING_SECONDS = 300
VISIBLE = 40
START, END, STEP = 1_700_000_000, 1_700_003_600, 60
TIMES = range(START, END + 1, STEP)


@dataclass(frozen=True)
class Drawn:
    """A run of the program: its exit code, what it said, its report, and its picture."""

    code: int
    said: str
    report: dict
    picture: Image.Image

    def panel(self, title):
        """What the report says of the panel with that title."""
        return next(panel for panel in self.report["panels"] if panel["title"] == title)

    def visible(self, title):
        """How many of the pixels in the panel's plot differ clearly from the most common colour there."""
        plot = self.panel(title)["plot"]
        left, top = max(0, int(plot["left"])), max(0, int(plot["top"]))
        part = self.picture.crop((left, top, left + int(plot["width"]), top + int(plot["height"])))
        colours = part.getcolors(maxcolors=part.width * part.height)
        _, background = max(colours)
        return sum(count for count, colour in colours if max(map(abs, map(int.__sub__, colour, background))) > VISIBLE)


def draw(folder, board, *arguments):
    """Draws a board into the folder."""
    source, picture, report = folder / "board.json", folder / "board.png", folder / "report.json"
    source.write_text(json.dumps(board))
    ended = subprocess.run(
        [shutil.which("node"), PROGRAM, source, picture, "--report", report, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DRAWING_SECONDS,
    )
    assert picture.is_file() and report.is_file(), ended.stdout + ended.stderr
    with Image.open(picture) as image:
        return Drawn(ended.returncode, ended.stdout + ended.stderr, json.loads(report.read_text()), image.convert("RGB"))


def series(values, **labels):
    """One series of an answer over time, a value for each time or one for all."""
    steady = values if isinstance(values, list) else [values] * len(TIMES)
    return {"metric": labels, "values": [[time, str(value)] for time, value in zip(TIMES, steady)]}


def matrix(*result):
    """An answer over time."""
    return {"expr": "asked", "resultType": "matrix", "result": list(result)}


def vector(*rows):
    """An answer at the end: pairs of labels and a value."""
    result = [{"metric": labels, "value": [END, str(value)]} for labels, value in rows]
    return {"expr": "asked", "resultType": "vector", "result": result}


class BoardOfPanels:
    """An evaluated board whose panels stand in two columns."""

    def __init__(self, **facts):
        self._panels = []
        self._answers = {}
        self._facts = {"annotations": [], "variables": {}, **facts}

    def add(self, kind, title, answers=(), target=None, **facts):
        """Adds a panel with an answer for each of its queries; `target` is what all queries have."""
        number = len(self._panels)
        letters = [chr(ord("A") + index) for index in range(len(answers))]
        place = {"x": 12 * (number % 2), "y": 8 * (number // 2), "w": 12, "h": 8}
        targets = [{"refId": letter, "expr": "asked", **(target or {})} for letter in letters]
        panel = {"id": number + 1, "type": kind, "title": title, "gridPos": place, "targets": targets, **facts}
        self._panels.append(panel)
        self._answers[str(number + 1)] = dict(zip(letters, answers))
        return self

    def evaluated(self, **dashboard):
        """What the program reads."""
        board = {"title": "A board", "panels": self._panels, **dashboard}
        return {"dashboard": board, "from": START, "to": END, "step": STEP, "panels": self._answers, **self._facts}
