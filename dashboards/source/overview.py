"""The Overview board: how all tasks do, which of them fail, are stuck or no longer polled, and where to look next."""

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
from queries import CHOSEN, FINISHED, INSTANCE_FAILURES, TASK
from tables import Column
from targets import at_end, over_time, rows

OLDEST = 10


def board() -> Dashboard:
    """The whole board."""
    built = Board(
        "cloud-task-overview",
        "Overview",
        "How the tasks of all clouds do: what runs, what failed, what is stuck, what can no longer be polled.",
        variables.of_tasks(),
        "now-6h",
    )
    built.mark(fleet.failures())
    built.mark(fleet.other_ends())
    built.row("Now", (4, [(3, panel) for panel in (*now(), *in_range())]))
    built.row("Groups", (8, [(12, fleet.phases()), (12, unfinished())]), (9, [(24, groups())]))
    built.row(
        "Failures",
        (8, [(24, failing())]),
        (8, [(8, fleet.finishes()), (8, failure_ratio()), (8, fleet.instance_failures())]),
    )
    built.row(
        "Stuck, stale, alerting",
        (8, [(12, oldest("pending")), (12, oldest("running"))]),
        (8, [(12, stale()), (12, alerts())]),
    )
    return built.build()


def now() -> list[Number]:
    """How many tasks are in the phases that matter now."""
    running = panels.number(
        "Running",
        "Tasks that run now. Far fewer than at this time on other days: look at what submits them.",
        [at_end(queries.tasks(f'{CHOSEN},phase="running"'))],
    )
    pending = panels.number(
        "Pending",
        "Tasks that wait to run. If it grows while few run, the cloud has no room or a quota is used up.",
        [at_end(queries.tasks(f'{CHOSEN},phase="pending"'))],
    )
    failing_now = panels.number(
        "Failing now",
        "Tasks whose last run failed, however long ago. The table below names them.",
        [at_end(queries.tasks(f'{CHOSEN},phase="failed"'))],
    )
    stale_now = panels.number(
        "Stale",
        "Tasks whose last poll failed: what is shown of them is old. The reason is on the Exporter board.",
        [at_end(f"count({queries.per_task(f'cloud_task_poll_success{{{CHOSEN}}}')} == 0) or vector(0)")],
    )
    return [
        running.thresholds(palette.steps(palette.PHASES["running"])),
        pending.thresholds(palette.steps(palette.PHASES["pending"])),
        failing_now.thresholds(palette.none_is_good(bad=1)),
        stale_now.thresholds(palette.none_is_good(notice=1)),
    ]


def in_range() -> list[Number]:
    """What happened in the time range."""
    finished = panels.number(
        "Finished",
        "Runs of tasks that ended in the time range, however they ended.",
        [at_end(f"round({queries.rise(FINISHED, CHOSEN)})")],
    )
    failed_runs = queries.rise(FINISHED, f'{CHOSEN},outcome="failed"')
    failed = panels.number(
        "Failed",
        "Runs of tasks that failed in the time range. A task that is retried and fails again counts twice.",
        [at_end(f"round({failed_runs})")],
    )
    ratio = panels.number(
        "Failure ratio",
        "Of the runs that succeeded or failed in the time range, the part that failed. Cancelled runs do not count.",
        [at_end(queries.finished_ratio("failed"))],
        "percentunit",
        1,
    )
    instances = panels.number(
        "Instance failures",
        "Instances that failed or were interrupted in the time range. Many, with few failed tasks: retries hide "
        "trouble.",
        [at_end(f"round({queries.rise(INSTANCE_FAILURES, CHOSEN)})")],
    )
    return [
        finished,
        failed.thresholds(palette.none_is_good(bad=1)),
        ratio.thresholds(palette.failure_ratio()).no_value("none finished").min(0).max(1),
        instances.thresholds(palette.none_is_good(notice=1)),
    ]


def unfinished() -> Graph:
    """Whose tasks are under way."""
    panel = panels.areas(
        "Unfinished tasks by group",
        "Tasks that are pending, running or paused. A group that drops to zero early, or never does, is worth a look.",
        [over_time(queries.tasks(f"{CHOSEN},{queries.LIVE}", "group"), "{{group}}")],
    )
    return panel.decimals(0).data_links([links.group_of_series()])


def groups() -> Table:
    """A row for each group."""
    by = "provider, account, group"
    counts = [rows(queries.tasks(f'{CHOSEN},phase="{phase}"', by)) for phase in palette.PHASES]
    finished = rows(f"round({queries.rise(FINISHED, CHOSEN, by)})")
    columns = [
        Column("group", "Group", links=(links.group_of_row(),)),
        Column("account", "Account", links=(links.account_of_row(),)),
        Column("provider", "Provider"),
        *(
            Column(letter, phase.capitalize(), decimals=0, width=110, thresholds=palette.steps("text", (1, color)))
            for letter, (phase, color) in zip("ABCDEFG", palette.PHASES.items(), strict=True)
        ),
        Column("H", "Finished in range", decimals=0, width=150),
        Column("I", "Failure ratio in range", "percentunit", 1, thresholds=palette.failure_ratio()),
    ]
    return tables.rows_of(
        "Groups",
        "Each group's tasks by phase, and how its runs ended in the time range; most failed on top. Its name "
        "leads to its board.",
        [*counts, finished, rows(queries.finished_ratio("failed", by))],
        columns,
        "Failed",
        "no tasks",
    )


def failing() -> Table:
    """The tasks whose last run failed."""
    failed = queries.in_phase("failed")
    ended = queries.age_since("cloud_task_finished_timestamp_seconds")
    instances = queries.instances(f'{CHOSEN},state=~"failed|failed_interrupted"', TASK)
    columns = [
        *tables.task_columns(
            Column("B", "Failed since", "s", 1, width=135),
            Column("C", "Failed instances", decimals=0, width=155),
            Column("D", "Ran for", "s", 1, width=100),
        ),
        Column("task_name", "Name"),
        Column("job_id", "Job"),
    ]
    return tables.rows_of(
        "Failing now",
        "Tasks whose last run failed; the latest on top. The id leads to the task: its exit codes say why.",
        [
            rows(queries.with_facts(failed)),
            rows(f"({ended}) and on ({TASK}) {failed}"),
            rows(f"{instances} and on ({TASK}) {failed}"),
            rows(f"{queries.per_task(f'cloud_task_run_duration_seconds{{{CHOSEN}}}')} and on ({TASK}) {failed}"),
        ],
        columns,
        "Failed since",
        "none failing",
        descending=False,
    )


def failure_ratio() -> Graph:
    """The part of runs that failed, by group, over an hour."""
    panel = panels.lines(
        "Failure ratio by group",
        "Of the runs that succeeded or failed in the hour before, the part that failed. No line: none finished.",
        [over_time(queries.finished_ratio("failed", "group", "1h"), "{{group}}")],
        "percentunit",
    )
    return panel.max(1).no_value("none finished").data_links([links.group_of_series()])


def oldest(phase: str) -> Table:
    """The tasks that are in a phase longest."""
    if phase == "pending":
        age = queries.age_since("cloud_task_created_timestamp_seconds")
        conclusion = "Those far above the rest wait for room, a quota, or something that never comes."
    else:
        age = queries.running_for()
        conclusion = "Those far above the rest of their group hang, or have more to do than planned."
    longest = f"topk({OLDEST}, ({age}) and on ({TASK}) {queries.in_phase(phase)})"
    columns = tables.task_columns(Column("A", f"{phase.capitalize()} for", "s", 1, width=135))
    return tables.rows_of(
        f"Longest {phase}",
        f"The {OLDEST} tasks that are {phase} longest. {conclusion}",
        [rows(queries.with_facts(longest))],
        columns,
        f"{phase.capitalize()} for",
        f"none {phase}",
    )


def stale() -> Table:
    """The tasks that could not be polled."""
    failed = f"{queries.per_task(f'cloud_task_poll_success{{{CHOSEN}}}')} == 0"
    age = queries.age_since("cloud_task_last_poll_success_timestamp_seconds")
    columns = [
        Column("task_id", "Task", width=280, links=(links.task_of_row(),)),
        Column("group", "Group"),
        Column("account", "Account", links=(links.account_of_row(),)),
        Column("provider", "Provider"),
        Column("B", "Age of its data", "s", 1),
    ]
    return tables.rows_of(
        "Stale tasks",
        "Tasks whose last poll failed, and how old what is known of them is; no age: never polled well. All of "
        "one account: look at the account.",
        [rows(failed), rows(f"({age}) and on ({TASK}) {failed}")],
        columns,
        "Age of its data",
        "none stale",
    )


def alerts() -> Table:
    """What fires, of the groups chosen and of the exporter."""
    chosen = 'provider=~"$provider|",account=~"$account|",group=~"$group|"'
    names = "alertname, severity, provider, account, group, task_id"
    firing = f'ALERTS{{alertname=~"CloudTask.*",alertstate="firing",{chosen}}}'
    columns = [
        Column("alertname", "Alert", links=(links.runbooks(),)),
        Column("severity", "Severity", width=90, mapping=palette.word_mapping(palette.SEVERITIES)),
        Column("group", "Group", width=110),
        Column("account", "Account", width=100),
        Column("provider", "Provider", width=90),
        Column("task_id", "Task", links=(links.task_of_row(),)),
    ]
    return tables.rows_of(
        "Firing alerts",
        "Alerts of the bundled rules that fire, for what is chosen above and for the exporter. Empty, too, if "
        "the rules are not loaded.",
        [rows(f"max by ({names}) ({firing})")],
        columns,
        "Severity",
        "none firing",
        descending=False,
    )
