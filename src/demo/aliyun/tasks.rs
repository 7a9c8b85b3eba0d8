//! The lives of the world told as tasks of clusters, in the vendor's words and formats.

use super::{CLUSTER_IDS, REGION, TASK_ID};
use crate::cloud::digest;
use crate::demo::world::{Job, Stage, World};
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use serde_json::{Value, json};

/// A task whose id is not like the others', as those of add-ons are.
const ADDON_TASK_ID: &str = "install-addons-c3f0e1d2";
const ADDON_TYPE: &str = "cluster_addon_install";
const TYPES: [&str; 5] = ["cluster_scaleout", "nodepool_upgrade", ADDON_TYPE, "cluster_node_drain", "cluster_upgrade"];

/// A task of a cluster.
#[derive(Debug)]
pub(super) struct ClusterTask {
    pub(super) id: String,
    pub(super) cluster_id: &'static str,
    pub(super) job: Job,
    task_type: &'static str,
}

/// Every task there is now.
pub(super) fn all(world: &World, now: Timestamp) -> Vec<ClusterTask> {
    let [first, second] = CLUSTER_IDS;
    let standing = [(TASK_ID, first, "cluster_scaleout"), (ADDON_TASK_ID, second, ADDON_TYPE)];
    let standing = standing.into_iter().map(|(id, cluster_id, task_type)| ClusterTask {
        id: id.to_owned(),
        cluster_id,
        job: world.cyclic(id, now),
        task_type,
    });
    let passing = world.jobs("aliyun", now).into_iter().map(|job| ClusterTask {
        id: format!("T-{}", digits("task", job.number, 24)),
        cluster_id: if job.number % 2 == 0 { first } else { second },
        task_type: choose(&TYPES, job.number),
        job,
    });
    standing.chain(passing).collect()
}

/// A cluster as DescribeClustersV1 lists it.
pub(super) fn cluster(cluster_id: &str, index: usize, now: Timestamp) -> Value {
    json!({
        "cluster_id": cluster_id, "name": format!("demo-{index}"), "region_id": REGION, "state": "running",
        "cluster_type": "ManagedKubernetes", "cluster_spec": "ack.pro.small", "profile": "Default",
        "current_version": "1.34.1-aliyun.1", "size": 6, "created": "2024-03-01T10:00:00+08:00",
        "updated": time(now, "%Y-%m-%dT%H:%M:%S%:z"), "tags": [{"key": "team", "value": "data"}],
    })
}

impl ClusterTask {
    /// As DescribeTaskInfo tells it.
    pub(super) fn info(&self, now: Timestamp) -> Value {
        let job = &self.job;
        let rows = self.rows(now);
        json!({
            "cluster_id": self.cluster_id, "task_id": self.id, "task_type": self.task_type, "state": self.state(now),
            "created": time(job.submitted, "%Y-%m-%dT%H:%M:%S%:z"),
            "updated": time(job.updated(now), "%Y-%m-%dT%H:%M:%S%:z"),
            "target": {"id": format!("np{}", digits("pool", job.number % 4, 32)), "type": "nodepool"},
            "parameters": {"count": rows.len(), "options": {"drain": true, "nodes": []}},
            "current_stage": if job.ended(now).is_some() { "" } else { "DrainNodes" },
            "stages": [{
                "state": self.state(now), "message": "", "outputs": {},
                "start_time": time(job.submitted, "%Y-%m-%d %H:%M:%S"),
                "end_time": job.ended(now).map_or_else(String::new, |ended| time(ended, "%Y-%m-%d %H:%M:%S")),
            }],
            "events": [{
                "action": "start", "level": "Normal", "message": "the task has begun", "reason": "TaskStart",
                "source": "ACK", "timestamp": job.submitted.as_millisecond().to_string(),
            }],
            "task_result": if rows.is_empty() { Value::Null } else { rows.into() },
            "error": self.error(now), "outputs": null,
        })
    }

    /// As DescribeClusterTasks lists it.
    pub(super) fn row(&self, now: Timestamp) -> Value {
        json!({
            "task_id": self.id, "task_type": self.task_type, "state": self.state(now), "error": self.error(now),
            "created": time(self.job.submitted, "%Y-%m-%dT%H:%M:%S%:z"),
            "updated": time(self.job.updated(now), "%Y-%m-%dT%H:%M:%S%.3f%:z"),
        })
    }

    fn state(&self, now: Timestamp) -> &'static str {
        match self.job.stage(now) {
            Stage::Submitted | Stage::Pending | Stage::Runnable => "initial",
            Stage::Starting | Stage::Running if self.job.number % 6 == 5 => "paused",
            Stage::Starting | Stage::Running => "running",
            Stage::Succeeded => "success",
            Stage::Interrupted | Stage::Failed => choose(&["fail", "canceled", "fail", "timeout"], self.job.number),
        }
    }

    fn error(&self, now: Timestamp) -> Value {
        match self.state(now) {
            "fail" | "timeout" => json!({"code": "400", "message": "failed to set up a node"}),
            _ => json!({"code": "", "message": ""}),
        }
    }

    /// The instances of the job as resources of the task.
    fn rows(&self, now: Timestamp) -> Vec<Value> {
        let stages = self.job.lives.iter().filter_map(|life| life.at(now)).map(|(stage, _)| stage);
        stages
            .zip(0u64..)
            .map(|(stage, index)| {
                let status = match stage {
                    Stage::Succeeded => "success",
                    Stage::Interrupted | Stage::Failed => "failed",
                    _ => "initial",
                };
                json!({"data": format!("i-{}", digits(&self.id, index, 20)), "status": status})
            })
            .collect()
    }
}

/// Hexadecimal digits that belong to a name and a number.
fn digits(name: &str, number: u64, length: usize) -> String {
    let mut digits = digest::sha256_hex(format!("{name} {number}").as_bytes());
    digits.truncate(length);
    digits
}

fn choose(words: &[&'static str], number: u64) -> &'static str {
    let number = usize::try_from(number).unwrap_or_default();
    words.get(number % words.len()).copied().unwrap_or_default()
}

/// In China's time, as the vendor writes it.
fn time(at: Timestamp, format: &str) -> String {
    at.to_zoned(TimeZone::fixed(offset(8))).strftime(format).to_string()
}
