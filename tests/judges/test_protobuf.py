"""A real Prometheus with native histograms switched on, which asks for protobuf, judges what it gets."""

import math
from collections import defaultdict

import pytest
from exporter import eventually, families
from prometheus import Prometheus

HISTOGRAMS = (
    "cloud_task_instance_queue_duration_seconds",
    "cloud_task_instance_startup_duration_seconds",
    "cloud_task_instance_run_duration_seconds",
    "cloud_task_duration_seconds",
)
RUN = "cloud_task_instance_run_duration_seconds"
REQUESTS = "cloud_task_exporter_api_request_duration_seconds"
# As Prometheus 2.42 asks, and as 3.x does with `scrape_protocols: [PrometheusProto, ...]`.
ACCEPTS = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
)


class Eager(Prometheus):
    """Scrapes so often that it knows what text tells."""

    interval = 1


@pytest.fixture(scope="module")
def prometheus(demo, tmp_path_factory):
    directory = tmp_path_factory.mktemp("prometheus")
    with Eager("eager", directory, demo.authority, features=["native-histograms"]) as prometheus:
        eventually("Prometheus has scraped", lambda: prometheus.query("up == 1")["result"], seconds=120)
        yield prometheus


def asked(prometheus, expression):
    """The series of an instant query: labels without those of the scrape, and value."""
    ours = lambda labels: frozenset((n, v) for n, v in labels.items() if n not in ("job", "instance"))  # noqa: E731
    found = prometheus.query(expression)["result"]
    return {ours(one["metric"]): one.get("value", [None, None])[1] for one in found}


def by_series(demo, name, suffix):
    """What text says: labels, without empty ones as Prometheus keeps none, and value."""
    found = {}
    for sample in demo.samples(name + suffix):
        found[frozenset((n, v) for n, v in sample.labels.items() if v)] = sample.value
    return found


def same(prometheus, demo, name, function, suffix):
    """Asserts that Prometheus knows what text tells; of series that changed meanwhile another try will say."""
    before = by_series(demo, name, suffix)
    known = {labels: float(value) for labels, value in asked(prometheus, f"{function}({name})").items()}
    assert known, f"no native histogram {name}"
    assert known == pytest.approx(before), name
    return before


@pytest.mark.parametrize("accept", ACCEPTS)
def test_protobuf_is_what_prometheus_gets(demo, accept):
    answer = demo.get("/metrics", Accept=accept)
    wanted = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    assert answer.headers["content-type"] == wanted
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_counts_and_sums_are_those_of_text(prometheus, demo, name):
    eventually(f"the counts of {name}", lambda: same(prometheus, demo, name, "histogram_count", "_count"), seconds=120)
    eventually(f"the sums of {name}", lambda: same(prometheus, demo, name, "histogram_sum", "_sum"), seconds=120)


def test_requests_are_native_too(prometheus, demo):
    def counted():
        known = asked(prometheus, f"histogram_count({REQUESTS})")
        assert known.keys() == by_series(demo, REQUESTS, "_count").keys()
        return known and all(float(count) > 0 for count in known.values())

    eventually("requests by provider and API", counted, seconds=120)
    quantiles = asked(prometheus, f"histogram_quantile(0.9, sum by (provider) ({REQUESTS}))")
    assert len(quantiles) == 3 and all(0 < float(value) < 60 for value in quantiles.values())


def test_a_quantile_is_in_the_classic_bucket_that_text_tells(prometheus, demo):
    def agrees():
        buckets = defaultdict(float)
        for sample in demo.samples(f"{RUN}_bucket"):
            buckets[float(sample.labels["le"])] += sample.value
        [answer] = asked(prometheus, f"histogram_quantile(0.9, sum({RUN}))").values()
        quantile = float(answer)
        assert math.isfinite(quantile)
        rank = 0.9 * buckets[math.inf]
        bounds = sorted(buckets)
        place = next(place for place, bound in enumerate(bounds) if buckets[bound] >= rank)
        lower = bounds[place - 1] if place else 0.0
        # A native bucket in which the bound falls reaches nine per cent beyond it.
        assert lower / 1.0906 <= quantile <= bounds[place] * 1.0906, (quantile, dict(buckets))
        return True

    eventually("a quantile", agrees, seconds=120)


def test_everything_else_is_there_as_in_text(prometheus, demo):
    def same_series():
        text = {
            frozenset([("__name__", sample.name), *((n, v) for n, v in sample.labels.items() if v)])
            for family in families(demo.text())
            if family.type != "histogram"
            for sample in family.samples
        }
        known = asked(prometheus, '{__name__=~"cloud_task.+|process_.+"}')
        plain = {labels for labels in known if not dict(labels)["__name__"] in (*HISTOGRAMS, REQUESTS)}
        assert plain == text
        return True

    eventually("the same series", same_series, seconds=120)
    assert not asked(prometheus, '{__name__=~".+_bucket"}'), "native histograms have no series of buckets"
    metadata = prometheus.api("metadata")
    for family in families(demo.text()):
        name = family.name + ("_total" if family.type == "counter" else "")
        if family.samples:
            assert [(it["type"], it["help"]) for it in metadata[name]] == [(family.type, family.documentation)], name


def test_prometheus_has_nothing_to_complain_of(prometheus):
    assert not prometheus.complaints()
