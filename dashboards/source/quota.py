"""Panels of the Exporter board about requests to the clouds: quota, answers, latency."""

from grafana_foundation_sdk.builders.heatmap import Panel as Heatmap
from grafana_foundation_sdk.builders.timeseries import Panel as Graph

import palette
import panels
import queries
from queries import ACCOUNTS, SCRAPED
from targets import heat, over_time

OWN = "cloud_task_exporter"
API = "provider, account, api"
BY_API = "{{account}} {{api}}"
REQUESTS = f"{OWN}_api_requests_total"
LATENCY = f"{OWN}_api_request_duration_seconds"
QUOTA = f"max by ({API}) ({OWN}_api_quota_requests_per_second{{{ACCOUNTS}}})"
DEMAND = f"max by ({API}) ({OWN}_api_demand_requests_per_second{{{ACCOUNTS}}})"
OF_PROVIDER = SCRAPED + ',provider=~"$provider"'


def quota_used() -> str:
    """Requests made as a part of those allowed, by API."""
    return f"{queries.per_second(REQUESTS, ACCOUNTS, API)} / on ({API}) ({QUOTA} > 0)"


def quota_asked() -> str:
    """Requests the intervals ask for as a part of those allowed, by API."""
    return f"{DEMAND} / on ({API}) ({QUOTA} > 0)"


def against_quota(title: str, description: str, part: str) -> Graph:
    """A part of the quota by account and API, with its limits."""
    panel = panels.lines(title, description, [over_time(part, BY_API)], "percentunit")
    return panels.with_table_legend(panels.with_limits(panel, palette.none_is_good(0.8, 1)), "lastNotNull", "max")


def quota_use() -> Graph:
    """Requests against the quota."""
    return against_quota(
        "Quota used",
        "Requests made as a part of those allowed, by account and API. A line at the top: polls wait; see "
        "Waiting for quota.",
        quota_used(),
    )


def demand() -> Graph:
    """What the intervals ask for against the quota."""
    return against_quota(
        "Quota asked for",
        "Requests that tasks and their intervals ask for, as a part of those allowed. Above 100 % no waiting "
        "helps: longer intervals, fewer tasks or more quota do.",
        quota_asked(),
    )


def throttled() -> Graph:
    """Answers that asked for fewer requests."""
    panel = panels.bars(
        "Throttled answers",
        "Answers by which a cloud asked for fewer requests, a second. Any: somebody else uses the quota too, or "
        "rate_limit is above the cloud's.",
        [over_time(f"{queries.per_second(f'{OWN}_api_throttled_total', ACCOUNTS, API)} > 0", BY_API)],
        "reqps",
    )
    return panel.no_value("none throttled")


def waits() -> Graph:
    """Time spent waiting for the quota."""
    return panels.areas(
        "Waiting for quota",
        "Requests that wait for the quota of their account, on average. Steady and high: the quota is too small "
        "for the intervals.",
        [over_time(queries.per_second(f"{OWN}_api_rate_limit_wait_seconds_total", ACCOUNTS, API), BY_API)],
        "short",
    )


def requests() -> Graph:
    """Requests by API."""
    return panels.areas(
        "Requests by API",
        "Requests a second. List APIs that outgrow the rest: finders run too often or match too much.",
        [over_time(queries.per_second(REQUESTS, ACCOUNTS, API), BY_API)],
        "reqps",
    )


def errors() -> Graph:
    """Answers that were not ok, by code."""
    codes = queries.per_second(REQUESTS, f'{ACCOUNTS},code!="ok"', f"{API}, code")
    panel = panels.bars(
        "API errors by code",
        "Requests that were not answered with ok, by the cloud's code. Look a code up in the vendor's documents; "
        "one account only: its key or policy.",
        [over_time(f"{codes} > 0", f"{BY_API} {{{{code}}}}")],
        "reqps",
    )
    return panel.no_value("no errors")


def latency() -> Graph:
    """How long answers take."""
    parts = {"p50": 0.5, "p99": 0.99}
    panel = panels.lines(
        "Latency by API",
        "How long half and 99 % of the requests took, to the end of the answer. Near poll.timeout: polls fail by "
        "time-out.",
        [
            over_time(queries.quantile_of_rate(part, LATENCY, OF_PROVIDER, "provider, api"), f"{{{{api}}}} {label}")
            for label, part in parts.items()
        ],
        "s",
    )
    return panels.with_table_legend(panel, "lastNotNull", "max")


def latency_heatmap() -> Heatmap:
    """How long answers take, bucket by bucket."""
    return panels.warmth(
        "Latency",
        "How many requests took how long, over all APIs. A second band far above the first: one API or cloud is slow.",
        heat(queries.heat_of_rate(LATENCY, OF_PROVIDER)),
    )
