"""Prometheus's own parsers, and the rules of its formats and names, judge /metrics."""

import gzip
import math
from collections import Counter, defaultdict

import pytest
import requests
from exporter import OPENMETRICS, PROVIDERS, ROOT, TEXT, eventually, families, promtool

PHASES = {"pending", "running", "paused", "succeeded", "failed", "cancelled", "unknown"}
STATES = {
    "tencent": {"submitted", "pending", "runnable", "starting", "running", "succeeded", "failed", "failed_interrupted"},
    "aliyun": {"pending", "succeeded", "failed", "unknown"},
    "huawei": {"pending", "running", "succeeded", "failed", "unknown"},
}
IDENTITY = ("provider", "account", "cloud_region", "group", "task_id")
FLEET = IDENTITY[:-1]
TAKEN_LABELS = {"job", "instance", "region", "type", "cluster"}
PREFIXES = ("cloud_task_", "cloud_tasks", "process_")
# The contract's families that a demo has from its first minute on: at least these.
EXPECTED = {
    "cloud_task_info", "cloud_task_phase", "cloud_task_provider_state", "cloud_task_instances",
    "cloud_task_instances_expected", "cloud_task_instance_rows_truncated", "cloud_task_created_timestamp_seconds",
    "cloud_task_instance_queue_duration_seconds", "cloud_task_poll_success",
    "cloud_task_last_poll_success_timestamp_seconds", "cloud_tasks", "cloud_tasks_finished",
    "cloud_task_instance_failures", "cloud_task_exporter_polls",
    "cloud_task_exporter_api_requests", "cloud_task_exporter_api_request_duration_seconds",
    "cloud_task_exporter_api_quota_requests_per_second", "cloud_task_exporter_build_info",
}


@pytest.fixture(scope="module")
def text(demo):
    return demo.text()


@pytest.fixture(scope="module")
def openmetrics(demo):
    return demo.openmetrics()


@pytest.fixture(scope="module", params=["text", "openmetrics"])
def parsed(request, text, openmetrics):
    return families(text) if request.param == "text" else families(openmetrics, openmetrics=True)


def series(families):
    return [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]


def samples(families, name):
    return [sample for family in families for sample in family.samples if sample.name == name]


def key(sample, labels=IDENTITY):
    return tuple(sample.labels[label] for label in labels)


def test_content_types(demo):
    answered = demo.get("/metrics", Accept=TEXT).headers["content-type"].replace(" ", "")
    assert answered.startswith("text/plain;version=0.0.4")
    answered = demo.get("/metrics", Accept=OPENMETRICS).headers["content-type"].replace(" ", "")
    assert answered.startswith("application/openmetrics-text;version=1.0.0")
    # What Prometheus 2.42 sends.
    accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," \
             "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    assert demo.get("/metrics", Accept=accept).headers["content-type"].startswith("application/openmetrics-text")
    assert demo.get("/metrics", Accept="*/*").headers["content-type"].startswith("text/plain")


def test_nothing_unknown_is_missing(parsed):
    assert EXPECTED <= {family.name for family in parsed}
    assert {sample.labels["provider"] for sample in samples(parsed, "cloud_task_info")} == set(PROVIDERS)


def test_openmetrics_ends_as_it_must(openmetrics):
    assert openmetrics.endswith("\n# EOF\n")


def test_every_family_is_described(text, openmetrics):
    for exposition in (text, openmetrics):
        lines = exposition.splitlines()
        helped = [line.split(" ", 3)[2] for line in lines if line.startswith("# HELP ")]
        typed = [line.split(" ", 3)[2] for line in lines if line.startswith("# TYPE ")]
        assert sorted(helped) == sorted(typed)
        assert len(set(typed)) == len(typed)
        assert all(len(line.split(" ", 3)[3]) > 3 for line in lines if line.startswith("# HELP "))
    for family in families(text):
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.documentation


def test_no_series_twice(parsed):
    twice = [name for name, number in Counter(series(parsed)).items() if number > 1]
    assert not twice


def test_values_are_numbers_without_timestamps(parsed):
    for family in parsed:
        for sample in family.samples:
            assert not math.isnan(sample.value), sample
            assert sample.timestamp is None, sample
            if family.type in ("counter", "histogram"):
                assert sample.value >= 0, sample


def test_names(parsed):
    for family in parsed:
        assert family.name.startswith(PREFIXES), family.name
        for sample in family.samples:
            assert not TAKEN_LABELS & set(sample.labels), sample
            if family.type == "counter":
                assert sample.name.endswith("_total"), sample
            assert (sample.name.endswith("_total")) == (family.type == "counter"), sample


def test_phases_are_one_of_seven(parsed):
    phases = defaultdict(dict)
    for sample in samples(parsed, "cloud_task_phase"):
        phases[key(sample)][sample.labels["phase"]] = sample.value
    assert phases
    for task, rows in phases.items():
        assert set(rows) == PHASES, task
        assert sorted(rows.values()) == [0, 0, 0, 0, 0, 0, 1], task


def test_instances_have_every_state(parsed):
    states = defaultdict(set)
    totals = Counter()
    for sample in samples(parsed, "cloud_task_instances"):
        states[key(sample)].add(sample.labels["state"])
        totals[key(sample)] += sample.value
    assert states
    for task, found in states.items():
        assert found == STATES[task[0]], task
    expected = {key(sample): sample.value for sample in samples(parsed, "cloud_task_instances_expected")}
    assert expected == totals


def test_a_task_has_all_or_nothing(parsed):
    tasks = {key(sample) for sample in samples(parsed, "cloud_task_info")}
    assert len(tasks) == len(samples(parsed, "cloud_task_info"))
    for name in ("cloud_task_provider_state", "cloud_task_instances_expected", "cloud_task_instance_rows_truncated"):
        assert {key(sample) for sample in samples(parsed, name)} == tasks, name
        assert len(samples(parsed, name)) == len(tasks), name
    # A task that was never polled well has these, too.
    assert {key(sample) for sample in samples(parsed, "cloud_task_poll_success")} >= tasks


def test_fleet_counts_its_tasks(parsed):
    shown = Counter()
    for sample in samples(parsed, "cloud_task_phase"):
        shown[(*key(sample, FLEET), sample.labels["phase"])] += sample.value
    fleet = {(*key(s, FLEET), s.labels["phase"]): s.value for s in samples(parsed, "cloud_tasks")}
    assert fleet and +Counter(fleet) == +shown
    outcomes = defaultdict(set)
    for sample in samples(parsed, "cloud_tasks_finished_total"):
        outcomes[key(sample, FLEET)].add(sample.labels["outcome"])
    assert outcomes and all(found == {"succeeded", "failed", "cancelled"} for found in outcomes.values())


def test_both_formats_tell_the_same(demo):
    def same():
        between = demo.text(), demo.openmetrics(), demo.text()
        before, openmetrics, after = (set(series(families(t, n == 1))) for n, t in enumerate(between))
        # Only a quiet moment can be compared.
        return before == after and before == openmetrics

    eventually("the same series in both formats", same, seconds=30)


def test_compressed_it_is_the_same(demo):
    with requests.get(
        demo.metrics_url, headers={"Accept": TEXT, "Accept-Encoding": "gzip"}, stream=True, timeout=10
    ) as response:
        assert response.headers["content-encoding"] == "gzip"
        compressed = response.raw.read(decode_content=False)
    plain = demo.get("/metrics", **{"Accept": TEXT, "Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(compressed) < len(plain.content)
    names = {family.name for family in families(gzip.decompress(compressed).decode())}
    assert names == {family.name for family in families(plain.text)}


def test_promtool_finds_nothing_to_say(text):
    assert promtool("check", "metrics", text=text) == (0, "")


def test_counters_never_fall(demo):
    def counters():
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families(demo.text())
            if family.type in ("counter", "histogram") and family.name.startswith("cloud_task_exporter_")
            for sample in family.samples
        }

    before = counters()
    total = sum(before.values())
    eventually("a counter rises", lambda: sum(counters().values()) > total)
    after = counters()
    assert all(after.get(name, -1) >= value for name, value in before.items())
