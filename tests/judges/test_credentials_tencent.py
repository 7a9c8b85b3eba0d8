"""Tencent's SDK and the exporter find the same keys in the same files and services."""

import functools
import json
import os
import subprocess
import time

import pytest
import sdk
from exporter import environment, eventually
from tencentcloud.batch.v20170312 import models
from tencentcloud.batch.v20170312.batch_client import BatchClient
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from vendor import Handler, serving

ROLE = "qcs::cam::uin/100000000001:roleName/exporter"
METADATA = "/latest/meta-data/cam/security-credentials/"
VARIABLES = ("TENCENTCLOUD_", "TKE_", "TCCLI_")
TASK = {
    "JobId": "job-x",
    "TaskName": "A",
    "TaskState": "RUNNING",
    "CreateTime": "2026-01-01T00:00:00Z",
    "EndTime": None,
    "TaskInstanceTotalCount": 0,
    "TaskInstanceSet": [],
    "RequestId": "r",
}


class Vendor(Handler):
    """Always the same temporary keys; Batch takes any and notes them."""

    def do_GET(self):
        if self.path == METADATA:
            return self.answer("exporter")
        assert self.path == METADATA + "exporter"
        self.answer({**self.server.keys, "ExpiredTime": self.server.end, "Code": "Success"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-TC-Action"]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((action, headers, body))
        if action.startswith("AssumeRole"):
            reply = {"Credentials": self.server.keys, "ExpiredTime": self.server.end, "RequestId": "r"}
        else:
            reply = TASK
        self.answer({"Response": reply})


@pytest.fixture
def cloud():
    with serving(Vendor) as server:
        server.keys = {"TmpSecretId": "AKIDtemporary", "TmpSecretKey": "temporary-key", "Token": "temporary-token"}
        server.end = int(time.time()) + 7200
        server.asked = []
        server.authority = f"127.0.0.1:{server.server_port}"
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory of its own, for the SDK and for the exporter; the SDK asks without TLS."""
    for name in [name for name in os.environ if name.startswith(VARIABLES)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(credential, "HttpProfile", functools.partial(HttpProfile, protocol="http"))
    return tmp_path


@pytest.fixture
def asked_by_exporter(binary, cloud, tmp_path):
    """Runs the exporter with some `credentials`; the SecretId and the token of its first poll."""
    running = []

    def ask(credentials):
        url = f"http://{cloud.authority}"
        account = {
            "account": "prod",
            "region": "ap-guangzhou",
            "endpoint": url,
            "credentials": json.loads(json.dumps(credentials).replace("CLOUD", url)),
            "targets": [{"job": "job-x", "tasks": ["A"]}],
        }
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"poll": {"interval": "1s"}, "tencent": [account]}))
        arguments = ["serve", f"--config.file={config}", "--web.listen-address=127.0.0.1:0"]
        with (tmp_path / "log").open("w") as log:
            running.append(subprocess.Popen([str(binary), *arguments], stderr=log, env=environment()))

        def first_poll():
            return next((headers for action, headers, _ in cloud.asked if action == "DescribeTask"), None)

        headers = eventually("a poll of the exporter", first_poll, seconds=30)
        secret_id = headers["authorization"].split("Credential=")[1].split("/")[0]
        return secret_id, headers.get("x-tc-token")

    yield ask
    for process in running:
        process.kill()
        process.wait()


PROFILES = [
    "[default]\nsecret_id = AKIDprofile\nsecret_key = profile-key\n",
    "[default]\nsecret_id=AKIDprofile\nsecret_key=a#b;c%d=e:f\nrole_arn=\n",
    "# made by hand\n\n[other]\nsecret_id = AKIDother\nsecret_key = x\n\n; more\n[default]\nSECRET_ID: AKIDprofile\nsecret_key: x\n",
    "[default]\r\n  secret_id = AKIDprofile  \r\n  secret_key = profile-key\r\n",
]


@pytest.mark.parametrize("text", PROFILES)
def test_a_profile_reads_the_same(home, asked_by_exporter, text):
    (home / ".tencentcloud").mkdir()
    (home / ".tencentcloud" / "credentials").write_bytes(text.encode())
    theirs = credential.ProfileCredential().get_credential()
    assert asked_by_exporter({"source": "profile"}) == (theirs.secret_id, theirs.token)


def test_the_default_provider_comes_to_the_same_keys(home, monkeypatch, cloud, asked_by_exporter):
    (home / ".tencentcloud").mkdir()
    (home / ".tencentcloud" / "credentials").write_text(PROFILES[0])
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDenvironment")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "environment-key")
    theirs = credential.DefaultCredentialProvider().get_credential()
    ours = asked_by_exporter({"source": "default", "metadata_endpoint": "CLOUD"})
    assert ours == (theirs.secret_id, theirs.token) == ("AKIDenvironment", None)


def test_the_default_provider_falls_through_to_the_machine(home, monkeypatch, cloud, asked_by_exporter):
    (home / ".tencentcloud").mkdir()
    (home / ".tencentcloud" / "credentials").write_text("[default]\nsecret_id =\nsecret_key =\n")
    monkeypatch.setattr(credential.CVMRoleCredential, "_role_endpoint", f"http://{cloud.authority}{METADATA}")
    theirs = credential.DefaultCredentialProvider().get_credential()
    ours = asked_by_exporter({"source": "default", "metadata_endpoint": "CLOUD"})
    assert ours == (theirs.secret_id, theirs.token) == ("AKIDtemporary", "temporary-token")


def test_a_role_is_assumed_with_the_same_request(home, monkeypatch, cloud, asked_by_exporter):
    theirs = credential.STSAssumeRoleCredential("AKIDbase", "base-key", ROLE, "me", 1800, endpoint=cloud.authority)
    assert theirs.get_credential_info() == ("AKIDtemporary", "temporary-key", "temporary-token")
    monkeypatch.setenv("BASE_ID", "AKIDbase")
    monkeypatch.setenv("BASE_KEY", "base-key")
    base = {"secret_id": {"env": "BASE_ID"}, "secret_key": {"env": "BASE_KEY"}}
    ours = asked_by_exporter(
        {
            "source": "assume_role",
            "role_arn": ROLE,
            "role_session_name": "me",
            "duration": "30m",
            "sts_endpoint": "CLOUD",
            "from": base,
        }
    )
    assert ours == (theirs.secret_id, theirs.token)
    assert_same_request(cloud, "AssumeRole")


def test_a_pod_asks_with_the_same_request(home, monkeypatch, cloud, asked_by_exporter):
    (home / "token").write_text("a.web.token")
    monkeypatch.setenv("TKE_REGION", "ap-nanjing")
    monkeypatch.setenv("TKE_PROVIDER_ID", "tke")
    monkeypatch.setenv("TKE_ROLE_ARN", ROLE)
    monkeypatch.setenv("TKE_WEB_IDENTITY_TOKEN_FILE", str(home / "token"))
    theirs = credential.DefaultTkeOIDCRoleArnProvider().get_credential()
    theirs.endpoint = cloud.authority
    assert theirs.get_credential_info() == ("AKIDtemporary", "temporary-key", "temporary-token")
    ours = asked_by_exporter({"source": "oidc", "sts_endpoint": "CLOUD"})
    assert ours == (theirs.secret_id, theirs.token)
    assert_same_request(cloud, "AssumeRoleWithWebIdentity", but="RoleSessionName")


def assert_same_request(cloud, action, but=""):
    """The SDK asked first, then the exporter."""
    theirs, ours = [(headers, body) for name, headers, body in cloud.asked if name == action]
    headers = [theirs[0], ours[0]]
    for name in ("content-type", "host", "x-tc-action", "x-tc-version", "x-tc-region"):
        assert headers[0][name] == headers[1][name]
    scopes = [header["authorization"].split(", SignedHeaders")[0] for header in headers]
    assert scopes[0] == scopes[1]
    bodies = [{name: value for name, value in body.items() if name != but} for body in (theirs[1], ours[1])]
    assert bodies[0] == bodies[1]


# The simulated cloud, asked by the SDK.


def describe_jobs(cloud, credentials):
    """Asks for jobs with credentials of whatever kind."""
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=cloud.authority, reqTimeout=10))
    client = BatchClient(credentials, cloud["region"], profile)
    return sdk.patiently(client.DescribeJobs, models.DescribeJobsRequest())


def test_the_sdk_assumes_the_simulated_role(home, demo):
    cloud = demo.clouds["tencent"]
    assumed = credential.STSAssumeRoleCredential(
        cloud["secret_id"], cloud["secret_key"], ROLE, "judge", 600, endpoint=cloud.authority
    )
    assert describe_jobs(cloud, assumed).TotalCount > 0
    through = credential.STSAssumeRoleCredential(
        cloud["secret_id"], "not-the-secret-key", ROLE, "judge", 600, endpoint=cloud.authority
    )
    with pytest.raises(credential.TencentCloudSDKException, match="AuthFailure.SignatureFailure"):
        through.get_credential_info()


def test_the_sdk_has_the_role_of_the_simulated_machine(home, demo, monkeypatch):
    cloud = demo.clouds["tencent"]
    monkeypatch.setattr(credential.CVMRoleCredential, "_role_endpoint", f"{cloud.url}{METADATA}")
    assert describe_jobs(cloud, credential.CVMRoleCredential().get_credential()).TotalCount > 0


def test_keys_end_and_go_with_their_token(home, demo):
    cloud = demo.clouds["tencent"]
    short = credential.STSAssumeRoleCredential(
        cloud["secret_id"], cloud["secret_key"], ROLE, "judge", 1, endpoint=cloud.authority
    )
    secret_id, secret_key, token = short.get_credential_info()
    for wrong in (None, token[::-1]):
        with pytest.raises(credential.TencentCloudSDKException, match="AuthFailure.TokenFailure"):
            describe_jobs(cloud, credential.Credential(secret_id, secret_key, wrong))

    def has_ended():
        try:
            return describe_jobs(cloud, credential.Credential(secret_id, secret_key, token)) and None
        except credential.TencentCloudSDKException as error:
            return error.get_code() == "AuthFailure.TokenFailure"

    eventually("keys of one second end", has_ended, seconds=10)


def test_the_demo_renews_its_keys(demo):
    name = "cloud_task_exporter_credentials_expiry_timestamp_seconds"
    ends = {sample.labels["account"]: sample.value for sample in demo.samples(name) if sample.labels["provider"] == "tencent"}
    assert list(ends) == ["batch"] and 0 < ends["batch"] - time.time() <= 600
