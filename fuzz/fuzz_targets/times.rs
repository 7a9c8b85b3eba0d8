//! Texts in the places where a cloud writes times: the fields of its answers and the header `Date`.
#![no_main]

use cloud_task_exporter::cloud::{Answer, Error, aliyun, huawei, tencent};
use cloud_task_exporter::model::{Reading, Task};
use http::HeaderValue;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

type Read = fn(&Answer) -> Result<Reading, Error>;

/// A finished task of each cloud with that text for every time.
fn documents(text: &str) -> [(Value, Read); 3] {
    let row = json!({"TaskInstanceIndex": 0, "TaskInstanceState": "SUCCEED", "CreateTime": text, "LaunchTime": text,
        "RunningTime": text, "EndTime": "2026-01-01T00:00:00Z"});
    let tencent = json!({"Response": {"TaskState": "SUCCEED", "TaskInstanceTotalCount": 1, "CreateTime": text,
        "EndTime": text, "TaskInstanceSet": [row]}});
    let aliyun = json!({"state": "success", "created": text, "updated": "2026-01-01T00:00:00Z"});
    let times = json!({"creationTimestamp": text, "updateTimestamp": text});
    let below = json!({"metadata": times, "status": {"phase": "Success"}});
    let huawei = json!({"metadata": times, "status": {"phase": "Success"}, "spec": {"subJobs": [below]}});
    [
        (tencent, |answer| tencent::read_answer("job/task", answer)),
        (aliyun, aliyun::read_answer),
        (huawei, huawei::read_answer),
    ]
}

fn read(text: &str) -> [Task; 3] {
    documents(text).map(|(document, read)| {
        let answer = laws::answer(200, document.to_string().as_bytes());
        read(&answer).expect("no time is a reason to refuse an answer").task
    })
}

fuzz_target!(|text: &str| {
    for (cloud, task) in read(text).into_iter().enumerate() {
        assert!(task.run_seconds().is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
        assert!(task.run.as_ref().is_none_or(|run| run.sum().is_finite()));
        if let Some(created) = task.created {
            let again = read(&created.to_string());
            assert_eq!(
                again.get(cloud).and_then(|task| task.created),
                Some(created),
                "{text:?} is read as another time"
            );
        }
    }
    if let Ok(value) = HeaderValue::from_str(text) {
        let mut answer = laws::answer(200, b"");
        answer.headers.insert("date", value);
        assert!(answer.date().is_none_or(|date| (Timestamp::MIN..=Timestamp::MAX).contains(&date)));
    }
});
