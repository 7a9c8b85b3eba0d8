"""Compose and Grafana's provisioning: the published schema of compose files, and whether every file that is mounted exists and
every address in a config is that of a service. No container is started.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from exporter import ROOT

CONFIG = ROOT / "config"
COMPOSE = CONFIG / "compose.yaml"
SCRAPE = CONFIG / "prometheus" / "prometheus.yml"
ROUTES = CONFIG / "alertmanager" / "alertmanager.yml"
GRAFANA = CONFIG / "grafana" / "provisioning"
RULES = ROOT / "dashboards" / "rules"


def load(path):
    return yaml.safe_load(path.read_text())


def services():
    return load(COMPOSE)["services"]


def check_compose(path):
    """What the published schema of compose files says."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def test_compose_follows_its_schema():
    code, said = check_compose(COMPOSE)
    assert code == 0, said


@pytest.mark.parametrize("sound, spoilt", [("healthcheck:", "healthchek:"), ("service_healthy", "healthy")])
def test_the_schema_finds_a_fault(tmp_path, sound, spoilt):
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE.read_text().replace(sound, spoilt, 1))
    assert check_compose(path)[0] != 0


def test_images_are_pinned():
    images = [service["image"] for service in services().values() if "image" in service]
    assert len(images) == 3
    for image in images:
        assert re.fullmatch(r"docker\.io/[\w/]+:v?\d+\.\d+\.\d+", image)


def mounts(service):
    """What is mounted from this checkout: paths in the container with those on this machine, and whether only to read."""
    parts = [volume.split(":") for volume in services()[service].get("volumes", [])]
    return {target: ((CONFIG / source).resolve(), mode) for source, target, *mode in parts if source.startswith(".")}


def on_this_machine(service, path):
    """Where a path in a container lies in this checkout."""
    for target, (source, _) in mounts(service).items():
        if Path(path).is_relative_to(target):
            return source / Path(path).relative_to(target)
    raise AssertionError(f"{service} mounts nothing at {path}")


def test_mounts_exist_and_are_only_read():
    for service in services():
        for source, mode in mounts(service).values():
            assert source.exists() and mode == ["ro"], (service, source)


def test_volumes_are_declared():
    volumes = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])]
    assert {volume for volume in volumes if not volume.startswith(".")} == set(load(COMPOSE)["volumes"])


def test_prometheus_and_alertmanager_find_their_files():
    assert on_this_machine("prometheus", "/etc/prometheus/prometheus.yml") == SCRAPE
    assert on_this_machine("alertmanager", "/etc/alertmanager/alertmanager.yml") == ROUTES
    (rules,) = load(SCRAPE)["rule_files"]
    assert on_this_machine("prometheus", Path(rules).parent) == RULES
    assert Path(rules).name == "*.yml" and list(RULES.glob("*.yml"))


def test_who_is_waited_for_can_be_asked():
    for name, service in services().items():
        for other, wait in service.get("depends_on", {}).items():
            healthy = wait["condition"] == "service_healthy"
            assert healthy == ("healthcheck" in services()[other]), (name, other)


def addresses():
    """Every address that one of the configs names, and whose config it is."""
    config = load(SCRAPE)
    jobs = config["scrape_configs"] + config["alerting"]["alertmanagers"]
    for static in (static for job in jobs for static in job["static_configs"]):
        yield from (("prometheus", target) for target in static["targets"])
    for source in load(GRAFANA / "datasources" / "prometheus.yaml")["datasources"]:
        yield "grafana", urlsplit(source["url"]).netloc
    for name, service in services().items():
        if "healthcheck" in service:
            yield name, urlsplit(service["healthcheck"]["test"][-1]).netloc


def test_addresses_agree():
    ports = {name: service["ports"][0].rsplit(":", 1)[1] for name, service in services().items()}
    assert services()["exporter"]["command"][-1] == f"--web.listen-address=:{ports['exporter']}"
    named = set()
    for owner, address in addresses():
        host, port = address.split(":")
        host = owner if host in ("localhost", "127.0.0.1") else host
        assert ports[host] == port, (owner, address)
        named.add(host)
    assert named == set(ports)


def test_grafana_finds_its_boards():
    (provider,) = load(GRAFANA / "dashboards" / "cloud-tasks.yaml")["providers"]
    assert (provider["type"], provider["folder"]) == ("file", "Cloud tasks")
    folder = on_this_machine("grafana", provider["options"]["path"])
    boards = {path: json.loads(path.read_text()) for path in folder.rglob("*.json")}
    assert {path.name for path in boards} >= {"overview.json", "task.json", "group.json", "exporter.json"}
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    assert all(board["title"] for board in boards.values())
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert boards[on_this_machine("grafana", home)]["uid"] == "cloud-task-overview"


def test_grafana_finds_its_provisioning():
    assert on_this_machine("grafana", "/etc/grafana/provisioning") == GRAFANA
    kinds = {path.parent.name: set(load(path)) for path in GRAFANA.rglob("*.yaml")}
    assert kinds == {"datasources": {"apiVersion", "datasources"}, "dashboards": {"apiVersion", "providers"}}
    sources = load(GRAFANA / "datasources" / "prometheus.yaml")["datasources"]
    assert {source["uid"]: source["type"] for source in sources} == {"prometheus": "prometheus", "alertmanager": "alertmanager"}
    interval = load(SCRAPE)["global"]["scrape_interval"]
    assert [source["jsonData"]["timeInterval"] for source in sources if source.get("isDefault")] == [interval]
