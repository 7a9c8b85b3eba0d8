"""What the exporter shows of a task is what the vendor's SDK says of it."""

import time
from collections import Counter
from datetime import datetime, timezone

import pytest
import sdk
from huaweicloudsdkcce.v3 import ShowJobRequest
from tencentcloud.batch.v20170312.models import DescribeTaskRequest

PHASES = {
    "tencent": {
        "SUBMITTED": "pending", "PENDING": "pending", "RUNNABLE": "pending", "STARTING": "pending",
        "RUNNING": "running", "SUCCEED": "succeeded", "FAILED": "failed", "FAILED_INTERRUPTED": "failed",
    },
    "aliyun": {
        "initial": "pending", "running": "running", "paused": "paused", "success": "succeeded", "fail": "failed",
        "failed": "failed", "timeout": "failed", "canceled": "cancelled",
    },
    "huawei": {"Initializing": "pending", "Running": "running", "Success": "succeeded", "Failed": "failed"},
}
TENCENT_COUNTERS = {
    "SubmittedCount": "submitted", "PendingCount": "pending", "RunnableCount": "runnable", "StartingCount": "starting",
    "RunningCount": "running", "SucceedCount": "succeeded", "FailedCount": "failed",
    "FailedInterruptedCount": "failed_interrupted",
}
ALIYUN_ROWS = {"initial": "pending", "initail": "pending", "success": "succeeded", "failed": "failed"}
# Enough for several polls and for a task that moves on while it is looked at.
SECONDS = 90


def tencent(client, task_id):
    request = DescribeTaskRequest()
    request.JobId, request.TaskName = task_id.split("/")
    request.Limit = 1000
    task = sdk.patiently(client.DescribeTask, request)
    exits = Counter(str(row.ExitCode) for row in task.TaskInstanceSet if row.ExitCode is not None)
    return {
        "state": task.TaskState,
        "instances": {state: getattr(task.TaskInstanceMetrics, name) for name, state in TENCENT_COUNTERS.items()},
        "created": epoch(task.CreateTime),
        "exits": dict(exits),
    }


def aliyun(client, task_id):
    task = sdk.patiently(client.describe_task_info, task_id).body
    rows = Counter(ALIYUN_ROWS.get(row.status, "unknown") for row in task.task_result or ())
    return {
        "state": task.state,
        "instances": {state: rows[state] for state in ("pending", "succeeded", "failed", "unknown")},
        "created": epoch(task.created),
        "exits": {},
    }


def huawei(client, task_id):
    job = sdk.patiently(client.show_job, ShowJobRequest(job_id=task_id))
    leaves = Counter(PHASES["huawei"].get(phase, "unknown") for phase in leaf_phases(job, is_root=True))
    return {
        "state": job.status.phase,
        "instances": {state: leaves[state] for state in ("pending", "running", "succeeded", "failed", "unknown")},
        "created": epoch(job.metadata.creation_timestamp.removesuffix(" +0000 UTC") + "Z"),
        "exits": {},
    }


def leaf_phases(job, is_root=False):
    """The phases of the sub-jobs that have no sub-jobs themselves."""
    parts = (job.spec.sub_jobs if job.spec else None) or []
    if parts:
        return [phase for part in parts for phase in leaf_phases(part)]
    return [] if is_root else [job.status.phase if job.status else None]


def epoch(text):
    moment = datetime.fromisoformat(text.replace(" ", "T"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def shown(demo, provider):
    """The same facts of each task, by account and id, from /metrics."""
    tasks = {}
    for sample in demo.samples():
        labels = sample.labels
        if labels.get("provider") != provider or "task_id" not in labels:
            continue
        task = tasks.setdefault((labels["account"], labels["task_id"]), {"instances": {}, "exits": {}})
        if sample.name == "cloud_task_phase" and sample.value == 1:
            task["phase"] = labels["phase"]
        elif sample.name == "cloud_task_provider_state":
            # The legacy API's documents spell success their own way.
            task["state"] = labels["state"].replace("SUCCEEDED", "SUCCEED")
        elif sample.name == "cloud_task_instances":
            task["instances"][labels["state"]] = sample.value
        elif sample.name == "cloud_task_created_timestamp_seconds":
            task["created"] = sample.value
        elif sample.name == "cloud_task_instance_exits":
            task["exits"][labels["exit_code"]] = sample.value
    return tasks


def difference(provider, told, seen):
    """What of a task differs, as text; empty if nothing does."""
    told = {**told, "phase": PHASES[provider][told["state"]]}
    return "; ".join(
        f"{what}: the SDK says {told[what]}, /metrics {seen.get(what)}"
        for what in ("state", "phase", "instances", "exits", "created")
        if (abs(told[what] - seen.get(what, 0)) > 0.01 if what == "created" else told[what] != seen.get(what))
    )


@pytest.mark.parametrize("provider, ask", [("tencent", tencent), ("aliyun", aliyun), ("huawei", huawei)])
def test_metrics_say_what_the_sdk_says(demo, provider, ask):
    client = getattr(sdk, provider)(demo.clouds[provider])
    # The newest: the oldest may be deleted while they are compared.
    created = {task: facts["created"] for task, facts in shown(demo, provider).items() if "created" in facts}
    left = set(sorted(created, key=created.get)[-10:])
    assert left
    differences = {}
    deadline = time.monotonic() + SECONDS
    while left and time.monotonic() < deadline:
        told = {(account, task_id): ask(client, task_id) for account, task_id in left}
        seen = shown(demo, provider)
        differences = {task: difference(provider, told[task], seen.get(task, {})) for task in left}
        left = {task for task, text in differences.items() if text}
        time.sleep(0.5)
    assert not left, differences
