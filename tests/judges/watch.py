"""Looks at a dashboard again and again until each of its queries has had data. Knows no single dashboard."""

import re

from grafana import View, has_data
from prometheus import QueryError
from templating import UnknownVariable

PARTS = re.compile(r"_(?:bucket|count|sum)$")


def histogram_form(expression, histograms):
    """The histograms an expression reads, and whether it reads native ones, by their bare names."""
    names = set(re.findall(r"[a-zA-Z_:][\w:]*", expression))
    bare = names & histograms
    parts = {PARTS.sub("", name) for name in names} & histograms - bare
    return frozenset(bare | parts), bool(bare), bool(parts)


def are_alternatives(one, other, histograms):
    """Whether two queries of a panel are the same of native and of classic histograms, so that one of them has data."""
    read, native, classic = histogram_form(one["expr"], histograms)
    other_read, other_native, other_classic = histogram_form(other["expr"], histograms)
    same = bool(read) and read == other_read and one.get("legendFormat") == other.get("legendFormat")
    return same and native != other_native and classic != other_classic


class Watch:
    """What a board has still not shown in one Prometheus since `start`."""

    def __init__(self, board, prometheus, start, histograms):
        self.board = board
        self.prometheus = prometheus
        self.start = start
        self.histograms = histograms
        asked = [(panel, target) for panel in board.panels() for target in board.targets(panel)]
        self.missing = {(panel["id"], target["refId"]): (panel, target) for panel, target in asked}
        self.empty_variables = {one["name"] for one in board.variables() if one["type"] == "query"}
        self.said = {}

    def is_complete(self):
        """Whether there is nothing left to wait for."""
        return not self.missing and not self.empty_variables

    def look(self, now):
        """Asks for all that is missing, of one value after the other where the board shows one at a time."""
        first = self._view(now, {})
        if first is None:
            return
        self._ask(first)
        if single := self.board.single():
            for option in first.options[single["name"]]:
                if not self.missing:
                    return
                self._ask(self._view(now, {single["name"]: option}))

    def _view(self, now, wanted):
        try:
            view = View(self.board, self.prometheus, self.start, now, wanted)
        except (QueryError, UnknownVariable, ValueError) as error:
            self.said["variables"] = str(error)
            return None
        self.said.pop("variables", None)
        self.empty_variables -= {name for name, options in view.options.items() if options}
        return view

    def _ask(self, view):
        for key, (panel, target) in list(self.missing.items()):
            try:
                evaluated = view.evaluate(panel, target)
            except (QueryError, UnknownVariable) as error:
                self.said[key] = str(error)
                continue
            self.said[key] = evaluated["expr"]
            if has_data(evaluated):
                self._found(panel, target)

    def _found(self, panel, target):
        for other in self.board.targets(panel):
            if other is target or are_alternatives(target, other, self.histograms):
                self.missing.pop((panel["id"], other["refId"]), None)

    def report(self):
        """A line for each thing that was never shown."""
        lines = [f"{self.board.name}: variable {name} has no values" for name in sorted(self.empty_variables)]
        if "variables" in self.said:
            lines.append(f"{self.board.name}: variables: {self.said['variables']}")
        for key, (panel, target) in self.missing.items():
            query = f'panel {panel["id"]} "{panel.get("title")}" {target["refId"]}'
            lines.append(f"{self.board.name}: {query}: no data: {self.said.get(key, 'never asked')}")
        return "\n".join(lines)
