"""The PromQL that boards share: selectors by the variables, facts of tasks, quantiles and ratios.

Every histogram query works for classic and for native histograms, and takes native ones where there are both.
Several exporters may watch the same tasks: what they say of tasks and groups is shown once.
"""

from palette import PHASE_NUMBERS

GROUP = "provider, account, cloud_region, group"
TASK = f"{GROUP}, task_id"
FACTS = "job_id, task_name, task_type, cluster_id"

# Tasks and groups, by the variables that all boards of tasks have.
CHOSEN = 'provider=~"$provider",account=~"$account",group=~"$group"'
ONE_TASK = CHOSEN + ',task_id="$task_id"'
# The exporter, by the labels of its scrape; never to be mixed up with the label job_id of tasks.
SCRAPED = 'job=~"$job",instance=~"$instance"'
ACCOUNTS = SCRAPED + ',provider=~"$provider",account=~"$account"'

# What is counted of groups, and the label each has beside those of the group.
FINISHED = "cloud_tasks_finished_total"
INSTANCE_FAILURES = "cloud_task_instance_failures_total"
COUNTED = {FINISHED: "outcome", INSTANCE_FAILURES: ""}

LIVE = 'phase=~"pending|running|paused"'


def per_task(expression: str, label: str = "") -> str:
    """One series for each task, and each value of another label, however many exporters show it."""
    return f"max by ({joined(TASK, label)}) ({expression})"


def per_group(expression: str, label: str = "") -> str:
    """One series for each group, and each value of another label, however many exporters count it."""
    return f"max by ({joined(GROUP, label)}) ({expression})"


def tasks(selector: str, by: str = "") -> str:
    """How many tasks there are, summed."""
    return f"{summed(by)}({per_group(f'cloud_tasks{{{selector}}}', 'phase')})"


def instances(selector: str, by: str = "") -> str:
    """How many instances tasks have, summed."""
    return f"{summed(by)}({per_task(f'cloud_task_instances{{{selector}}}', 'state')})"


def with_facts(expression: str, selector: str = CHOSEN) -> str:
    """Joins the facts of `cloud_task_info` to an expression of one series for each task."""
    facts = f"max by ({TASK}, {FACTS}) (cloud_task_info{{{selector}}})"
    return f"({expression}) * on ({TASK}) group_left ({FACTS}) {facts}"


def in_phase(phase: str, selector: str = CHOSEN) -> str:
    """The tasks in a phase, each 1."""
    return per_task(f'cloud_task_phase{{{selector},phase="{phase}"}} == 1')


def age_since(metric: str, selector: str = CHOSEN) -> str:
    """Seconds since a timestamp of each task."""
    return f"time() - {per_task(f'{metric}{{{selector}}}')}"


def running_for(selector: str = CHOSEN) -> str:
    """Seconds since each task started, or else was created."""
    started = per_task(f"cloud_task_started_timestamp_seconds{{{selector}}}")
    created = per_task(f"cloud_task_created_timestamp_seconds{{{selector}}}")
    return f"time() - ({started} or {created})"


def phase_number(selector: str) -> str:
    """The number of the phase a task is in, as the palette has it."""
    return " or ".join(
        f'{number} * {per_task(f"""cloud_task_phase{{{selector},phase="{phase}"}} == 1""")}'
        for phase, number in PHASE_NUMBERS.items()
    )


def increase(metric: str, selector: str, by: str = "", window: str = "$__range") -> str:
    """How much a counter rose in a window, summed."""
    return f"{summed(by)}(increase({metric}{{{selector}}}[{window}]))"


def per_second(metric: str, selector: str, by: str = "") -> str:
    """The rate of a counter, summed."""
    return f"{summed(by)}(rate({metric}{{{selector}}}[$__rate_interval]))"


def rise(metric: str, selector: str, by: str = "", window: str = "$__range") -> str:
    """How much a counter of groups rose in a window, summed."""
    return f"{summed(by)}({per_group(f'increase({metric}{{{selector}}}[{window}])', COUNTED[metric])})"


def per_hour(metric: str, selector: str, by: str = "") -> str:
    """How fast a counter of groups rises, in an hour, summed."""
    return f"{summed(by)}({per_group(f'rate({metric}{{{selector}}}[$__rate_interval])', COUNTED[metric])}) * 3600"


def summed(by: str) -> str:
    """`sum`, by labels or over everything."""
    return f"sum by ({by}) " if by else "sum"


def finished_ratio(outcome: str, by: str = "", window: str = "$__range") -> str:
    """Of the runs that succeeded or failed, the part with this outcome; nothing where none finished.

    Cancelled runs are neither: somebody wanted them to end.
    """
    part = rise(FINISHED, f'{CHOSEN},outcome="{outcome}"', by, window)
    whole = rise(FINISHED, f'{CHOSEN},outcome=~"succeeded|failed"', by, window)
    return f"{part} / ({whole} > 0)"


def quantile_of_rate(
    quantile: float, metric: str, selector: str, by: str = "", window: str = "$__rate_interval"
) -> str:
    """A quantile of what a histogram observed in a window; nothing where it observed nothing."""
    native = f"{summed(by)}(rate({metric}{{{selector}}}[{window}]))"
    classic = f"{summed(joined('le', by))}(rate({metric}_bucket{{{selector}}}[{window}]))"
    return either_quantile(quantile, native, classic)


def quantile_of_state(quantile: float, metric: str, selector: str) -> str:
    """A quantile of a histogram that is a state: what its task's instances took, as last answered."""
    return either_quantile(quantile, f"sum({metric}{{{selector}}})", f"sum by (le) ({metric}_bucket{{{selector}}})")


def either_quantile(quantile: float, native: str, classic: str) -> str:
    """A quantile of whichever there is; comparing drops NaN, the quantile of nothing."""
    return f"(histogram_quantile({quantile}, {native}) or histogram_quantile({quantile}, {classic})) >= 0"


def heat_of_rate(metric: str, selector: str) -> str:
    """Buckets of what a histogram observed, in time."""
    native = f"sum(increase({metric}{{{selector}}}[$__rate_interval]))"
    return either_heat(native, f"sum by (le) (increase({metric}_bucket{{{selector}}}[$__rate_interval]))")


def heat_of_state(metric: str, selector: str) -> str:
    """Buckets of a histogram that is a state; no rate, as it does not grow in time."""
    return either_heat(f"sum({metric}{{{selector}}})", f"sum by (le) ({metric}_bucket{{{selector}}})")


def either_heat(native: str, classic: str) -> str:
    """Native buckets, or else classic ones: never both, where Prometheus keeps both."""
    return f"{native} or ({classic} unless on () {native})"


def joined(*labels: str) -> str:
    """Label names, without the empty ones."""
    return ", ".join(label for label in labels if label)
