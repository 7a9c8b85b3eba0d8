"""Tables: columns in their order, under their names, with units, colours and links; all other columns are hidden."""

import re
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    FieldTextAlignment,
    TableAutoCellOptions,
    TableCellHeight,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMap,
)

from links import DataLink, task_of_row
from targets import lettered
from variables import DATA_SOURCE

# Labels that queries carry along and no table shows unless a column asks for them.
CARRIED = (
    "Time",
    "__name__",
    "provider",
    "account",
    "cloud_region",
    "group",
    "task_id",
    "job_id",
    "task_name",
    "task_type",
    "cluster_id",
)


# An empty cell; without it Grafana would say there what is said of an empty table.
UNKNOWN = "–"


@dataclass(frozen=True)
class Column:
    """A column: the label, or the letter of the query, that fills it, and how it is shown."""

    source: str
    title: str
    unit: str = ""
    decimals: int | None = None
    width: int | None = None
    thresholds: ThresholdsConfig | None = None
    mapping: ValueMap | None = None
    links: tuple[DataLink, ...] = field(default=())

    def of_query(self) -> bool:
        """Whether a query's value fills the column."""
        return len(self.source) == 1

    def names(self, queries: int) -> list[str]:
        """What Grafana may call the field before it is renamed."""
        if not self.of_query():
            return [self.source]
        # With one query, or where only one has data, its value has no letter; that is the first one's, then.
        plain = ["Value"] if self.source == "A" else []
        return plain if queries == 1 else [f"Value #{self.source}", *plain]

    def properties(self) -> list[DynamicConfigValue]:
        """The override for its cells."""
        properties: dict[str, object] = {"noValue": UNKNOWN}
        if self.unit:
            properties["unit"] = self.unit
        if self.decimals is not None:
            properties["decimals"] = self.decimals
        if self.width is not None:
            properties["custom.width"] = self.width
        if self.thresholds is not None:
            properties["thresholds"] = self.thresholds.build()
            properties["color"] = {"mode": "thresholds"}
        if self.mapping is not None:
            properties["mappings"] = [self.mapping]
        if self.thresholds is not None or self.mapping is not None:
            properties["custom.cellOptions"] = {"type": "color-text"}
        if self.links:
            properties["links"] = list(self.links)
        return [DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]


def rows_of(
    title: str,
    description: str,
    targets: list[Dataquery],
    columns: list[Column],
    sort: str,
    empty: str,
    descending: bool = True,
) -> table.Panel:
    """A table of the rows its queries share, the greatest of one column on top, and what to say of none."""
    check_links(title, columns)
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATA_SOURCE)
        .targets(lettered(targets))
        .no_value(empty)
        .show_header(True)
        .cell_height(TableCellHeight.SM)
        .align(FieldTextAlignment.AUTO)
        .cell_options(TableAutoCellOptions())
        .filterable(True)
        .sort_by([TableSortByFieldState().display_name(sort).desc(descending)])
    )
    if len(targets) > 1:
        panel = panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(arranged(columns, len(targets)))
    for column in columns:
        panel = panel.override_by_name(column.title, column.properties())
    return panel


def check_links(title: str, columns: list[Column]) -> None:
    """A link can only take its values from columns that are shown."""
    shown = {column.source for column in columns}
    for column in columns:
        for link in column.links:
            if missing := set(re.findall(r"__data\.fields\.(\w+)", link.url or "")) - shown:
                raise ValueError(f"table {title}: the link of {column.title} needs the columns {sorted(missing)}")


def arranged(columns: list[Column], queries: int) -> DataTransformerConfig:
    """The transformation that orders, renames and hides fields."""
    order: dict[str, int] = {}
    titles: dict[str, str] = {}
    for column in columns:
        for name in column.names(queries):
            order[name] = len(order)
            titles[name] = column.title
    letters = [chr(ord("A") + index) for index in range(queries)]
    # Where one of several queries has data its value has no letter either.
    values = ["Value", *(f"Value #{letter}" for letter in letters)]
    hidden = {name: True for name in (*CARRIED, *values) if name not in order}
    options = {"excludeByName": hidden, "includeByName": {}, "indexByName": order, "renameByName": titles}
    return DataTransformerConfig(id_val="organize", options=options)


def task_columns(*about: Column) -> list[Column]:
    """Which task a row is about, after what is said of it; its id leads to its board."""
    return [
        Column("task_id", "Task", width=250, links=(task_of_row(),)),
        *about,
        Column("task_type", "Type", width=140),
        Column("group", "Group", width=90),
        Column("account", "Account", width=85),
        Column("provider", "Provider", width=80),
    ]
