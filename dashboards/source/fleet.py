"""What the Overview and the Group board both show of groups of tasks."""

from grafana_foundation_sdk.builders.timeseries import Panel as Graph

import links
import palette
import panels
import queries
from board import Mark
from queries import CHOSEN, FINISHED, INSTANCE_FAILURES
from targets import over_time


def failures() -> Mark:
    """When tasks failed, by group."""
    rise = queries.rise(FINISHED, f'{CHOSEN},outcome="failed"', "group", "$__rate_interval")
    return Mark("Failed", f"{rise} > 0", palette.BAD, "{{group}}: a task failed")


def other_ends() -> Mark:
    """When tasks succeeded or were cancelled; too many to be shown at first."""
    rise = queries.rise(FINISHED, f'{CHOSEN},outcome!="failed"', "group, outcome", "$__rate_interval")
    return Mark("Finished", f"{rise} > 0", palette.GOOD, "{{group}}: a task {{outcome}}").enable(False)


def phases() -> Graph:
    """All tasks by phase."""
    panel = panels.areas(
        "Tasks by phase",
        "All tasks the exporter polls. Red that stays is failed tasks nobody removed; yellow that grows is a queue.",
        [over_time(queries.tasks(CHOSEN, "phase"), "{{phase}}")],
    )
    return panels.colored(panel.decimals(0), palette.PHASES)


def finishes() -> Graph:
    """How fast runs end, by how they end."""
    panel = panels.areas(
        "Finishes by outcome",
        "Runs of tasks that end, per hour. Red that rises while green falls: something they share broke.",
        [over_time(queries.per_hour(FINISHED, CHOSEN, "outcome"), "{{outcome}}")],
        "suffix:/h",
    )
    return panels.colored(panel, palette.OUTCOMES)


def instance_failures() -> Graph:
    """How fast instances fail, by group."""
    panel = panels.areas(
        "Instance failures by group",
        "Instances that failed or were interrupted, per hour. A steady rate under green tasks is paid for in retries.",
        [over_time(queries.per_hour(INSTANCE_FAILURES, CHOSEN, "group"), "{{group}}")],
        "suffix:/h",
    )
    return panel.data_links([links.group_of_series()])
