"""The command line: exit codes, what goes where, how it stops."""

import json
import re
import signal
import socket

import jsonschema
import pytest
import requests
import yaml
from exporter import ROOT, Demo, free_port, run

EXAMPLE = ROOT / "config" / "cloud-task-exporter.yaml"
# Each mistake stands on a line of its own, marked by what its message must contain.
MISTAKES = """\
poll:
  intervall: 30s                    # intervall
  timeout: soon                     # soon
tencent:
  - account: prod
    region: ap-guangzhou
    interval: 0s                    # interval
    credentials:
      secret_id: {env: TENCENTCLOUD_SECRET_ID}
      secret_key: never-write-me-here   # secret
    targets:
      - job: job-97zcl3wt
        tasks: []                   # empty
    discover:
      - name: "^etl-("              # regular expression
aliyun:
  - account: ack
    region: cn-hangzhou
    labels: {job: nightly}          # label
    endpoint: http://cs.example.com # loopback
    targets:
      - task: T-5faa48fb31b6b8078d000006
      - task: T-5faa48fb31b6b8078d000006   # second
huawei:
  - account: cce
    region: cn-north-4
    targets:
      - job: 354331b2c-229a-11e8-9c75-0255ac100ceb
        interval: -5s               # -5s
  - account: cce                    # second
    region: cn-north-4
    targets:
      - job: 354331b2c-229a-11e8-9c75-0255ac100cec
"""


@pytest.fixture(scope="module")
def example():
    assert EXAMPLE.is_file()
    return EXAMPLE


def test_the_example_is_good(binary, example):
    checked = run(binary, "check-config", str(example))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_mistake_is_listed_at_its_place(binary, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(MISTAKES)
    checked = run(binary, "check-config", str(path))
    assert checked.returncode == 64
    found = re.findall(rf"^{re.escape(str(path))}:(\d+):(\d+): (.*)$", checked.stderr, re.MULTILINE)
    messages = {}
    for line, _, message in found:
        messages.setdefault(int(line), []).append(message)
    marked = {
        number: line.rsplit("#", 1)[1].strip()
        for number, line in enumerate(MISTAKES.splitlines(), 1)
        if "#" in line
    }
    assert set(messages) == set(marked), checked.stderr
    for number, word in marked.items():
        assert any(word in message for message in messages[number]), (number, word, checked.stderr)
    assert "never-write-me-here" not in checked.stderr + checked.stdout


@pytest.mark.parametrize("content", ["", "tencent: [", "- a list", "tencent: []\n"])
def test_what_is_no_config_is_refused(binary, tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    checked = run(binary, "check-config", str(path))
    assert checked.returncode == 64
    assert str(path) in checked.stderr


def test_a_missing_config_is_refused(binary, tmp_path):
    path = tmp_path / "missing.yaml"
    for arguments in (["check-config", str(path)], [f"--config.file={path}"], ["serve", f"--config.file={path}"]):
        refused = run(binary, *arguments)
        assert refused.returncode == 64, arguments
        assert str(path) in refused.stderr


def test_the_schema_describes_the_example(binary, example):
    printed = run(binary, "schema")
    assert (printed.returncode, printed.stderr) == (0, "")
    schema = json.loads(printed.stdout)
    validator = jsonschema.validators.validator_for(schema, default=None)
    assert validator, "the schema does not say which draft it is"
    validator.check_schema(schema)
    config = yaml.safe_load(example.read_text())
    validator(schema).validate(config)
    config["tencnet"] = []
    with pytest.raises(jsonschema.ValidationError, match="tencnet"):
        validator(schema).validate(config)


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-flag"], ["serve", "--no-such-flag"], ["no-such-command"], ["check-config"],
     ["demo", "--web.listen-address=nonsense"], ["demo", "--log.format=xml"], ["demo", "--log.level=shout"]],
    ids=" ".join,
)
def test_wrong_usage_is_refused(binary, arguments):
    refused = run(binary, *arguments)
    assert refused.returncode == 64
    assert refused.stderr and not refused.stdout


def test_help_and_version(binary):
    told = run(binary, "--help")
    assert told.returncode == 0
    for word in ("serve", "demo", "check-config", "schema", "--config.file", "--web.listen-address", "--log.format"):
        assert word in told.stdout
    told = run(binary, "--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert re.match(r"cloud-task-exporter \d+\.\d+\.\d+", told.stdout)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_stops_as_asked(binary, tmp_path, how):
    with Demo(binary, tmp_path) as demo:
        assert demo.stop(how) == 0
        with pytest.raises(requests.ConnectionError):
            demo.get("/metrics")


def test_a_taken_port_is_told(binary):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = run(binary, "demo", f"--web.listen-address={address}")
    assert refused.returncode == 1
    assert address in refused.stderr


def test_it_listens_where_it_is_told(binary, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with Demo(binary, tmp_path, f"--web.listen-address={address}") as demo:
        assert demo.metrics_url == f"http://{address}/metrics"


def test_routes(demo):
    assert demo.get("/-/healthy").status_code == 200
    assert demo.get("/-/ready").status_code == 200
    assert demo.get("/no-such-page").status_code == 404
    url = demo.metrics_url
    refused = requests.post(url, timeout=10)
    assert refused.status_code == 405 and "GET" in refused.headers["allow"]
    head = requests.head(url, timeout=10)
    assert head.status_code == 200 and not head.content


def test_the_log_is_json_and_keeps_secrets(demo):
    lines = demo.log().splitlines()
    assert lines and all(isinstance(json.loads(line), dict) for line in lines)
    secrets = [demo.clouds["tencent"]["secret_key"], demo.clouds["aliyun"]["access_key_secret"],
               demo.clouds["huawei"]["secret_key"], demo.clouds["huawei"]["password"]]
    assert not [secret for secret in secrets if secret in demo.log() + demo.text()]
