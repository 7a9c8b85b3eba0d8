"""The Exporter board: whether the exporter can be trusted: quotas, polls, age of data, credentials, state, process.

Its panels are in `quota.py` (requests to the clouds), `polling.py` (polls of tasks) and `process.py` (itself).
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

import palette
import polling
import process
import quota
import variables
from board import Board, Mark
from queries import SCRAPED


def board() -> Dashboard:
    """The whole board."""
    built = Board(
        "cloud-task-exporter",
        "Exporter",
        "Whether what the other boards show can be trusted: quotas, polls and their failures, age of data, and "
        "the exporter itself.",
        variables.of_exporters(),
        "now-6h",
    )
    built.mark(restarts())
    built.row(
        "Now",
        (4, [(3, panel) for panel in (*process.now(), *polling.now())]),
        (8, [(24, polling.accounts())]),
    )
    built.row(
        "Quota",
        (8, [(12, quota.quota_use()), (12, quota.demand())]),
        (8, [(12, quota.throttled()), (12, quota.waits())]),
    )
    built.row(
        "Requests",
        (8, [(12, quota.requests()), (12, quota.errors())]),
        (8, [(12, quota.latency()), (12, quota.latency_heatmap())]),
    )
    built.row(
        "Polls and age of data",
        (8, [(8, polling.polls()), (8, polling.failures()), (8, polling.lag())]),
        (8, [(8, polling.age_by_account()), (8, polling.age_spread()), (8, polling.surprises())]),
    )
    built.row(
        "Credentials, config and state file",
        (8, [(12, polling.credentials()), (6, process.config()), (6, process.state_file())]),
    )
    built.row(
        "Series and scrapes",
        (8, [(8, process.series()), (8, process.scrape_duration()), (8, process.samples())]),
    )
    built.row(
        "Process",
        (8, [(6, process.cpu()), (6, process.memory()), (6, process.descriptors()), (6, process.threads())]),
    )
    return built.build()


def restarts() -> Mark:
    """When the exporter started."""
    changes = f"changes(process_start_time_seconds{{{SCRAPED}}}[$__rate_interval])"
    return Mark("Restarts", f"{changes} > 0", palette.NOTICE, "{{instance}} started")
