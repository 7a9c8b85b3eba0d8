"""A board: what all of them have, and rows of panels laid out without holes."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import (
    bargauge,
    heatmap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    Row,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from variables import DATA_SOURCE, data_source

TAG = "cloud-task-exporter"
WIDTH = 24
# How close together the times are at which an annotation's query is asked for.
STEP = "15s"


Placed = bargauge.Panel | heatmap.Panel | stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel


class MarkedTime(dashboard.AnnotationQuery):
    """An annotation by a Prometheus query, with what the SDK's own does not know."""

    def __init__(self, name: str, expression: str, color: str, text: str, value_is_time: bool) -> None:
        super().__init__(name=name, datasource=DATA_SOURCE, enable=True, icon_color=color, expr=expression)
        self.prometheus = {"titleFormat": name, "textFormat": text, "useValueForTime": value_is_time, "step": STEP}

    def to_json(self) -> dict[str, object]:
        """The fields of any annotation and those of Prometheus's."""
        return super().to_json() | self.prometheus


class Mark(AnnotationQuery):
    """Marks on every graph the times an expression is above zero; or its values, if they are times in milliseconds."""

    def __init__(self, name: str, expression: str, color: str, text: str, value_is_time: bool = False) -> None:
        self._internal = MarkedTime(name, expression, color, text, value_is_time)


class Board:
    """One board while it is being built."""

    def __init__(
        self,
        uid: str,
        title: str,
        description: str,
        variables: Sequence[Builder[dashboard.VariableModel]],
        from_time: str,
    ) -> None:
        self._panels = 0
        self._dashboard = (
            Dashboard(f"Cloud tasks / {title}")
            .uid(uid)
            .description(description)
            .tags([TAG])
            .timezone("browser")
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .time(from_time, "now")
            .refresh("30s")
            .editable()
            .link(self._links())
            .variables([data_source(), *variables])
            .annotations([])
        )

    def mark(self, mark: Mark) -> None:
        """Adds an annotation."""
        self._dashboard.annotation(mark)

    def row(self, title: str, *lines: tuple[int, Sequence[tuple[int, Placed]]]) -> None:
        """Adds a row of panels: for each line its height, and the panels with their widths."""
        self._dashboard.with_row(Row(title).id(self._next()))
        for height, panels in lines:
            if sum(width for width, _ in panels) != WIDTH:
                raise ValueError(f"a line of the row {title} is not {WIDTH} wide")
            for width, panel in panels:
                self._dashboard.with_panel(panel.id(self._next()).span(width).height(height))

    def build(self) -> dashboard.Dashboard:
        """The board as Grafana imports it."""
        return self._dashboard.build()

    def _next(self) -> int:
        self._panels += 1
        return self._panels

    @staticmethod
    def _links() -> DashboardLink:
        return (
            DashboardLink("Cloud tasks")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .icon("external link")
            .tags([TAG])
            .as_dropdown(False)
            .target_blank(False)
            .include_vars(True)
            .keep_time(True)
            .tooltip("Another board, with the same variables and time range")
        )
