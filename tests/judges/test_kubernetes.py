"""The manifests for Kubernetes: Kubernetes's own schemas, the types of the Prometheus operator, the exporter's own check of its
config, and whether all of them agree with each other. Nothing is applied to a cluster.
"""

import copy
import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from exporter import ROOT, run
from prometheus import JOB

FOLDER = ROOT / "config" / "kubernetes"
BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
# An old release that is still in use, and the newest one known.
VERSIONS = ("1.29", "1.37")
OPERATOR = "monitoring.coreos.com/v1"
NAME = {"app.kubernetes.io/name": JOB}
# `kubectl apply` keeps a copy of each resource in an annotation, and annotations have 256 KiB.
LIMIT = 240 << 10


def load(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


(KUSTOMIZATION,) = load(FOLDER / "kustomization.yaml")
RESOURCES = [resource for name in KUSTOMIZATION["resources"] for resource in load(FOLDER / name)]
OF_THE_OPERATOR = [resource for resource in RESOURCES if resource["apiVersion"] == OPERATOR]
OF_KUBERNETES = [resource for resource in RESOURCES if resource["apiVersion"] != OPERATOR]


def one(kind):
    """The only resource of a kind."""
    (found,) = [resource for resource in RESOURCES if resource["kind"] == kind]
    return found


def pod():
    return one("Deployment")["spec"]["template"]


def container():
    (found,) = pod()["spec"]["containers"]
    return found


def complaints(*resources):
    """What the types and validators of the Prometheus operator find wrong."""
    command = ["node", ROOT / "tests" / "kubernetes" / "check.mjs"]
    ended = subprocess.run(command, input=json.dumps(resources), capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def spoil(resource, *path, value):
    """A copy in which one field has another value."""
    copied = copy.deepcopy(resource)
    place = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copied


def test_every_manifest_is_listed():
    known = {*KUSTOMIZATION["resources"], "kustomization.yaml"}
    generated = {name for maps in KUSTOMIZATION["configMapGenerator"] for name in maps["files"]}
    assert {path.name for path in FOLDER.iterdir()} == known | generated


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", OF_KUBERNETES, ids=lambda it: f"{it['kind']} {it['metadata']['name']}")
def test_kubernetes_takes_it(resource, version):
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("path", [("replica",), ("strategy", "typ"), ("template", "spec", "containers", 0, "readOnly")])
def test_the_schema_finds_a_fault(path):
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spoil(one("Deployment"), "spec", *path, value=1), VERSIONS[-1], strict=True)


def test_the_operator_takes_it():
    assert {resource["kind"] for resource in OF_THE_OPERATOR} == {"PrometheusRule", "ServiceMonitor"}
    assert complaints(*OF_THE_OPERATOR) == []


def test_the_types_find_faults():
    monitor, rule = one("ServiceMonitor"), one("PrometheusRule")
    found = complaints(
        spoil(monitor, "spec", "scrapeNativeHistogram", value=True),
        spoil(monitor, "spec", "endpoints", 0, "interval", value="15 s"),
        spoil(rule, "spec", "groups", 0, "rules", 0, "lables", value={}),
    )
    for word in ("scrapeNativeHistogram", "endpoints/0/interval", "lables"):
        assert any(word in complaint for complaint in found), (word, found)


def test_generated_files_are_current():
    source = ROOT / "dashboards" / "source" / "kubernetes.py"
    spec = importlib.util.spec_from_file_location("source_kubernetes", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = [path.name for path, text in module.files(ROOT).items() if path.read_text() != text]
    assert stale == [], "run dashboards/source/build.py"


def test_the_rules_are_those_of_the_files():
    sources = [load(path)[0]["groups"] for path in sorted((ROOT / "dashboards" / "rules").glob("*.yml"))]
    assert one("PrometheusRule")["spec"]["groups"] == [group for groups in sources for group in groups]


def test_each_board_is_in_a_config_map_for_the_sidecar():
    maps = [resource for resource in RESOURCES if resource["kind"] == "ConfigMap"]
    boards = {}
    for found in maps:
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"]["grafana_folder"] == "Cloud tasks"
        assert sum(len(text.encode()) for text in found["data"].values()) < LIMIT
        boards |= found["data"]
    assert boards == {f"{JOB}-{path.name}": path.read_text() for path in BOARDS}


def test_the_job_is_the_one_alerts_go_by():
    service, monitor = one("Service"), one("ServiceMonitor")
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == JOB


def test_series_outlive_a_pod():
    """The operator would have the address and the name of the pod in them."""
    (endpoint,) = one("ServiceMonitor")["spec"]["endpoints"]
    fixed, dropped = endpoint["relabelings"]
    assert fixed == {"targetLabel": "instance", "replacement": one("Deployment")["metadata"]["name"]}
    assert dropped == {"action": "labeldrop", "regex": "pod"}


def test_services_and_pods_find_each_other():
    service, monitor, deployment = one("Service"), one("ServiceMonitor"), one("Deployment")
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == NAME
    assert NAME.items() <= pod()["metadata"]["labels"].items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (port,), (endpoint,), (listening,) = service["spec"]["ports"], monitor["spec"]["endpoints"], container()["ports"]
    assert endpoint["port"] == port["name"]
    assert port["targetPort"] == listening["name"]
    assert port["port"] == listening["containerPort"]
    assert f"--web.listen-address=:{listening['containerPort']}" in container()["args"]
    assert {container()[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {listening["name"]}


def test_one_process_has_the_state_file():
    spec = one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def volume_at(path):
    """The volume that holds a path of the container, and the mount."""
    mount = next(mount for mount in container()["volumeMounts"] if Path(path).is_relative_to(mount["mountPath"]))
    return next(volume for volume in pod()["spec"]["volumes"] if volume["name"] == mount["name"]), mount


def test_the_config_is_good_and_where_it_is_looked_for(binary):
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    (name,) = generated["files"]
    checked = run(binary, "check-config", str(FOLDER / name))
    assert checked.returncode == 0, checked.stderr
    (path,) = [arg.removeprefix("--config.file=") for arg in container()["args"] if arg.startswith("--config.file=")]
    volume, mount = volume_at(path)
    assert volume["configMap"]["name"] == generated["name"] and mount["readOnly"]
    assert Path(path).name == name


def test_keys_and_state_are_where_the_config_says():
    (config,) = load(FOLDER / "cloud-task-exporter.yaml")
    (account,) = config["tencent"]
    for key in account["credentials"].values():
        volume, mount = volume_at(key["file"])
        assert volume["secret"]["secretName"] and mount["readOnly"]
    volume, mount = volume_at(config["state"]["path"])
    assert volume["persistentVolumeClaim"]["claimName"] == one("PersistentVolumeClaim")["metadata"]["name"]
    assert not mount.get("readOnly")


def test_the_exporter_knows_its_flags(binary):
    known = set(re.findall(r"--[\w.-]+", run(binary, "--help").stdout))
    assert {argument.split("=")[0] for argument in container()["args"]} <= known


def test_the_image_is_that_of_this_version():
    (image,) = KUSTOMIZATION["images"]
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    assert (container()["image"], image["newTag"]) == (image["name"], package["version"])


def test_the_user_is_that_of_the_image():
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    context = pod()["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))


def test_the_pod_meets_the_restricted_standard_and_has_no_token():
    """What Kubernetes's Pod Security Standard `restricted` asks for."""
    shared, own = pod()["spec"]["securityContext"], container()["securityContext"]
    assert shared["runAsNonRoot"] and shared["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not own["allowPrivilegeEscalation"] and own["readOnlyRootFilesystem"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    kinds = {kind for volume in pod()["spec"]["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "secret", "persistentVolumeClaim"}
    assert pod()["spec"]["serviceAccountName"] == one("ServiceAccount")["metadata"]["name"]
    assert pod()["spec"]["automountServiceAccountToken"] is one("ServiceAccount")["automountServiceAccountToken"] is False
