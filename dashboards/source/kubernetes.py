"""What Kubernetes is given of the boards and the rules: a PrometheusRule and a ConfigMap for each board.

Owns config/kubernetes/prometheus-rule.yaml and config/kubernetes/dashboards.yaml; build.py writes what `files` returns. It
takes boards and rules as they are and changes nothing in them. Beyond the standard library it needs PyYAML.
"""

from pathlib import Path

import yaml

NAME = "cloud-task-exporter"
FOLDER = "Cloud tasks"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": NAME}
# By this label the Prometheus of a kube-prometheus-stack finds its rules; it is the name of the Helm release.
RELEASE = {"release": "kube-prometheus-stack"}
HEADER = "# Made by dashboards/source/build.py from {}: change those, and run it.\n"


class Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, so that they can be read and compared."""


def text(dumper, value):
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Dumper.add_representer(str, text)


def dump(*documents):
    """The documents as one YAML file, keys in the order given, lines as long as they are."""
    settings = {"sort_keys": False, "allow_unicode": True, "width": float("inf"), "explicit_start": len(documents) > 1}
    return yaml.dump_all(documents, Dumper=Dumper, **settings)


def prometheus_rule(rules):
    """The groups of all rule files, in the order of the files' names."""
    groups = [group for path in rules for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": NAME, "labels": LABELS | RELEASE},
        "spec": {"groups": groups},
    }


def config_map(board):
    """A board for the sidecar of Grafana, which looks for the label and takes the folder from the annotation."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{NAME}-dashboard-{board.stem}",
            "labels": LABELS | {"grafana_dashboard": "1"},
            "annotations": {"grafana_folder": FOLDER},
        },
        "data": {f"{NAME}-{board.name}": board.read_text(encoding="utf-8")},
    }


def files(root: Path) -> dict[Path, str]:
    """The files below `root`, the folder of the repository, and what is to stand in them."""
    folder = root / "config" / "kubernetes"
    rules = sorted((root / "dashboards" / "rules").glob("*.yml"))
    boards = sorted((root / "dashboards").glob("*.json"))
    return {
        folder / "prometheus-rule.yaml": HEADER.format("dashboards/rules/*.yml") + dump(prometheus_rule(rules)),
        folder / "dashboards.yaml": HEADER.format("dashboards/*.json") + dump(*map(config_map, boards)),
    }
