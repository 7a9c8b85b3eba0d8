"""Huawei Cloud's SDK accepts the simulated cloud and is treated as by the real one."""

import re
from datetime import datetime, timedelta

import pytest
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
        assert refusal(wrong, task)[0] == 401
        try:
            show_job(right, task)
        except ServiceResponseException as error:
            assert error.status_code == 401
            return "reach the limit" in error.error_msg

    # The exporter's own good requests in between may start the count anew.
    eventually("too many wrong signatures lock the key", locked, seconds=20, every=0)

    def refused(name, **labels):
        labels["provider"] = "huawei"
        return sum(s.value for s in spare_demo.samples(name) if labels.items() <= s.labels.items())

    name = "cloud_task_exporter_poll_failures_total"
    eventually("the exporter's polls are denied", lambda: refused(name, reason="denied"))

    def asked():
        samples = spare_demo.samples("cloud_task_exporter_api_requests_total")
        return sum(s.value for s in samples if s.labels["provider"] == "huawei" and s.labels["code"] != "ok")

    assert asked() <= 2, "a locked key is asked for again and again"
    before = refused(name, reason="denied")
    eventually("more polls are denied", lambda: refused(name, reason="denied") > before)
    assert asked() <= 2, "a locked key is asked for again and again"
    # The other clouds go on.
    for provider in ("tencent", "aliyun"):
        success = spare_demo.samples("cloud_task_poll_success")
        assert all(s.value == 1 for s in success if s.labels["provider"] == provider)
