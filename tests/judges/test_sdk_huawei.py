"""Huawei Cloud's SDK accepts the simulated cloud and is treated as by the real one."""

import re
import time
from datetime import datetime, timedelta, timezone

import pytest
import requests
import sdk
from exporter import eventually
from huaweicloudsdkcce.v3 import CceClient, ShowJobRequest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.signer import signer

PHASES = {"Initializing", "Running", "Success", "Failed"}
# As Go prints a time: any number of digits behind the point, or no point.
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})? \+0000 UTC")


@pytest.fixture(scope="module")
def cloud(demo):
    return demo.clouds["huawei"]


@pytest.fixture(scope="module")
def client(cloud):
    return sdk.huawei(cloud)


def show_job(client, job):
    return sdk.patiently(client.show_job, ShowJobRequest(job_id=job))


def refusal(client, job):
    """HTTP status, error code and message the cloud refuses to show a job with."""
    with pytest.raises(ServiceResponseException) as refused:
        show_job(client, job)
    error = refused.value
    return error.status_code, error.error_code, error.error_msg


def sub_jobs(job):
    return job.spec.sub_jobs or []


def test_a_job_is_sane(client, cloud, demo):
    for task in demo.task_ids("huawei")[:6]:
        job = show_job(client, task)
        assert (job.kind, job.metadata.uid) == ("Job", task)
        assert job.status.phase in PHASES
        assert job.spec.type and job.spec.cluster_uid
        assert TIME.fullmatch(job.metadata.creation_timestamp), job.metadata.creation_timestamp
        assert TIME.fullmatch(job.metadata.update_timestamp), job.metadata.update_timestamp
        for part in sub_jobs(job):
            assert part.metadata.uid != task
            assert part.status is None or part.status.phase in PHASES


def test_a_job_has_sub_jobs(client, demo):
    assert any(sub_jobs(show_job(client, task)) for task in demo.task_ids("huawei"))


def test_the_project_is_found_by_region(cloud, demo):
    credentials = BasicCredentials(cloud["access_key"], cloud["secret_key"]).with_iam_endpoint(cloud.url)
    region = Region(cloud["region"], cloud.url)
    client = CceClient.new_builder().with_credentials(credentials).with_region(region).build()
    assert client.get_credentials().project_id == cloud["project_id"]
    task = demo.task_ids("huawei")[0]
    assert show_job(client, task).metadata.uid == task


def test_an_unknown_job_is_not_found(client):
    status, code, _ = refusal(client, "00000000-0000-0000-0000-000000000000")
    assert status == 404
    assert code.startswith("CCE"), "a code of the gateway would mean a wrong address"


def test_another_project_is_refused(cloud, demo):
    credentials = BasicCredentials(cloud["access_key"], cloud["secret_key"], "f" * 32)
    client = CceClient.new_builder().with_credentials(credentials).with_endpoint(cloud.url).build()
    status, _, _ = refusal(client, demo.task_ids("huawei")[0])
    assert status in (401, 403, 404)


def test_an_unknown_key_is_refused_and_locks_no_other(cloud, client, demo):
    task = demo.task_ids("huawei")[0]
    stranger = sdk.huawei(cloud, access_key="AKUNKNOWN0000000000A", secret_key="nobody-knows")
    for _ in range(7):
        status, code, _ = refusal(stranger, task)
        assert status == 401 and code.endswith(".0301")
    assert show_job(client, task).metadata.uid == task


def new_token(cloud, password):
    """Asks IAM for a token by a user's name and password, for the project of the region."""
    user = {"name": cloud["user_name"], "password": password, "domain": {"name": cloud["domain"]}}
    return requests.post(
        f"{cloud.url}/v3/auth/tokens?nocatalog=true",
        json={
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": cloud["region"]}},
            }
        },
        timeout=10,
    )


def show_job_by_token(cloud, job, token):
    path = f"/api/v3/projects/{cloud['project_id']}/jobs/{job}"
    return requests.get(cloud.url + path, headers={"X-Auth-Token": token}, timeout=10)


def test_a_token_shows_the_same_job(cloud, client, demo):
    made = new_token(cloud, cloud["password"])
    assert made.status_code == 201
    told = made.json()["token"]
    assert told["project"]["id"] == cloud["project_id"]
    ends = datetime.fromisoformat(told["expires_at"].replace("Z", "+00:00"))
    assert timedelta(0) < ends - datetime.now(timezone.utc) <= timedelta(hours=24, seconds=5)
    task = demo.task_ids("huawei")[0]

    def same():
        shown = show_job_by_token(cloud, task, made.headers["X-Subject-Token"])
        assert shown.status_code == 200, shown.text
        return shown.json()["status"]["phase"] == show_job(client, task).status.phase

    eventually("token and key show the same job", same)


def test_a_wrong_password_and_a_made_up_token_are_refused(cloud, demo):
    assert new_token(cloud, "not-the-password").status_code == 401
    assert show_job_by_token(cloud, demo.task_ids("huawei")[0], "MIIB-made-up").status_code == 401


# What follows spoils the key of a second demo, in this order.


@pytest.fixture(scope="module")
def spare_cloud(spare_demo):
    return spare_demo.clouds["huawei"]


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_wrong_clock_is_refused(spare_demo, spare_cloud, monkeypatch, minutes):
    class Clock(datetime):
        @classmethod
        def utcnow(cls):
            return datetime.utcnow() + timedelta(minutes=minutes)

    monkeypatch.setattr(signer, "datetime", Clock)
    status, _, message = refusal(sdk.huawei(spare_cloud), spare_demo.task_ids("huawei")[0])
    assert status == 401 and "signature expired" in message


def test_wrong_keys_lock_the_key_and_the_exporter_leaves_it_alone(spare_demo, spare_cloud):
    task = spare_demo.task_ids("huawei")[0]
    right, wrong = sdk.huawei(spare_cloud), sdk.huawei(spare_cloud, secret_key="not-the-secret-key")

    def locked():
        # In a row: a good signature in between, such as the exporter's own, begins the count anew.
        assert {refusal(wrong, task)[0] for _ in range(8)} == {401}
        try:
            show_job(right, task)
        except ServiceResponseException as error:
            assert error.status_code == 401
            return "reach the limit" in error.error_msg

    eventually("too many wrong signatures lock the key", locked, seconds=20, every=0)

    def total(name, **labels):
        # The account that uses the key; another one has a password and is not concerned.
        labels |= {"provider": "huawei", "account": "cce"}
        samples = spare_demo.samples(f"cloud_task_exporter_{name}")
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def last_success(provider):
        samples = spare_demo.samples("cloud_task_last_poll_success_timestamp_seconds")
        return max(sample.value for sample in samples if sample.labels["provider"] == provider)

    failures = "poll_failures_total"
    eventually("the exporter's polls are denied", lambda: total(failures, reason="denied"))
    time.sleep(2)  # what was under way when the key was locked
    asked, denied, began = total("api_requests_total"), total(failures, reason="denied"), time.time()
    eventually("two more polls are denied", lambda: total(failures, reason="denied") >= denied + 2)
    assert total("api_requests_total") == asked, "a locked key is used again and again"
    for other in ("tencent", "aliyun"):
        eventually(f"{other} is polled all the same", lambda: last_success(other) > began)
