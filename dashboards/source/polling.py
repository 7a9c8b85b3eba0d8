"""Panels of the Exporter board about polls: each account, failures, lag, age of data, credentials."""

from grafana_foundation_sdk.builders.common import ScaleDistributionConfig
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.stat import Panel as Number
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.common import ScaleDistribution

import palette
import panels
import queries
import tables
from queries import ACCOUNTS, SCRAPED, TASK
from quota import quota_asked, quota_used
from tables import Column
from targets import at_end, over_time, rows

OWN = "cloud_task_exporter"
ACCOUNT = "provider, account"
OF_PROVIDER = SCRAPED + ',provider=~"$provider"'
# Tasks that are polled at their interval: those that ended are only looked at now and then. Stale ones stay in.
ENDED = f'{queries.per_task(f"""cloud_task_phase{{{ACCOUNTS},phase=~"succeeded|failed|cancelled"}} == 1""")}'
AGE = f"({queries.age_since('cloud_task_last_poll_success_timestamp_seconds', ACCOUNTS)}) unless on ({TASK}) {ENDED}"


def failed_polls(by: str) -> str:
    """The part of polls that failed, in the time range."""
    failed = queries.increase(f"{OWN}_poll_failures_total", ACCOUNTS, by)
    return f"{failed} / ({queries.increase(f'{OWN}_polls_total', ACCOUNTS, by)} > 0)"


def now() -> list[Number]:
    """Whether all accounts can be polled."""
    polls_a_second = panels.number(
        "Polls",
        "Polls of tasks a second, good and failed. Zero with tasks to poll: all wait; see Schedule lag and Waiting for "
        "quota.",
        [at_end(queries.per_second(f"{OWN}_polls_total", ACCOUNTS))],
        "reqps",
        1,
    )
    failed = panels.number(
        "Failed polls",
        "The part of the polls of the time range that failed. The row below names the account, the panel Poll "
        "failures the reason.",
        [at_end(failed_polls(""))],
        "percentunit",
        1,
    )
    busiest = panels.number(
        "Busiest quota",
        "Requests as a part of what is allowed, of the API nearest to its quota. At 100 % polls come late: raise "
        "intervals or the quota.",
        [at_end(f"max({quota_used()})")],
        "percentunit",
    )
    oldest = panels.number(
        "Oldest data",
        "Of tasks that have not ended, the longest time without a good poll. Beyond a few intervals: see which "
        "account.",
        [at_end(f"max({AGE})")],
        "s",
    )
    return [
        polls_a_second,
        failed.thresholds(palette.none_is_good(0.01, 0.1)).min(0).max(1),
        busiest.thresholds(palette.none_is_good(0.8, 1)).min(0),
        oldest.thresholds(palette.none_is_good(300, 600)).no_value("no tasks"),
    ]


def accounts() -> Table:
    """A row for each account."""
    expiry = f"min by ({ACCOUNT}) ({OWN}_credentials_expiry_timestamp_seconds{{{ACCOUNTS}}}) - time()"
    shown = [
        (queries.per_second(f"{OWN}_polls_total", ACCOUNTS, ACCOUNT), Column("A", "Polls", "reqps", 2)),
        (
            failed_polls(ACCOUNT),
            Column("B", "Failed polls", "percentunit", 1, thresholds=palette.none_is_good(0.01, 0.1)),
        ),
        (
            f"max by ({ACCOUNT}) ({quota_used()})",
            Column("C", "Quota used", "percentunit", 0, thresholds=palette.none_is_good(0.8, 1)),
        ),
        (
            f"max by ({ACCOUNT}) ({quota_asked()})",
            Column("D", "Quota asked for", "percentunit", 0, thresholds=palette.none_is_good(0.8, 1)),
        ),
        (
            f"round({queries.increase(f'{OWN}_api_throttled_total', ACCOUNTS, ACCOUNT)})",
            Column("E", "Throttled", decimals=0, thresholds=palette.none_is_good(notice=1)),
        ),
        (
            f"max by ({ACCOUNT}) ({OWN}_schedule_lag_seconds{{{ACCOUNTS}}})",
            Column("F", "Lag", "s", 0, thresholds=palette.none_is_good(30, 120)),
        ),
        (f"max by ({ACCOUNT}) ({AGE})", Column("G", "Oldest data", "s", 0, thresholds=palette.none_is_good(300, 600))),
        (expiry, Column("H", "Credentials end in", "s", 0, thresholds=expiry_thresholds())),
    ]
    return tables.rows_of(
        "Accounts",
        "Each account, the one with most failed polls on top. Quota asked for above 100 %: its intervals cannot "
        "be kept.",
        [rows(expression) for expression, _ in shown],
        [Column("account", "Account"), Column("provider", "Provider"), *(column for _, column in shown)],
        "Failed polls",
        "no accounts",
    )


def expiry_thresholds() -> ThresholdsConfig:
    """Credentials that end within minutes were not renewed; none that end are no trouble."""
    return palette.steps("text", (-palette.ENDLESS, palette.BAD), (60, palette.NOTICE), (300, palette.GOOD))


def polls() -> Graph:
    """Polls by account."""
    return panels.areas(
        "Polls",
        "Polls of tasks, a second, good and failed. A drop to zero for one account: its polls wait for quota, or "
        "it has no tasks left.",
        [over_time(queries.per_second(f"{OWN}_polls_total", ACCOUNTS, ACCOUNT), "{{account}}")],
        "reqps",
    )


def failures() -> Graph:
    """Failed polls by reason."""
    reasons = queries.per_second(f"{OWN}_poll_failures_total", ACCOUNTS, f"{ACCOUNT}, reason")
    panel = panels.bars(
        "Poll failures",
        "Failed polls a second, by reason. denied: the key; not_found: the task is gone; throttled: the quota; "
        "transport, timeout: the network; decode: report it.",
        [over_time(f"{reasons} > 0", "{{account}} {{reason}}")],
        "reqps",
    )
    return panel.no_value("none failed")


def lag() -> Graph:
    """How late polls are."""
    return panels.lines(
        "Schedule lag",
        "How late the poll is that is due longest. It should stay near zero; if it grows, the quota or a slow "
        "cloud holds polls up.",
        [over_time(f"max by ({ACCOUNT}) ({OWN}_schedule_lag_seconds{{{ACCOUNTS}}})", "{{account}}")],
        "s",
    )


def age_by_account() -> Graph:
    """The oldest data of each account."""
    return panels.lines(
        "Oldest data by account",
        "Of tasks that have not ended, the longest time without a good poll. A steady climb: that task, or its "
        "account, cannot be polled.",
        [over_time(f"max by ({ACCOUNT}) ({AGE})", "{{account}}")],
        "s",
    ).no_value("no tasks")


def age_spread() -> Graph:
    """How the ages spread."""
    panel = panels.lines(
        "Age of data",
        "Half, 90 % and 99 % of the tasks that have not ended were polled well within this time. All of it "
        "should stay near poll.interval.",
        [over_time(f"quantile({part}, {AGE})", label) for label, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))],
        "s",
    )
    return panels.colored(panel.no_value("no tasks"), palette.QUANTILES)


def surprises() -> Graph:
    """What should not happen."""
    return panels.lines(
        "Unknown states and panics",
        "Words for a state the exporter does not know, and polls that ended by a bug, in each step. Both should "
        "stay at zero; report either.",
        [
            over_time(
                queries.increase(f"{OWN}_unknown_states_total", OF_PROVIDER, "provider", "$__rate_interval"),
                "{{provider}} unknown state",
            ),
            over_time(
                queries.increase(f"{OWN}_poll_panics_total", ACCOUNTS, ACCOUNT, "$__rate_interval"),
                "{{account}} panic",
            ),
        ],
    ).decimals(0)


def credentials() -> Graph:
    """How long credentials last."""
    expiry = f"min by ({ACCOUNT}) ({OWN}_credentials_expiry_timestamp_seconds{{{ACCOUNTS}}}) - time()"
    panel = panels.lines(
        "Credentials end in",
        "Time until temporary credentials end; keys that last have no line. Teeth of a saw are right; a line "
        "that reaches zero was not renewed.",
        [over_time(expiry, "{{account}}")],
        "s",
    )
    logarithmic = ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10)
    return panel.min(1).scale_distribution(logarithmic).no_value("no temporary credentials")
