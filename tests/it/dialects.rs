//! The three clouds as the fault tests know them: how each is configured, and how it says that all is well.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::Exporter;

/// One cloud's way to be configured and to answer.
#[derive(Clone, Copy)]
pub struct Dialect {
    pub provider: &'static str,
    pub config: fn(endpoint: &str) -> String,
    /// An answer that says: running.
    pub good: fn(&Asked) -> Reply,
    /// The id of the task that things go wrong for; the others stay well.
    pub bad: &'static str,
    pub other: &'static str,
}

pub const POLL: &str = "poll: {interval: 1s, timeout: 2s, not_found_grace: 0s}\n";

pub const TENCENT: Dialect = Dialect {
    provider: "tencent",
    config: |endpoint| {
        format!(
            "{POLL}tencent:\n  - account: prod\n    region: ap-guangzhou\n    endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{secret_id: {{env: KEY}}, secret_key: {{env: SECRET}}}}\n    targets:\n      \
             - {{job: job-bad00000, tasks: [A]}}\n      - {{job: job-good0000, tasks: [A]}}\n"
        )
    },
    good: |_| {
        Reply::json(
            r#"{"Response":{"JobId":"job-x","TaskName":"A","TaskState":"RUNNING","CreateTime":"2026-01-01T00:00:00Z",
            "EndTime":null,"TaskInstanceTotalCount":1,"TaskInstanceSet":[],"TaskInstanceMetrics":{"SubmittedCount":0,
            "PendingCount":1,"RunnableCount":0,"StartingCount":0,"RunningCount":0,"SucceedCount":0,
            "FailedInterruptedCount":0,"FailedCount":0},"RequestId":"r"}}"#,
        )
    },
    bad: "job-bad00000",
    other: "job-good0000",
};

pub const ALIYUN: Dialect = Dialect {
    provider: "aliyun",
    config: |endpoint| {
        format!(
            "{POLL}aliyun:\n  - account: prod\n    region: cn-hangzhou\n    endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: SECRET}}}}\n    targets:\n      \
             - {{task: T-bad}}\n      - {{task: T-good}}\n"
        )
    },
    good: |_| {
        Reply::json(
            r#"{"task_id":"T-x","state":"running","created":"2026-01-01T00:00:00+08:00","updated":"2026-01-01T00:00:00+08:00",
            "task_type":"cluster_scaleout","task_result":[{"data":"i-1","status":"success"}]}"#,
        )
    },
    bad: "T-bad",
    other: "T-good",
};

pub const HUAWEI: Dialect = Dialect {
    provider: "huawei",
    config: |endpoint| {
        format!(
            "{POLL}huawei:\n  - account: prod\n    region: cn-north-4\n    project_id: 0123456789abcdef0123456789abcdef\n    \
             endpoint: {endpoint}\n    iam_endpoint: {endpoint}\n    rate_limit: 1000\n    \
             credentials: {{access_key: {{env: KEY}}, secret_key: {{env: SECRET}}}}\n    targets:\n      \
             - {{job: bad-0001}}\n      - {{job: good-0001}}\n"
        )
    },
    good: |_| {
        Reply::json(
            r#"{"kind":"Job","metadata":{"uid":"x","creationTimestamp":"2026-01-01 00:00:00 +0000 UTC",
            "updateTimestamp":"2026-01-01 00:00:01.5 +0000 UTC"},"spec":{"type":"CreateCluster"},"status":{"phase":"Running"}}"#,
        )
    },
    bad: "bad-0001",
    other: "good-0001",
};

pub const ALL: [Dialect; 3] = [TENCENT, ALIYUN, HUAWEI];

impl Dialect {
    /// A config with this cloud's account and that of another.
    pub fn config_beside(self, endpoint: &str, other: Self, others_endpoint: &str) -> String {
        let second = (other.config)(others_endpoint);
        (self.config)(endpoint) + second.strip_prefix(POLL).unwrap()
    }

    /// An exporter and its cloud after the first good polls of both tasks.
    pub fn start(self) -> (FakeCloud, Exporter) {
        let cloud = FakeCloud::start(self.good);
        let exporter = Exporter::serve(&(self.config)(&cloud.endpoint()));
        for id in [self.bad, self.other] {
            exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
        }
        (cloud, exporter)
    }

    /// From now on the one task is answered so, the other as before.
    pub fn answer_bad_with(self, cloud: &FakeCloud, reply: Reply) {
        let Self { bad, good, .. } = self;
        cloud.now_answers(move |asked| if asked.is_about(bad) { reply.clone() } else { good(asked) });
    }
}
