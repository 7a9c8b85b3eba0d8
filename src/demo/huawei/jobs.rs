//! What the simulated CCE says of a job: a life of the world as the making of a cluster, or of some nodes.
//!
//! Making a cluster has two levels of jobs, making nodes has three; the third appears once the machine starts.

use crate::demo::world::{Attempt, Life, Stage, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A job, or a sub-job, about to be told.
struct Part {
    uid: String,
    kind: &'static str,
    name: Option<String>,
    stage: Stage,
    created: Timestamp,
    updated: Timestamp,
    parts: Vec<Self>,
}

/// The document of a job: the making of a cluster, or else of nodes.
pub(super) fn document(world: &World, job_id: &str, is_cluster: bool, now: Timestamp) -> Value {
    let job = world.cyclic(job_id, now);
    let lives = job.lives.iter().zip(0u8..);
    let make = if is_cluster { part_of_cluster } else { node };
    let parts = lives.filter_map(|(life, number)| make(job_id, number, life, now)).collect();
    let (kind, name) = if is_cluster { ("CreateCluster", "demo-cluster") } else { ("ScaleupCluster", "demo-nodepool") };
    Part {
        uid: job_id.to_owned(),
        kind,
        name: Some(format!("{name}-{}", job.number)),
        stage: job.stage(now),
        created: job.submitted,
        updated: job.updated(now),
        parts,
    }
    .document(&uid(job_id, 0xc1))
}

fn part_of_cluster(job_id: &str, number: u8, life: &Life, now: Timestamp) -> Option<Part> {
    let kind = if number.is_multiple_of(2) { "InstallMaster" } else { "CreatePSMCert" };
    let (stage, attempt) = life.at(now)?;
    let (created, updated) = (attempt.created, last_change(attempt, now));
    Some(Part { uid: uid(job_id, number), kind, name: None, stage, created, updated, parts: Vec::new() })
}

fn node(job_id: &str, number: u8, life: &Life, now: Timestamp) -> Option<Part> {
    let (stage, attempt) = life.at(now)?;
    let (created, updated) = (attempt.created, last_change(attempt, now));
    let part = |offset: u8, kind, stage, updated| {
        let uid = uid(job_id, number + offset);
        Part { uid, kind, name: None, stage, created, updated, parts: Vec::new() }
    };
    let parts = if stage < Stage::Starting {
        Vec::new()
    } else {
        let certificate = part(0x40, "GetPSMCert", Stage::Succeeded, attempt.launched);
        vec![certificate, part(0x80, "InstallNode", stage, updated)]
    };
    let name = Some(format!("demo-node-{number}"));
    Some(Part { uid: uid(job_id, number), kind: "CreateNode", name, stage, created, updated, parts })
}

impl Part {
    fn document(&self, cluster: &str) -> Value {
        let sub_jobs: Vec<Value> = self.parts.iter().map(|part| part.document(cluster)).collect();
        // Nothing is made before it starts.
        let resource = if self.stage < Stage::Starting { "" } else { &*self.uid };
        let mut spec = json!({"type": self.kind, "clusterUID": cluster, "resourceID": resource, "subJobs": sub_jobs});
        if let (Some(name), Some(spec)) = (&self.name, spec.as_object_mut()) {
            spec.insert("resourceName".to_owned(), json!(name));
            spec.insert("extendParam".to_owned(), json!({"serverID": resource}));
        }
        json!({
            "kind": "Job",
            "apiVersion": "v3",
            "metadata": {
                "uid": self.uid,
                "creationTimestamp": self.time(self.created),
                "updateTimestamp": self.time(self.updated),
            },
            "spec": spec,
            "status": {"phase": phase(self.stage), "reason": self.reason()},
        })
    }

    fn reason(&self) -> &'static str {
        if phase(self.stage) == "Failed" && self.parts.is_empty() { "the node did not answer in time" } else { "" }
    }

    /// Go's form of a time, whose fraction has from no digit to nine: the world knows whole seconds, a job its own
    /// fraction.
    fn time(&self, at: Timestamp) -> String {
        let mixed = self.uid.bytes().fold(7u32, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let unit = 10u32.pow(mixed % 10);
        let nanoseconds = mixed % 1_000_000_000 / unit * unit;
        // Earlier, not later: nothing has happened in the future.
        let at = at - SignedDuration::from_nanos(i64::from(nanoseconds));
        at.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string()
    }
}

fn phase(stage: Stage) -> &'static str {
    match stage {
        Stage::Submitted | Stage::Pending | Stage::Runnable => "Initializing",
        Stage::Starting | Stage::Running => "Running",
        Stage::Succeeded => "Success",
        Stage::Interrupted | Stage::Failed => "Failed",
    }
}

fn last_change(attempt: &Attempt, now: Timestamp) -> Timestamp {
    let changes = [attempt.launched, attempt.running, attempt.ended];
    changes.into_iter().filter(|change| *change <= now).max().unwrap_or(attempt.created)
}

/// The uid of something that belongs to a job.
fn uid(job_id: &str, number: u8) -> String {
    let rest = job_id.split_once('-').map_or(job_id, |(_, rest)| rest);
    format!("5eed00{number:02x}-{rest}")
}
