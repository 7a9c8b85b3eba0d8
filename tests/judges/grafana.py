"""Asks Prometheus what Grafana would ask to show a dashboard. Does not draw, and does not judge what is answered."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from templating import Raw, Several, choose, interpolate, narrow, query_of, split_options

# The steps between two points that Grafana chooses from, in seconds.
STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LABEL_VALUES = re.compile(r"\s*label_values\(\s*(?:(?P<selector>.+),)?\s*(?P<label>\w+)\s*\)\s*", re.DOTALL)
QUERY_RESULT = re.compile(r"\s*query_result\((?P<expression>.+)\)\s*", re.DOTALL)
POINTS = 400


def seconds(text):
    """`30s`, `1m` or `>30s` as seconds."""
    number, unit = re.fullmatch(r">?(\d+)([smhd])", text).groups()
    return int(number) * UNITS[unit]


class Board:
    """A dashboard: its panels, variables and annotations."""

    def __init__(self, path):
        self.name = Path(path).stem
        self.json = json.loads(Path(path).read_text())

    def panels(self):
        """Every panel that asks for something, those in collapsed rows too."""
        stack = list(self.json["panels"])
        while stack:
            panel = stack.pop(0)
            stack[:0] = panel.get("panels", [])
            if self.targets(panel):
                yield panel

    @staticmethod
    def targets(panel):
        """The queries of a panel that Grafana sends."""
        return [target for target in panel.get("targets", []) if target.get("expr") and not target.get("hide")]

    def variables(self):
        """In the order they are resolved."""
        return self.json.get("templating", {}).get("list", [])

    def single(self):
        """The variable of which one value is chosen from what Prometheus knows; None where there is none."""
        asked = [one for one in self.variables() if one["type"] == "query"]
        return next((one for one in asked if not one.get("multi") and not one.get("includeAll")), None)

    def annotations(self):
        """Those asked of Prometheus, each with its expression."""
        for annotation in self.json.get("annotations", {}).get("list", []):
            expression = annotation.get("expr") or annotation.get("target", {}).get("expr")
            if expression:
                yield annotation, expression


@dataclass
class View:
    """A board as shown of a span of time. `wanted` are values of variables; the rest is chosen as Grafana does."""

    board: Board
    prometheus: object
    start: float
    end: float
    wanted: dict = field(default_factory=dict)

    def __post_init__(self):
        self.options = {}
        self._values = {}
        for variable in self.board.variables():
            name = variable["name"]
            self.options[name] = self._offer(variable)
            self._values[name] = choose(variable, self.options[name], self.wanted.get(name))

    def _offer(self, variable):
        """What there is to choose from."""
        text = query_of(variable)
        match variable["type"]:
            case "datasource":
                return ["prometheus"]
            case "textbox" | "constant":
                return [text]
            case "custom" | "interval":
                return split_options(text)
            case "query":
                text = interpolate(text, {**self._values, **self._macros(self.prometheus.interval)})
                return narrow(self._ask(text), variable.get("regex"))
        raise ValueError(f"variable {variable['name']}: no rule for type {variable['type']}")

    def _ask(self, text):
        if found := LABEL_VALUES.fullmatch(text):
            return self.prometheus.label_values(found["label"], found["selector"], self.start, self.end)
        if found := QUERY_RESULT.fullmatch(text):
            return [series_text(one) for one in self.prometheus.query(found["expression"], self.end)["result"]]
        raise ValueError(f"no rule for the query of a variable: {text}")

    def _macros(self, least, step=None):
        """Grafana's own variables, for a query whose points are at least so many seconds apart."""
        step = step or self.step(least)
        span = round(self.end - self.start)
        return {
            "__interval": Raw(f"{step}s"),
            "__rate_interval": Raw(f"{max(step + least, 4 * least)}s"),
            "__range": Raw(f"{span}s"),
            "__range_s": Raw(str(span)),
        }

    def step(self, least, points=POINTS):
        """Seconds between two points: a round number, and not below `least`."""
        ideal = (self.end - self.start) / points
        return max(least, min(STEPS, key=lambda step: abs(step - ideal)))

    def evaluate(self, panel, target):
        """Asks for one query of a panel: expression, type of the result, and result."""
        asked = target.get("interval") or panel.get("interval")
        least = seconds(asked) if asked else self.prometheus.interval
        step = self.step(least, panel.get("maxDataPoints") or POINTS)
        expression = interpolate(target["expr"], {**self._values, **self._macros(least, step)})
        if target.get("instant") and not target.get("range"):
            return {"expr": expression, **self.prometheus.query(expression, self.end)}
        return {"expr": expression, **self._query_range(expression, step)}

    def _query_range(self, expression, step):
        """Points at multiples of the step, as Grafana aligns them."""
        start, end = math.floor(self.start / step) * step, math.floor(self.end / step) * step
        return self.prometheus.query_range(expression, start, end, step)

    def events(self, annotation, expression):
        """The times of an annotation: where each run of values other than 0 begins, or the values themselves."""
        step = self.step(self.prometheus.interval)
        expression = interpolate(expression, {**self._values, **self._macros(self.prometheus.interval)})
        series = [one["values"] for one in self._query_range(expression, step)["result"]]
        if annotation.get("useValueForTime") in (True, "on"):
            return sorted({float(value) / 1000 for values in series for _, value in values})
        times = set()
        for values in series:
            active = [time for time, value in values if float(value)]
            times.update(time for before, time in zip([-math.inf, *active], active) if time - before > step)
        return sorted(times)

    def variables(self):
        """The values chosen, as a person sees them."""
        shown = {}
        for variable in self.board.variables():
            name, value = variable["name"], self._values[variable["name"]]
            is_all = variable.get("includeAll") and name not in self.wanted
            shown[name] = "All" if is_all else list(value.texts) if isinstance(value, Several) else value.text
        return shown

    def panels(self):
        """Every query of every panel, evaluated: by the panel's id, then by the query's refId."""
        return {
            str(panel["id"]): {target["refId"]: self.evaluate(panel, target) for target in self.board.targets(panel)}
            for panel in self.board.panels()
        }

    def evaluated(self):
        """All that is needed to draw it."""
        annotations = [
            {"name": one["name"], "color": one.get("iconColor", "red"), "times": self.events(one, expression)}
            for one, expression in self.board.annotations()
            if one.get("enable", True)
        ]
        return {
            "dashboard": self.board.json,
            "from": self.start,
            "to": self.end,
            "step": self.step(self.prometheus.interval),
            "variables": self.variables(),
            "panels": self.panels(),
            "annotations": annotations,
        }


def series_text(one):
    """An element of an instant query's result as query_result() writes it."""
    labels = ",".join(f'{name}="{value}"' for name, value in one["metric"].items() if name != "__name__")
    time, value = one["value"]
    return f"{one['metric'].get('__name__', '')}{{{labels}}} {value} {round(time * 1000)}"


def has_data(evaluated):
    """Whether a query was answered with anything but NaN."""
    return any(map(has_value, evaluated["result"]))


def has_value(series):
    """Whether a series has a native histogram, or a number."""
    if "histogram" in series or "histograms" in series:
        return True
    return any(value != "NaN" for _, value in series.get("values") or [series["value"]])
