"""Tencent's SDKs, for API 3.0 and for the legacy API, accept the simulated cloud and are treated as by the real one."""

import json
import random
import time
from collections import Counter
from types import SimpleNamespace
from uuid import uuid4

import pytest
import sdk
from exporter import eventually
from tencentcloud.batch.v20170312 import models
from tencentcloud.common import abstract_client
from tencentcloud.common.exception import TencentCloudSDKException

STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEED", "FAILED", "FAILED_INTERRUPTED")
COUNTERS = {
    "SUBMITTED": "SubmittedCount",
    "PENDING": "PendingCount",
    "RUNNABLE": "RunnableCount",
    "STARTING": "StartingCount",
    "RUNNING": "RunningCount",
    "SUCCEED": "SucceedCount",
    "FAILED": "FailedCount",
    "FAILED_INTERRUPTED": "FailedInterruptedCount",
}


@pytest.fixture(scope="module")
def cloud(demo):
    return demo.clouds["tencent"]


@pytest.fixture(scope="module")
def client(cloud):
    return sdk.tencent(cloud)


def describe_jobs(client, **fields):
    request = models.DescribeJobsRequest()
    request._deserialize(fields)
    return sdk.patiently(client.DescribeJobs, request)


def describe_job(client, job):
    request = models.DescribeJobRequest()
    request.JobId = job
    return sdk.patiently(client.DescribeJob, request)


def describe_task(client, job, task, **fields):
    request = models.DescribeTaskRequest()
    request._deserialize({"JobId": job, "TaskName": task, **fields})
    return sdk.patiently(client.DescribeTask, request)


def counts(metrics):
    return Counter({state: getattr(metrics, name) for state, name in COUNTERS.items()})


def some_tasks(client, number=6):
    """Job id and task name of some tasks, found as a user of the SDK finds them."""
    jobs = describe_jobs(client, Limit=100).JobSet[:number]
    return [(job.JobId, task.TaskName) for job in jobs for task in describe_job(client, job.JobId).TaskSet][:number]


def refusal(call, *arguments, **fields):
    """The error code the cloud refuses a call with."""
    with pytest.raises(TencentCloudSDKException) as refused:
        call(*arguments, **fields)
    return refused.value.get_code()


def test_jobs_are_listed_page_by_page(client):
    def pages_agree():
        everything = describe_jobs(client, Limit=100)
        assert everything.JobSet and everything.TotalCount >= len(everything.JobSet)
        assert {job.JobState for job in everything.JobSet} <= set(STATES)
        pages = [describe_jobs(client, Offset=offset, Limit=2).JobSet for offset in (0, 2)]
        # A job may be submitted between two pages: then this is tried again.
        listed = [job.JobId for job in everything.JobSet]
        assert [job.JobId for page in pages for job in page] == listed[:4]
        return True

    eventually("two pages of two are the first four of the list", pages_agree)


def test_jobs_are_filtered_by_state(client):
    def filter_agrees():
        states = Counter(job.JobState for job in describe_jobs(client, Limit=100).JobSet)
        for state, number in states.items():
            filtered = describe_jobs(client, Limit=100, Filters=[{"Name": "job-state", "Values": [state]}])
            assert {job.JobState for job in filtered.JobSet} == {state}
            assert len(filtered.JobSet) == number
        return True

    eventually("each state's filter gives as many jobs as the list has", filter_agrees)


def test_a_job_adds_up(client):
    def adds_up():
        for listed in describe_jobs(client, Limit=100).JobSet[:5]:
            job = describe_job(client, listed.JobId)
            assert job.JobId == listed.JobId and job.JobName == listed.JobName
            assert counts(job.TaskMetrics) == Counter({state: 0 for state in STATES}) + Counter(
                task.TaskState for task in job.TaskSet
            )
            instances = Counter()
            for task in job.TaskSet:
                instances += counts(describe_task(client, job.JobId, task.TaskName).TaskInstanceMetrics)
            assert instances == +counts(job.TaskInstanceMetrics)
        return True

    eventually("a job's counts are those of its tasks", adds_up)


def test_a_task_adds_up(client):
    tasks = some_tasks(client)
    assert tasks
    for job, name in tasks:
        task = describe_task(client, job, name, Limit=1000)
        assert (task.JobId, task.TaskName) == (job, name)
        assert task.TaskState in STATES
        assert sum(counts(task.TaskInstanceMetrics).values()) == task.TaskInstanceTotalCount > 0
        rows = task.TaskInstanceSet
        assert sorted(row.TaskInstanceIndex for row in rows) == list(range(task.TaskInstanceTotalCount))
        assert Counter(row.TaskInstanceState for row in rows) == +counts(task.TaskInstanceMetrics)
        for row in rows:
            instants = [row.CreateTime, row.LaunchTime, row.RunningTime, row.EndTime]
            known = [instant for instant in instants if instant]
            assert known and known == sorted(known), instants
            assert all(time.strptime(instant, "%Y-%m-%dT%H:%M:%SZ") for instant in known)
            assert (row.ExitCode is not None) == row.TaskInstanceState.startswith(("SUCCEED", "FAILED")), row


def test_instances_are_paged(client):
    for job, name in some_tasks(client):
        total = describe_task(client, job, name, Limit=1).TaskInstanceTotalCount
        indexes = []
        for offset in range(total + 1):
            page = describe_task(client, job, name, Offset=offset, Limit=1)
            assert page.TaskInstanceTotalCount == total
            assert len(page.TaskInstanceSet) == (1 if offset < total else 0)
            indexes += [row.TaskInstanceIndex for row in page.TaskInstanceSet]
        assert sorted(indexes) == list(range(total))


def test_instances_are_filtered(client):
    def filters_agree():
        for job, name in some_tasks(client, 3):
            seen = Counter()
            for state in STATES:
                filters = [{"Name": "task-instance-state", "Values": [state]}]
                rows = describe_task(client, job, name, Filters=filters).TaskInstanceSet
                assert {row.TaskInstanceState for row in rows} <= {state}
                seen[state] = len(rows)
            # An instance may move on between two filters: then this is tried again.
            assert seen == counts(describe_task(client, job, name).TaskInstanceMetrics)
        return True

    eventually("the rows of all states are all rows", filters_agree)


def test_a_wrong_key_is_refused(cloud):
    client = sdk.tencent(cloud, secret_key="not-the-secret-key")
    assert refusal(describe_jobs, client) == "AuthFailure.SignatureFailure"


def test_an_unknown_key_is_refused(cloud):
    client = sdk.tencent(cloud, secret_id="AKID00000000000000000000000000000000")
    assert refusal(describe_jobs, client) == "AuthFailure.SecretIdNotFound"


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_wrong_clock_is_refused(client, monkeypatch, seconds):
    monkeypatch.setattr(abstract_client, "time", SimpleNamespace(time=lambda: time.time() + seconds))
    assert refusal(describe_jobs, client) == "AuthFailure.SignatureExpire"


def test_unknown_tasks_and_jobs_are_not_found(client):
    job, _ = some_tasks(client, 1)[0]
    assert refusal(describe_task, client, job, "NoSuchTask") == "ResourceNotFound.Task"
    unknown = f"job-{uuid4().hex[:8]}"
    assert refusal(describe_task, client, unknown, "A").startswith("ResourceNotFound")
    assert refusal(describe_job, client, unknown) == "ResourceNotFound.Job"


def test_a_page_has_a_largest_size(client):
    job, name = some_tasks(client, 1)[0]
    assert refusal(describe_task, client, job, name, Limit=1001).startswith("InvalidParameter")
    assert refusal(describe_jobs, client, Limit=101).startswith("InvalidParameter")


# The legacy API 2.0.


def legacy(client, **fields):
    """Calls DescribeTask; the answer, and the code of its error as text, empty if it is none."""
    answer = json.loads(client.call("DescribeTask", fields))
    if "Response" in answer:
        return answer["Response"], answer["Response"].get("Error", {}).get("Code", "")
    return answer, str(answer["code"] or "")


def patient_legacy(client, **fields):
    """The same, again while the cloud asks for fewer requests."""
    for _ in range(50):
        answer, error = legacy(client, **fields)
        if not error.startswith(("4400", "RequestLimitExceeded")):
            return answer, error
        time.sleep(0.2)
    raise AssertionError("the simulated cloud throttles without end")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("signature_method", ["HmacSHA1", "HmacSHA256"])
def test_the_legacy_api_tells_the_same(cloud, client, method, signature_method):
    def tells_the_same():
        job, name = some_tasks(client, 1)[0]
        old = sdk.tencent_legacy(cloud, method=method, signature_method=signature_method)
        answer, error = patient_legacy(old, JobId=job, TaskName=name)
        assert not error, answer
        new = describe_task(client, job, name)
        # The old documents' own spelling of success.
        assert answer["TaskState"].replace("SUCCEEDED", "SUCCEED") == new.TaskState
        assert answer["TaskInstanceTotalCount"] == new.TaskInstanceTotalCount
        assert answer["TaskInstanceMetrics"]["FailedInterruptedCount"] == new.TaskInstanceMetrics.FailedInterruptedCount
        return True

    eventually("both APIs tell the same of a task", tells_the_same)


def test_the_legacy_api_refuses_a_wrong_key(cloud, client):
    job, name = some_tasks(client, 1)[0]
    _, error = patient_legacy(sdk.tencent_legacy(cloud, secret_key="not-the-secret-key"), JobId=job, TaskName=name)
    assert error.startswith(("4100", "AuthFailure"))


def test_the_legacy_api_refuses_a_nonce_it_has_seen(cloud, client):
    job, name = some_tasks(client, 1)[0]
    old = sdk.tencent_legacy(cloud)

    def taken():
        once = {"JobId": job, "TaskName": name, "Nonce": random.randint(1, 2**31), "Timestamp": int(time.time())}
        return once if not legacy(old, **once)[1] else None

    once = eventually("a first request is taken", taken, seconds=20)
    _, error = patient_legacy(old, **once)
    assert error.startswith(("4500", "AuthFailure"))


def test_the_legacy_api_knows_no_such_task(cloud, client):
    job, _ = some_tasks(client, 1)[0]
    _, error = patient_legacy(sdk.tencent_legacy(cloud), JobId=job, TaskName="NoSuchTask")
    assert error in ("5000", "TaskNotFound", "ResourceNotFound.Task")
