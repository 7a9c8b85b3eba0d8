"""One demo for the whole session, and one whose keys may be spoilt."""

import os
from pathlib import Path

import pytest
from exporter import Demo, default_binary
from program import Program

# The vendors' SDKs honour proxies; the simulated clouds are on this machine.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def pytest_addoption(parser):
    parser.addoption("--binary", type=Path, default=default_binary(), help="the exporter to judge")


def pytest_collection_modifyitems(items):
    """The longest wait begins first, so that the others run beside it."""
    items.sort(key=lambda item: item.path.stem != "test_dashboards")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """With a failure, the logs of the servers that its test used."""
    report = yield
    if report.failed:
        servers = {id(one): one for one in item.funcargs.values() if isinstance(one, (Demo, Program))}
        for server in servers.values():
            report.sections.append((f"log of {server.name}", server.log()[-4000:]))
    return report


@pytest.fixture(scope="session")
def binary(request):
    path = request.config.getoption("--binary")
    assert path.is_file(), f"{path} is missing: cargo build --locked --release"
    return path


@pytest.fixture(scope="session")
def demo(binary, tmp_path_factory):
    with Demo(binary, tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module")
def spare_demo(binary, tmp_path_factory):
    """A second demo, for tests that do the exporter's own keys harm."""
    with Demo(binary, tmp_path_factory.mktemp("spare")) as demo:
        yield demo
