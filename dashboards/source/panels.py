"""The kinds of panels, each set up the same way wherever it stands. Tables are in `tables.py`."""

from grafana_foundation_sdk.builders import (
    bargauge,
    heatmap,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    ScaleDistributionConfig,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import FieldColorModeId
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale

import palette
from targets import lettered
from variables import DATA_SOURCE


def number(
    title: str, description: str, targets: list[Dataquery], unit: str = "short", decimals: int = 0
) -> stat.Panel:
    """A big number, or a few; neutral unless thresholds are set."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .targets(lettered(targets))
        .unit(unit)
        .decimals(decimals)
        .thresholds(palette.steps(palette.NEUTRAL))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.AUTO)
        .orientation(VizOrientation.AUTO)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    )


def word(title: str, description: str, target: Dataquery) -> stat.Panel:
    """A word that is the value of a label."""
    return number(title, description, [target]).text_mode(BigValueTextMode.NAME)


def lines(title: str, description: str, targets: list[Dataquery], unit: str = "short") -> timeseries.Panel:
    """Lines over time, from zero."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .targets(lettered(targets))
        .unit(unit)
        .min(0)
        .draw_style(GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(0)
        .show_points(VisibilityMode.AUTO)
        .span_nulls(False)
        .legend(legend())
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )


def areas(title: str, description: str, targets: list[Dataquery], unit: str = "short") -> timeseries.Panel:
    """Areas over time, one on the other: their sum means something."""
    return stacked(lines(title, description, targets, unit).fill_opacity(60))


def bars(title: str, description: str, targets: list[Dataquery], unit: str = "short") -> timeseries.Panel:
    """Bars over time, one on the other: for what happens now and then."""
    return stacked(lines(title, description, targets, unit).draw_style(GraphDrawStyle.BARS).fill_opacity(80))


def dots(title: str, description: str, targets: list[Dataquery], unit: str = "short") -> timeseries.Panel:
    """Points joined over the gaps: for values there are only now and then."""
    return lines(title, description, targets, unit).show_points(VisibilityMode.ALWAYS).span_nulls(True)


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """One series on the other."""
    return panel.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))


def legend() -> VizLegendOptions:
    """A list below."""
    return VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)


def with_table_legend(panel: timeseries.Panel, *calculations: str) -> timeseries.Panel:
    """A table at the right, for many series; the worst on top."""
    table = legend().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT)
    names = {"lastNotNull": "Last *", "max": "Max", "mean": "Mean"}
    return panel.legend(table.calcs(list(calculations)).sort_by(names[calculations[-1]]).sort_desc(True))


def with_limits(panel: timeseries.Panel, thresholds: ThresholdsConfig) -> timeseries.Panel:
    """Dashed lines where the thresholds are."""
    style = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds).thresholds_style(style)


def colored(panel: timeseries.Panel, colors: dict[str, str]) -> timeseries.Panel:
    """Series by their names in their colours; a name may be the last word of a longer one."""
    for name, color in colors.items():
        panel = panel.override_by_regexp(f"/(^|[ ]){name}$/", palette.fixed(color))
    return panel


def warmth(title: str, description: str, target: Dataquery) -> heatmap.Panel:
    """How many durations fell into which bucket, in time."""
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges")
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .targets(lettered([target]))
        .calculate(False)
        .color(color.scale(HeatmapColorScale.EXPONENTIAL).exponent(0.5).steps(64).fill("dark-orange").reverse(False))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .cell_gap(1)
        .cell_values(heatmap.CellValues().decimals(0))
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .show_value(VisibilityMode.NEVER)
        .scale_distribution(ScaleDistributionConfig().type(ScaleDistribution.LINEAR))
        .mode(TooltipDisplayMode.SINGLE)
        .show_y_histogram()
        .show_legend()
    )


def timeline(title: str, description: str, target: Dataquery) -> statetimeline.Panel:
    """What state something was in, when."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .targets(lettered([target]))
        .thresholds(palette.steps(palette.MUTED))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(legend())
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
    )


def gauges(title: str, description: str, targets: list[Dataquery], unit: str = "short") -> bargauge.Panel:
    """A bar for each value now."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .targets(lettered(targets))
        .unit(unit)
        .min(0)
        .thresholds(palette.steps(palette.NEUTRAL))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .show_unfilled(True)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    )
