"""The program that draws dashboards draws every type of panel, and fails where a picture would not be true."""

import math

import pytest
from pictures import END, START, TIMES, BoardOfPanels, draw, matrix, series, vector

WAVE = [round(50 + 40 * math.sin(index / 8), 2) for index in range(len(TIMES))]
PHASES = {"1": {"text": "running", "color": "blue"}, "2": {"text": "failed", "color": "red"}}
MAPPED = {"defaults": {"mappings": [{"type": "value", "options": PHASES}]}, "overrides": []}
NAMED = {"legendFormat": "{{group}}"}
BUCKETS = [("1", 1), ("5", 4), ("+Inf", 6)]
ROWS = [({"group": "etl", "phase": "failed"}, 5), ({"group": "nightly", "phase": "running"}, 65)]
ELSEWHERE = "http://pictures.example/logo.png"
TWO = vector(({"group": "etl"}, 30), ({"group": "nightly"}, 70))
NATIVE = {
    "metric": {},
    "histograms": [[time, {"count": "5", "sum": "9", "buckets": [[0, "1", "2", "2"], [0, "2", "4", "3"]]}] for time in TIMES],
}
ORGANIZED = [
    {"id": "merge", "options": {}},
    {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "phase": True},
            "indexByName": {"group": 0, "Value #B": 1, "Value #A": 2},
            "renameByName": {"group": "Group", "Value #A": "Tasks", "Value #B": "Age"},
        },
    },
]


def every_type():
    """A board with a panel of each type, and how many series each should show."""
    board = BoardOfPanels(
        annotations=[{"name": "Failed", "color": "red", "times": [START + 600, END - 600]}],
        variables={"group": ["etl", "nightly"]},
    )
    waves = matrix(series(WAVE, group="etl"), series(WAVE[::-1], group="nightly"))
    filled = {"fillOpacity": 50, "stacking": {"mode": "normal", "group": "A"}}
    stacked = {"defaults": {"unit": "s", "custom": filled}, "overrides": []}
    board.add("timeseries", "Lines of $group", [waves], NAMED, fieldConfig=stacked)
    board.add("stat", "Number", [matrix(series(WAVE))], options={"graphMode": "area"})
    board.add("bargauge", "Bars now", [TWO], NAMED, options={"displayMode": "basic", "orientation": "horizontal"})
    board.add("table", "Table", [vector(*ROWS), vector(*ROWS)], {"format": "table"}, transformations=ORGANIZED)
    half = len(TIMES) // 2
    states = matrix(series([1] * half + [2] * (len(TIMES) - half), group="etl"))
    board.add("state-timeline", "States", [states], NAMED, fieldConfig=MAPPED)
    buckets = matrix(*(series(count, le=bound) for bound, count in BUCKETS))
    board.add("heatmap", "Classic", [buckets], {"format": "heatmap", "legendFormat": "{{le}}"})
    board.add("heatmap", "Native", [matrix(NATIVE)], {"format": "heatmap"})
    board.add("text", "Text", options={"mode": "markdown", "content": "# Of $group\n\nand *more*"})
    board.add("timeseries", "Nothing", [matrix()], NAMED)
    return board.evaluated(templating={"list": [{"name": "group", "type": "query", "label": "Group"}]})


SERIES = {
    "Lines of etl + nightly": 2,
    "Number": 1,
    "Bars now": 2,
    "Table": 2,
    "States": 1,
    "Classic": 3,
    "Native": 2,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    drawn = draw(tmp_path_factory.mktemp("pictures"), every_type(), "--width", "1200")
    assert drawn.code == 0, drawn.said
    return drawn


@pytest.mark.parametrize("title", SERIES)
def test_a_panel_shows_its_series(drawn, title):
    panel = drawn.panel(title)
    assert (panel["state"], panel["series"]) == ("drawn", SERIES[title])
    assert drawn.visible(title) > 50


@pytest.mark.parametrize(("title", "state"), [("Text", "without data"), ("Nothing", "no data")])
def test_a_panel_without_series_says_so(drawn, title, state):
    assert drawn.panel(title)["state"] == state
    assert drawn.visible(title) > 50


def test_the_picture_is_as_wide_as_asked_and_as_high_as_the_board(drawn):
    assert drawn.picture.width == 1200
    lowest = max(panel["box"]["top"] + panel["box"]["height"] for panel in drawn.report["panels"])
    assert lowest <= drawn.picture.height <= lowest + 40


def test_a_mapping_gives_its_colour(drawn):
    plot = drawn.panel("States")["plot"]
    middle = plot["top"] + plot["height"] * 0.3
    first, last = (drawn.picture.getpixel((int(plot["left"] + plot["width"] * part), int(middle))) for part in (0.3, 0.8))
    assert first[2] > first[0] and last[0] > last[2], (first, last)


FAULTS = {
    "Unknown type": "type canvas cannot be drawn",
    "Repeated": "repeats for each value of group",
    "Unknown transformation": "transformation regression",
    "Unknown option": "override of colour",
    "Not asked": "target B has no answer",
    "Throwing": "is not a function",
    "Unseen": "nothing can be seen",
}


def every_fault():
    """A board of which no panel can be shown as it should be."""
    wave = [matrix(series(WAVE))]
    unseen = {"defaults": {"custom": {"lineWidth": 0, "showPoints": "never"}}, "overrides": []}
    misspelt = {"matcher": {"id": "byName", "options": "Value"}, "properties": [{"id": "colour", "value": "red"}]}
    board = BoardOfPanels()
    board.add("canvas", "Unknown type")
    board.add("timeseries", "Repeated", wave, repeat="group")
    board.add("table", "Unknown transformation", [TWO], transformations=[{"id": "regression", "options": {}}])
    board.add("stat", "Unknown option", wave, fieldConfig={"defaults": {}, "overrides": [misspelt]})
    board.add("stat", "Not asked", targets=[{"refId": "B", "expr": "asked"}])
    board.add("heatmap", "Throwing", [matrix(NATIVE)], options={"color": {"scheme": "Nonsense"}})
    board.add("timeseries", "Unseen", wave, fieldConfig=unseen)
    board.add("text", "Fetching", options={"mode": "html", "content": f'<img src="{ELSEWHERE}" alt="">'})
    return board.evaluated()


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("faulty"), every_fault())


def test_a_picture_with_faults_is_a_failure(faulty):
    assert faulty.code == 1


@pytest.mark.parametrize("title", FAULTS)
def test_a_fault_is_told_with_its_panel(faulty, title):
    assert any(title in problem and FAULTS[title] in problem for problem in faulty.report["problems"]), faulty.said


def test_nothing_is_fetched_from_elsewhere(faulty):
    assert f"the page asked for {ELSEWHERE}, which is not part of it" in faulty.report["problems"]
