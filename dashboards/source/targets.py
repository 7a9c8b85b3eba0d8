"""The queries of a panel as Grafana keeps them: over the time range, at its end, as a table, as a heatmap."""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from variables import DATA_SOURCE


def over_time(expression: str, legend: str) -> Dataquery:
    """A query over the time range, with what its series are called."""
    return query(expression).range().legend_format(legend)


def at_end(expression: str, legend: str = "") -> Dataquery:
    """A query at the end of the time range."""
    return query(expression).instant().legend_format(legend)


def rows(expression: str) -> Dataquery:
    """A query at the end of the time range whose series are the rows of a table."""
    return query(expression).instant().format(PromQueryFormat.TABLE)


def heat(expression: str) -> Dataquery:
    """A query whose series are buckets, or native histograms."""
    return query(expression).range().format(PromQueryFormat.HEATMAP).legend_format("{{le}}")


def query(expression: str) -> Dataquery:
    """A query of the data source that is chosen on the board."""
    return Dataquery().expr(expression).datasource(DATA_SOURCE)


def lettered(targets: list[Dataquery]) -> list[Builder[AnyQuery]]:
    """The queries of one panel, named A, B, C…, as Grafana does."""
    return [target.ref_id(chr(ord("A") + index)) for index, target in enumerate(targets)]
