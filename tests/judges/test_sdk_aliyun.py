"""Alibaba Cloud's SDK accepts the simulated cloud and is treated as by the real one."""

from datetime import datetime, timedelta, timezone

import pytest
import sdk
from alibabacloud_cs20151215 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils import Utils
from exporter import eventually

STATES = {"initial", "initail", "pending", "waiting", "running", "paused", "pause", "success", "fail", "failed",
          "timeout", "canceled", "cancelled"}
ROW_STATES = {"initial", "initail", "success", "failed"}


@pytest.fixture(scope="module")
def cloud(demo):
    return demo.clouds["aliyun"]


@pytest.fixture(scope="module")
def client(cloud):
    return sdk.aliyun(cloud)


def describe_task(client, task):
    return sdk.patiently(client.describe_task_info, task).body


def clusters(client, **fields):
    return sdk.patiently(client.describe_clusters_v1, models.DescribeClustersV1Request(**fields)).body


def cluster_tasks(client, cluster, **fields):
    request = models.DescribeClusterTasksRequest(**fields)
    return sdk.patiently(client.describe_cluster_tasks, cluster, request).body


def some_tasks(client, number=6):
    """Cluster id and list item of some tasks, found as a user of the SDK finds them."""
    found = [
        (cluster.cluster_id, task)
        for cluster in clusters(client, page_size=50).clusters
        for task in cluster_tasks(client, cluster.cluster_id, page_size=50).tasks
    ]
    return found[:number]


def refusal(call, *arguments):
    """HTTP status, error code and message the cloud refuses a call with."""
    with pytest.raises(AlibabaCloudException) as refused:
        call(*arguments)
    error = refused.value
    return error.status_code, error.code, error.message


def instant(text):
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, text
    return moment


def test_clusters_are_listed(client, cloud):
    answer = clusters(client, region_id=cloud["region"], page_size=50, page_number=1)
    assert answer.clusters and answer.page_info.total_count == len(answer.clusters)
    assert {cluster.region_id for cluster in answer.clusters} == {cloud["region"]}
    assert all(cluster.cluster_id and cluster.name and cluster.state for cluster in answer.clusters)


def test_tasks_of_a_cluster_are_listed_page_by_page(client):
    def pages_agree():
        for cluster in clusters(client, page_size=50).clusters:
            everything = cluster_tasks(client, cluster.cluster_id, page_size=100, page_number=1)
            assert everything.page_info.total_count >= len(everything.tasks)
            pages = [cluster_tasks(client, cluster.cluster_id, page_size=2, page_number=page) for page in (1, 2)]
            assert all(len(page.tasks) <= 2 for page in pages)
            # A task may begin between two pages: then this is tried again.
            paged = [task.task_id for page in pages for task in page.tasks]
            assert paged == [task.task_id for task in everything.tasks][:4]
        return True

    eventually("two pages of two are the first four of the list", pages_agree)


def test_a_task_is_what_the_list_says(client):
    def agrees():
        tasks = some_tasks(client)
        assert tasks
        for cluster, listed in tasks:
            task = describe_task(client, listed.task_id)
            assert (task.task_id, task.cluster_id) == (listed.task_id, cluster)
            assert (task.task_type, task.state) == (listed.task_type, listed.state)
        return True

    eventually("a task says what the list says of it", agrees)


def test_a_task_is_sane(client):
    for _, listed in some_tasks(client):
        task = describe_task(client, listed.task_id)
        assert task.state in STATES
        assert task.task_type
        assert instant(task.created) <= instant(task.updated) <= datetime.now(timezone.utc) + timedelta(seconds=2)
        assert all(row.data and row.status in ROW_STATES for row in task.task_result or ())


def test_a_wrong_key_is_refused(cloud):
    status, code, _ = refusal(clusters, sdk.aliyun(cloud, access_key_secret="not-the-secret"))
    assert (status, code) in ((400, "SignatureDoesNotMatch"), (403, "SignatureDoesNotMatch"))


def test_an_unknown_key_is_refused(cloud):
    status, code, _ = refusal(clusters, sdk.aliyun(cloud, access_key_id="LTAI0000000000000000"))
    assert (status, code) == (404, "InvalidAccessKeyId.NotFound")


def test_an_unknown_task_is_not_found(client):
    task = "T-000000000000000000000000"
    status, _, message = refusal(describe_task, client, task)
    assert status in (400, 404)
    assert task in message and "not found" in message


def test_a_nonce_is_taken_once(client, monkeypatch):
    new_nonce = Utils.get_nonce

    def ask_with_a_new_nonce():
        nonce = new_nonce()
        monkeypatch.setattr(Utils, "get_nonce", staticmethod(lambda: nonce))
        return client.describe_clusters_v1(models.DescribeClustersV1Request())

    assert sdk.patiently(ask_with_a_new_nonce).status_code == 200
    status, code, _ = refusal(clusters, client)
    assert (status, code) == (400, "SignatureNonceUsed")


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_wrong_clock_is_refused(client, monkeypatch, minutes):
    moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    monkeypatch.setattr(Utils, "get_timestamp", staticmethod(lambda: moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
    status, code, _ = refusal(clusters, client)
    assert (status, code) == (400, "InvalidTimeStamp.Expired")
