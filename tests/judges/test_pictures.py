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
    stacked = {"defaults": {"unit": "s", "custom": {"fillOpacity": 50, "stacking": {"mode": "normal", "group": "A"}}}, "overrides": []}
    board.add("timeseries", "Lines of $group", [waves], NAMED, fieldConfig=stacked)
    board.add("stat", "Number", [matrix(series(WAVE))], options={"graphMode": "area"})
    board.add("gauge", "Gauge", [TWO], NAMED)
    board.add("bargauge", "Bars now", [TWO], NAMED, options={"displayMode": "basic", "orientation": "horizontal"})
    board.add("table", "Table", [vector(*ROWS), vector(*ROWS)], {"format": "table"}, transformations=ORGANIZED)
    half = len(TIMES) // 2
    states = matrix(series([1] * half + [2] * (len(TIMES) - half), group="etl"))
    board.add("state-timeline", "States", [states], NAMED, fieldConfig=MAPPED)
    board.add("status-history", "History", [states], NAMED, fieldConfig=MAPPED)
    buckets = matrix(*(series(count, le=bound) for bound, count in BUCKETS))
    board.add("heatmap", "Classic", [buckets], {"format": "heatmap", "legendFormat": "{{le}}"})
    board.add("heatmap", "Native", [matrix(NATIVE)], {"format": "heatmap"})
    board.add("histogram", "Histogram", [matrix(series(WAVE))])
    board.add("barchart", "Bars", [vector(*ROWS)], {"format": "table"}, options={"xField": "group"})
    board.add("piechart", "Shares", [TWO], NAMED, options={"pieType": "donut", "displayLabels": ["percent"]})
    board.add("text", "Text", options={"mode": "markdown", "content": "# Of $group\n\nand *more*"})
    board.add("alertlist", "Alerts")
    board.add("annolist", "Annotations")
    board.add("timeseries", "Nothing", [matrix()], NAMED)
    return board.evaluated(templating={"list": [{"name": "group", "type": "query", "label": "Group"}]})


SERIES = {
    "Lines of etl + nightly": 2,
    "Number": 1,
    "Gauge": 2,
    "Bars now": 2,
    "Table": 2,
    "States": 1,
    "History": 1,
    "Classic": 3,
    "Native": 2,
    "Histogram": 1,
    "Bars": 1,
    "Shares": 2,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    drawn = draw(tmp_path_factory.mktemp("pictures"), every_type(), "--width", "1200")
    assert drawn.code == 0, drawn.said
    return drawn


def drawn_board(folder, kind, answers, **facts):
    return draw(folder, BoardOfPanels().add(kind, "The panel", answers, **facts).evaluated())


@pytest.mark.parametrize("title", SERIES)
def test_a_panel_shows_its_series(drawn, title):
    panel = drawn.panel(title)
    assert (panel["state"], panel["series"]) == ("drawn", SERIES[title])
    assert drawn.visible(title) > 50


@pytest.mark.parametrize(("title", "state"), [("Text", "without data"), ("Annotations", "without data"), ("Nothing", "no data")])
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


@pytest.mark.parametrize(
    ("kind", "answers", "facts", "reason"),
    [
        ("canvas", [], {}, "type canvas cannot be drawn"),
        ("timeseries", [TWO], {"repeat": "group"}, "repeats for each value of group"),
        ("table", [TWO], {"transformations": [{"id": "regression", "options": {}}]}, "transformation regression"),
        ("stat", [TWO], {"targets": [{"refId": "B", "expr": "asked"}]}, "target B has no answer"),
        ("heatmap", [matrix(NATIVE)], {"options": {"color": {"scheme": "Nonsense"}}}, "is not a function"),
    ],
)
def test_a_panel_that_cannot_be_drawn_is_named(tmp_path, kind, answers, facts, reason):
    drawn = drawn_board(tmp_path, kind, answers, **facts)
    assert drawn.code == 1
    assert "The panel" in drawn.said and reason in drawn.said


def test_data_that_cannot_be_seen_is_a_failure(tmp_path):
    invisible = {"defaults": {"custom": {"lineWidth": 0, "showPoints": "never"}}, "overrides": []}
    drawn = drawn_board(tmp_path, "timeseries", [matrix(series(WAVE))], fieldConfig=invisible)
    assert drawn.code == 1
    assert "nothing can be seen" in drawn.said


def test_nothing_is_fetched_from_elsewhere(tmp_path):
    content = '<img src="http://pictures.example/logo.png" alt="">'
    drawn = drawn_board(tmp_path, "text", [], options={"mode": "html", "content": content})
    assert drawn.code == 1
    assert "asked for http://pictures.example/logo.png" in drawn.said
