"""Panels of the Exporter board about the exporter itself: version, config, state file, series, scrapes, process."""

from grafana_foundation_sdk.builders.stat import Panel as Number
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.common import BigValueTextMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMappingResult

import palette
import panels
import queries
from queries import SCRAPED
from targets import at_end, over_time

OWN = "cloud_task_exporter"
BY_INSTANCE = "{{instance}}"


def now() -> list[Number]:
    """Whether it is up, and what runs."""
    up = panels.number(
        "Up",
        "The part of the exporters that could be scraped. Below 100 %: what the others show is complete, what "
        "these polled is missing.",
        [at_end(f"avg(up{{{SCRAPED}}})")],
        "percentunit",
    )
    version = panels.word(
        "Version",
        "The versions that run. Two while one is being rolled out; two for long: the roll-out is stuck.",
        at_end(f"count by (version) ({OWN}_build_info{{{SCRAPED}}})", "{{version}}"),
    )
    uptime = panels.number(
        "Running for",
        "Time since the exporter that started last did. Without a state file its counters begin there.",
        [at_end(f"time() - max(process_start_time_seconds{{{SCRAPED}}})")],
        "s",
    )
    restarted = panels.number(
        "Restarts",
        "How often exporters started anew in the time range. More than roll-outs explain: look into the log "
        "before each.",
        [at_end(f"sum(changes(process_start_time_seconds{{{SCRAPED}}}[$__range]))")],
    )
    return [
        up.thresholds(palette.steps(palette.BAD, (0.5, palette.NOTICE), (1, palette.GOOD))).no_value("not scraped"),
        version,
        uptime,
        restarted.thresholds(palette.none_is_good(notice=1)),
    ]


def config() -> Number:
    """Whether the config in force is the one in the file."""
    loaded = f"{OWN}_config_last_reload_success_timestamp_seconds"
    panel = panels.number(
        "Config",
        "Whether the config was taken when it was loaded last, and how long ago one was. refused: the one before "
        "is still in force; the log has every mistake.",
        [
            at_end(f"min({OWN}_config_last_reload_successful{{{SCRAPED}}})", "last load"),
            at_end(f"time() - min({loaded}{{{SCRAPED}}})", "in force for"),
        ],
        "s",
    )
    words = ValueMap(
        options={
            "1": ValueMappingResult(text="taken", color=palette.GOOD, index=0),
            "0": ValueMappingResult(text="refused", color=palette.BAD, index=1),
        }
    )
    return upright(panel).override_by_name("last load", [palette.property_of("mappings", [words])])


def state_file() -> Number:
    """Whether the state is written."""
    written = f"{OWN}_state_last_write_success_timestamp_seconds"
    panel = panels.number(
        "State file",
        "How long ago it last held all that was known, and attempts to write it that failed in the time range. Any "
        "failure: the disk is full or not allowed.",
        [
            at_end(f"time() - min({written}{{{SCRAPED}}})", "last whole"),
            at_end(f"round({queries.increase(f'{OWN}_state_write_failures_total', SCRAPED)})", "failed writes"),
        ],
        "s",
    )
    age = [palette.property_of("thresholds", palette.none_is_good(bad=120).build())]
    failed = [
        palette.property_of("unit", "short"),
        palette.property_of("thresholds", palette.none_is_good(bad=1).build()),
    ]
    return upright(panel).no_value("no state file").override_by_name("last whole", age).override_by_name(
        "failed writes", failed
    )


def upright(panel: Number) -> Number:
    """One value below the other, with their names."""
    return panel.orientation(VizOrientation.HORIZONTAL).text_mode(BigValueTextMode.VALUE_AND_NAME)


def series() -> Graph:
    """Series against their limit."""
    panel = panels.lines(
        "Series of tasks",
        "Series exported, and left out, as a part of metrics.series_limit. Near 100 % new tasks are left out: "
        "raise the limit, or poll less.",
        [
            over_time(f"{OWN}_series{{{SCRAPED}}} / {OWN}_series_limit{{{SCRAPED}}}", f"exported {BY_INSTANCE}"),
            over_time(
                f"increase({OWN}_series_dropped_total{{{SCRAPED}}}[$__rate_interval]) / "
                f"{OWN}_series_limit{{{SCRAPED}}}",
                f"left out {BY_INSTANCE}",
            ),
        ],
        "percentunit",
    )
    return panels.with_limits(panel, palette.none_is_good(0.8, 0.9))


def scrape_duration() -> Graph:
    """How long scrapes take."""
    return panels.lines(
        "Scrape duration",
        "How long Prometheus takes to scrape. It waits for no cloud; near the scrape's time-out samples are lost.",
        [over_time(f"scrape_duration_seconds{{{SCRAPED}}}", BY_INSTANCE)],
        "s",
    )


def samples() -> Graph:
    """How much a scrape brings."""
    return panels.lines(
        "Samples by scrape",
        "Samples in a scrape, and those kept after relabelling. This is what the exporter costs Prometheus.",
        [
            over_time(f"scrape_samples_scraped{{{SCRAPED}}}", f"scraped {BY_INSTANCE}"),
            over_time(f"scrape_samples_post_metric_relabeling{{{SCRAPED}}}", f"kept {BY_INSTANCE}"),
        ],
    ).decimals(0)


def cpu() -> Graph:
    """Time of processors."""
    return panels.lines(
        "CPU",
        "Processors used. It follows polls and scrapes; more without more of either is worth a report.",
        [over_time(f"rate(process_cpu_seconds_total{{{SCRAPED}}}[$__rate_interval])", BY_INSTANCE)],
    )


def memory() -> Graph:
    """Memory."""
    return panels.lines(
        "Memory",
        "Resident memory. It follows the number of tasks; a steady climb at steady tasks is a leak.",
        [over_time(f"process_resident_memory_bytes{{{SCRAPED}}}", BY_INSTANCE)],
        "bytes",
    )


def descriptors() -> Graph:
    """File descriptors against their limit."""
    panel = panels.lines(
        "File descriptors",
        "Open descriptors as a part of those allowed. At 100 % no connection opens any more: raise the limit.",
        [over_time(f"process_open_fds{{{SCRAPED}}} / process_max_fds{{{SCRAPED}}}", BY_INSTANCE)],
        "percentunit",
    )
    return panels.with_limits(panel, palette.none_is_good(0.8, 1))


def threads() -> Graph:
    """Threads."""
    return panels.lines(
        "Threads",
        "Threads of the process. It follows the processors of the machine, not the number of tasks.",
        [over_time(f"process_threads{{{SCRAPED}}}", BY_INSTANCE)],
    ).decimals(0)
