"""The Group board: whether the runs of groups keep their objective, how long they take, and which take longest."""

from grafana_foundation_sdk.builders.heatmap import Panel as Heatmap
from grafana_foundation_sdk.builders.stat import Panel as Number
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard

import fleet
import links
import palette
import panels
import queries
import tables
import variables
from board import Board
from queries import CHOSEN, FINISHED, TASK
from tables import Column
from targets import at_end, heat, over_time, rows

DURATION = "cloud_task_duration_seconds"
PARTS = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
BUDGET = "(1 - $objective)"
SLOWEST = 10


def board() -> Dashboard:
    """The whole board."""
    built = Board(
        "cloud-task-group",
        "Group",
        "Whether the runs of the groups chosen succeed as often as they are to, how long they take, and which "
        "take longest.",
        [*variables.of_tasks(), variables.objective()],
        "now-24h",
    )
    built.mark(fleet.failures())
    built.mark(fleet.other_ends())
    built.row(
        "Objective",
        (4, [(4, panel) for panel in (*budget(), *runs())]),
        (8, [(12, burn_rate()), (12, success_ratio())]),
    )
    built.row("Durations", (9, [(12, percentiles()), (12, heatmap())]), (8, [(24, percentiles_by_group())]))
    built.row("Throughput", (8, [(8, fleet.finishes()), (8, fleet.phases()), (8, fleet.instance_failures())]))
    built.row("Slowest", (9, [(12, slowest()), (12, longest_running())]))
    return built.build()


def burn(window: str, by: str = "") -> str:
    """How many times faster than allowed runs failed in a window."""
    return f"{queries.finished_ratio('failed', by, window)} / {BUDGET}"


def budget() -> list[Number]:
    """What is left of the failures that the objective allows."""
    left = panels.number(
        "Failure budget left",
        "Of the failures the objective allows for the runs of the time range, the part not used up. Below 0: the "
        "objective is missed.",
        [at_end(f"1 - {burn('$__range')}")],
        "percentunit",
        1,
    )
    ratio = panels.number(
        "Success ratio",
        "Of the runs that succeeded or failed in the time range, the part that succeeded. To be no less than the "
        "objective chosen above.",
        [at_end(queries.finished_ratio("succeeded"))],
        "percentunit",
        2,
    )
    rate = panels.number(
        "Burn rate, last hour",
        "How many times faster than allowed runs failed in the last hour. 1 uses up just the budget; above 10 act now.",
        [at_end(burn("1h"))],
        "suffix:x",
        1,
    )
    return [
        left.thresholds(palette.left_over(0.25)).no_value("none finished"),
        ratio.no_value("none finished"),
        rate.thresholds(palette.none_is_good(1, 10)).no_value("none finished"),
    ]


def runs() -> list[Number]:
    """The runs behind the ratios."""
    both = f'{CHOSEN},outcome=~"succeeded|failed"'
    failed_runs = queries.rise(FINISHED, f'{CHOSEN},outcome="failed"')
    finished = panels.number(
        "Finished",
        "Runs that succeeded or failed in the time range. Of few runs a ratio says little.",
        [at_end(f"round({queries.rise(FINISHED, both)})")],
    )
    failed = panels.number(
        "Failed",
        "Runs that failed in the time range.",
        [at_end(f"round({failed_runs})")],
    )
    left = panels.number(
        "Failures left",
        "How many more of these runs could have failed without missing the objective. Negative: so many too many.",
        [at_end(f"floor({BUDGET} * {queries.rise(FINISHED, both)} - {failed_runs})")],
    )
    return [
        finished,
        failed.thresholds(palette.none_is_good(bad=1)),
        left.thresholds(palette.left_over(1)),
    ]


def burn_rate() -> Graph:
    """How fast the budget is used up, in a short and a long window."""
    panel = panels.lines(
        "Burn rate",
        "How many times faster than allowed runs failed in the hour and the six hours before. Both above 1: it "
        "is no blip. No line: none finished.",
        [over_time(burn("1h"), "1 hour"), over_time(burn("6h"), "6 hours")],
        "suffix:x",
    )
    panel = panels.with_limits(panel, palette.none_is_good(1, 10)).no_value("none finished")
    return panel.override_by_name("1 hour", palette.fixed("light-blue")).override_by_name(
        "6 hours", palette.fixed("dark-blue")
    )


def success_ratio() -> Graph:
    """The part of runs that succeeded, by group, beside the objective."""
    panel = panels.lines(
        "Success ratio by group",
        "Of the runs that succeeded or failed in the hour before, the part that succeeded. A group below the red "
        "line misses the objective.",
        [
            over_time(queries.finished_ratio("succeeded", "group", "1h"), "{{group}}"),
            over_time("vector($objective)", "objective"),
        ],
        "percentunit",
    )
    panel = panel.max(1).decimals(2).no_value("none finished").data_links([links.group_of_series()])
    return panel.override_by_name("objective", [*palette.fixed(palette.BAD), palette.dashes([8, 8])])


def percentiles() -> Graph:
    """How long runs took, by outcome."""
    panel = panels.dots(
        "Duration percentiles by outcome",
        "Half, 90 % and 99 % of the runs that ended around then took no longer. p99 that leaves p50 behind: "
        "stragglers. No point: none ended.",
        [
            over_time(queries.quantile_of_rate(part, DURATION, CHOSEN, "outcome"), f"{label} {{{{outcome}}}}")
            for label, part in PARTS.items()
        ],
        "s",
    )
    panel = panels.colored(panel.no_value("none finished").interval("1m"), palette.OUTCOMES)
    for label, dashes in {"p90": [8, 8], "p99": [2, 6]}.items():
        panel = panel.override_by_regexp(f"/^{label} /", [palette.dashes(dashes)])
    return panel


def heatmap() -> Heatmap:
    """How long runs took, bucket by bucket."""
    return panels.warmth(
        "Durations",
        "How many runs that ended around then took how long. Two bands: two kinds of tasks in the group, or some "
        "that break off early.",
        heat(queries.heat_of_rate(DURATION, CHOSEN)),
    ).interval("1m")


def percentiles_by_group() -> Table:
    """How long the runs of the time range took, by group and outcome."""
    by = "provider, account, group, outcome"
    columns = [
        Column("group", "Group", links=(links.group_of_row(),)),
        Column("account", "Account", links=(links.account_of_row(),)),
        Column("provider", "Provider"),
        Column("outcome", "Outcome", mapping=palette.word_mapping(palette.OUTCOMES)),
        Column("A", "Runs", decimals=0),
        *(Column(letter, label, "s", 1) for letter, label in zip("BCD", PARTS, strict=True)),
    ]
    percentile = [rows(queries.quantile_of_rate(part, DURATION, CHOSEN, by, "$__range")) for part in PARTS.values()]
    return tables.rows_of(
        "Durations in range",
        "Runs of the time range and how long they took. Failed ones far below the others break off early; far "
        "above, they run into a limit.",
        [rows(f"round({queries.rise(FINISHED, CHOSEN, by)}) > 0"), *percentile],
        columns,
        "Runs",
        "none finished",
    )


def slowest() -> Table:
    """The finished tasks that took longest."""
    longest = f"topk({SLOWEST}, {queries.per_task(f'cloud_task_run_duration_seconds{{{CHOSEN}}}')})"
    return tables.rows_of(
        "Slowest finished tasks",
        f"The {SLOWEST} tasks, of those still polled, whose last run took longest. Always the same names: split them.",
        [rows(queries.with_facts(longest))],
        tables.task_columns(Column("A", "Ran for", "s", 1, width=135)),
        "Ran for",
        "none finished",
    )


def longest_running() -> Table:
    """The running tasks that are at it longest."""
    longest = f"topk({SLOWEST}, ({queries.running_for()}) and on ({TASK}) {queries.in_phase('running')})"
    return tables.rows_of(
        "Longest running tasks",
        f"The {SLOWEST} tasks that run longest. Beyond the p99 of their group: they hang, or have more to do than "
        "planned.",
        [rows(queries.with_facts(longest))],
        tables.task_columns(Column("A", "Running for", "s", 1, width=135)),
        "Running for",
        "none running",
    )
