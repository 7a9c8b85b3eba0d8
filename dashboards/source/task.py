"""The Task board: one task; its facts, phases in time, instances, and how long those waited, started and ran."""

from grafana_foundation_sdk.builders.bargauge import Panel as Gauges
from grafana_foundation_sdk.builders.heatmap import Panel as Heatmap
from grafana_foundation_sdk.builders.stat import Panel as Number
from grafana_foundation_sdk.builders.statetimeline import Panel as Timeline
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.common import BigValueColorMode
from grafana_foundation_sdk.models.dashboard import Dashboard

import links
import palette
import panels
import queries
import tables
import variables
from board import Board, Mark
from queries import ONE_TASK, TASK
from tables import Column
from targets import at_end, heat, over_time, rows

MILLISECONDS = 1000
EXPECTED = f"sum({queries.per_task(f'cloud_task_instances_expected{{{ONE_TASK}}}')})"
FAILED = queries.instances(f'{ONE_TASK},state=~"failed|failed_interrupted"')
EXITS = f"sum by (exit_code) ({queries.per_task(f'cloud_task_instance_exits{{{ONE_TASK}}}', 'exit_code')})"
# What can be told of the time an instance takes, in the order it takes it.
DURATIONS = {
    "queue": ("Queue", "from its creation to its launch", "Long: the cloud had no room, or a quota was used up."),
    "startup": ("Startup", "from its launch to running", "Long: machines boot slowly or images are large."),
    "run": ("Run", "from running to its end", "A few far above the rest: stragglers, the task waits for them."),
}


def board() -> Dashboard:
    """The whole board."""
    built = Board(
        "cloud-task-task",
        "Task",
        "One task: what it is, the phases it went through, its instances, and what their time went into.",
        [*variables.of_tasks(), variables.task()],
        "now-6h",
    )
    built.mark(moment("Created", "created", palette.PHASES["pending"]))
    built.mark(moment("Started", "started", palette.PHASES["running"]))
    built.mark(moment("Finished", "finished", palette.MUTED, "unless"))
    built.mark(moment("Failed", "finished", palette.BAD, "and"))
    built.row("Now", (4, [(4, panel) for panel in (*states(), *instances_now(), data_age())]), (4, [(24, facts())]))
    built.row(
        "Course",
        (4, [(24, phases())]),
        (4, [(6, panel) for panel in times()]),
        (8, [(12, instances()), (12, progress())]),
    )
    built.row(
        "Instances",
        (7, [(8, heatmap(name)) for name in DURATIONS]),
        (4, [(8, quantiles(name)) for name in DURATIONS]),
        (8, [(12, exits()), (12, exits_in_time())]),
    )
    return built.build()


def moment(name: str, metric: str, color: str, failed: str = "") -> Mark:
    """A time in the task's life; the value of the metric is the time itself.

    With `and` only while it has failed, with `unless` only while it has not.
    """
    times_of_it = f"{queries.per_task(f'cloud_task_{metric}_timestamp_seconds{{{ONE_TASK}}}')} * {MILLISECONDS}"
    if failed:
        times_of_it += f" {failed} on ({TASK}) {queries.in_phase('failed', ONE_TASK)}"
    return Mark(name, times_of_it, color, f"{{{{task_id}}}}: {name.lower()}", value_is_time=True)


def states() -> list[Number]:
    """The phase, and the word it was made from."""
    phase = panels.number(
        "Phase",
        "The phase now, in the words all clouds share. No data: not polled well for so long that its state was "
        "dropped.",
        [at_end(queries.phase_number(ONE_TASK), "{{account}}")],
    )
    word = panels.word(
        "Provider's word",
        "The state as the cloud itself says it; look it up in the vendor's documents.",
        at_end(f"max by (state) (cloud_task_provider_state{{{ONE_TASK}}})", "{{state}}"),
    )
    phase = phase.mappings([palette.phase_number_mapping()]).color_mode(BigValueColorMode.BACKGROUND)
    return [phase.no_value("not known"), word.no_value("not known")]


def instances_now() -> list[Number]:
    """How far the instances are."""
    ended = queries.instances(f'{ONE_TASK},state=~"succeeded|failed|failed_interrupted"')
    done = panels.number(
        "Instances finished",
        "The part of its instances that ended, well or not. At rest while the task runs: it hangs.",
        [at_end(f"{ended} / ({EXPECTED} > 0)")],
        "percentunit",
    )
    failed = panels.number(
        "Instances failed",
        "Instances that failed or were interrupted. An interrupted one keeps its machine, and costs, until it is "
        "terminated.",
        [at_end(FAILED)],
    )
    truncated = panels.number(
        "Rows left unread",
        "Whether it has more instances than the exporter reads one by one. Then durations and exit codes are of "
        "a part; counts are whole.",
        [at_end(f"max(cloud_task_instance_rows_truncated{{{ONE_TASK}}})")],
        "bool_yes_no",
    )
    return [
        done.min(0).max(1).no_value("no instances"),
        failed.thresholds(palette.none_is_good(bad=1)),
        truncated.thresholds(palette.none_is_good(notice=1)),
    ]


def data_age() -> Number:
    """How old all of this is."""
    panel = panels.number(
        "Age of data",
        "Time since the task was last polled well; all on this board is from then. A finished task is asked for "
        "rarely.",
        [at_end(f"time() - max(cloud_task_last_poll_success_timestamp_seconds{{{ONE_TASK}}})")],
        "s",
    )
    return panel.no_value("never polled well")


def facts() -> Table:
    """What does not change about it: every label of `cloud_task_info`, those of the config, too."""
    columns = [
        Column("task_id", "Task"),
        Column("job_id", "Job"),
        Column("task_name", "Name"),
        Column("task_type", "Type"),
        Column("cluster_id", "Cluster"),
        Column("group", "Group", links=(links.group_of_row(),)),
        Column("account", "Account", links=(links.account_of_row(),)),
        Column("provider", "Provider"),
        Column("cloud_region", "Region"),
    ]
    return tables.rows_of(
        "Facts",
        "What the task is, and the labels the config gives it. Two rows: two accounts have a task of this id; "
        "choose one above.",
        [rows(f"max without (job, instance) (cloud_task_info{{{ONE_TASK}}})")],
        columns,
        "Task",
        "not known",
    )


def phases() -> Timeline:
    """Its phases in time."""
    panel = panels.timeline(
        "Phases",
        "When it was in which phase. Failed and running in turn: it is retried again and again. A gap: it was "
        "not polled.",
        over_time(queries.phase_number(ONE_TASK), "{{account}}"),
    )
    return panel.mappings([palette.phase_number_mapping()]).no_value("not known")


def times() -> list[Number]:
    """When it was created, began, ended, and how long it took."""
    described = {
        "created": ("Created", "When the task was submitted."),
        "started": ("Started", "When its first instance began to run; clouds that do not tell have none."),
        "finished": ("Finished", "When it ended; for clouds without an end time, when it was last updated."),
    }
    moments = [
        panels.number(
            title,
            description,
            [at_end(f"max(cloud_task_{name}_timestamp_seconds{{{ONE_TASK}}}) * {MILLISECONDS}")],
            "dateTimeAsIso",
        ).no_value("not yet, or not told")
        for name, (title, description) in described.items()
    ]
    took = f"max(cloud_task_run_duration_seconds{{{ONE_TASK}}})"
    so_far = f"max({queries.running_for(ONE_TASK)})"
    duration = panels.number(
        "Run duration",
        "From start, or else creation, to the end; or to now, while it has none. Compare with the Group board's "
        "percentiles.",
        [at_end(f"{took} or {so_far}")],
        "s",
    )
    return [*moments, duration.no_value("not known")]


def instances() -> Graph:
    """Its instances by state."""
    panel = panels.areas(
        "Instances by state",
        "Blue turns to green as they end. Yellow that stays: no room for them. Red that grows: they fail one "
        "after the other.",
        [over_time(queries.instances(ONE_TASK, "state"), "{{state}}")],
    )
    return panels.colored(panel.decimals(0), palette.INSTANCE_STATES)


def progress() -> Graph:
    """Finished instances against those expected."""
    panel = panels.lines(
        "Progress",
        "Instances that succeeded and failed against those expected. Extend the green line to guess the end.",
        [
            over_time(EXPECTED, "expected"),
            over_time(queries.instances(f'{ONE_TASK},state="succeeded"'), "succeeded"),
            over_time(FAILED, "failed"),
        ],
    )
    expected = [*palette.fixed(palette.MUTED), palette.dashes([8, 8])]
    panel = panel.decimals(0).override_by_name("expected", expected)
    return panels.colored(panel, {name: palette.INSTANCE_STATES[name] for name in ("succeeded", "failed")})


def heatmap(name: str) -> Heatmap:
    """How long instances took for a part of their life, in time."""
    title, span, conclusion = DURATIONS[name]
    metric = f"cloud_task_instance_{name}_duration_seconds"
    return panels.warmth(
        f"{title} duration of instances",
        f"At each time, how many instances had taken how long {span}. {conclusion}",
        heat(queries.heat_of_state(metric, ONE_TASK)),
    ).no_value("not told")


def quantiles(name: str) -> Number:
    """Quantiles of how long instances took for a part of their life."""
    title, span, _ = DURATIONS[name]
    metric = f"cloud_task_instance_{name}_duration_seconds"
    parts = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    return panels.number(
        f"{title} duration now",
        f"What half, 90 % and 99 % of its instances stayed under {span}. The buckets are coarse: read it as a size.",
        [at_end(queries.quantile_of_state(part, metric, ONE_TASK), label) for label, part in parts.items()],
        "s",
    ).no_value("none yet")


def exits() -> Gauges:
    """Finished instances by exit code, now."""
    panel = panels.gauges(
        "Exit codes",
        "Finished instances by exit code: 0 is success, 137 was killed (often: out of memory), 143 was asked to stop.",
        [at_end(EXITS, "{{exit_code}}")],
    )
    panel = panel.decimals(0).no_value("none ended, or not told").thresholds(palette.steps(palette.BAD))
    return panel.override_by_name("0", palette.fixed(palette.GOOD))


def exits_in_time() -> Graph:
    """Failed exits in time."""
    panel = panels.areas(
        "Exit codes in time",
        "When instances ended with which code. All of one code at one time: one cause, look at what they share.",
        [over_time(EXITS, "exit {{exit_code}}")],
    )
    return panel.decimals(0).no_value("none ended, or not told").override_by_name("exit 0", palette.fixed(palette.GOOD))
