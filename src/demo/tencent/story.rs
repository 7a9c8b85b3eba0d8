//! What the simulated cloud tells of its world, in the vendor's words.

use super::super::world::{Attempt, End, Job, Life, Stage, World};
use super::parameters::{Filter, Parameters};
use super::{ENDLESS_JOB, NIGHTLY_JOB, RETRIED_JOB, Refusal, STUCK_JOB};
use jiff::Timestamp;
use serde_json::{Value, json};

const STREAM: &str = "tencent";
const TASKS: [&str; 3] = ["A", "B", "C"];
/// What jobs are called after, and whose they are.
const KINDS: [(&str, &str); 3] = [("etl", "data"), ("ml", "research"), ("report", "finance")];
/// Ids are made of so many letters and digits.
const ID_DIGITS: usize = 8;

/// Which documents' words are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Those of API 3.0.
    Current,
    /// Those of API 2.0: other filters, no pages of instances, and success is spelled `SUCCEEDED`.
    Of2017,
}

/// The world at an instant.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) world: &'a World,
    pub(super) now: Timestamp,
    pub(super) spelling: Spelling,
}

/// One job of the world under the name it has here.
struct Told {
    id: String,
    name: String,
    team: &'static str,
    whole: Job,
    /// Its tasks share its instances.
    tasks: Vec<(&'static str, Job)>,
}

impl Story<'_> {
    /// `DescribeTask`.
    pub(super) fn describe_task(&self, parameters: &Parameters) -> Result<Value, Refusal> {
        let pages = self.spelling == Spelling::Current;
        parameters.only(if pages {
            &["JobId", "TaskName", "Offset", "Limit", "Filters"]
        } else {
            &["JobId", "TaskName"]
        })?;
        let (offset, limit) = if pages { parameters.page(100, 1000)? } else { (0, usize::MAX) };
        let filters = parameters.filters(&["task-instance-state", "task-instance-type"])?;
        let (id, name) = (job_id(parameters)?, parameters.required("TaskName")?);
        let unknown = || Refusal::new("ResourceNotFound.Task", format!("there is no task {name:?} of {id}"));
        let told = self.jobs().into_iter().find(|told| told.id == id).ok_or_else(unknown)?;
        let (_, task) = told.tasks.iter().find(|(task, _)| *task == name).ok_or_else(unknown)?;
        let rows = task.lives.iter().enumerate().rev().filter_map(|(index, life)| self.row(index, life));
        let kept: Vec<Value> = rows.filter(|row| meets(&filters, |_| text(row, "TaskInstanceState"))).collect();
        Ok(json!({
            "JobId": id,
            "TaskName": name,
            "TaskState": self.state(task.stage(self.now)),
            "CreateTime": time(task.submitted),
            "EndTime": self.end_time(task),
            "TaskInstanceTotalCount": task.lives.len(),
            "TaskInstanceSet": kept.into_iter().skip(offset).take(limit).collect::<Vec<_>>(),
            "TaskInstanceMetrics": metrics(&self.stages(task)),
        }))
    }

    /// `DescribeJob`.
    pub(super) fn describe_job(&self, parameters: &Parameters) -> Result<Value, Refusal> {
        parameters.only(&["JobId"])?;
        let id = job_id(parameters)?;
        let unknown = || Refusal::new("ResourceNotFound.Job", format!("there is no job {id}"));
        let told = self.jobs().into_iter().find(|told| told.id == id).ok_or_else(unknown)?;
        let stages: Vec<Stage> = told.tasks.iter().map(|(_, task)| task.stage(self.now)).collect();
        let tasks = told.tasks.iter().map(|(name, task)| {
            json!({
                "TaskName": name,
                "TaskState": self.state(task.stage(self.now)),
                "CreateTime": time(task.submitted),
                "EndTime": self.end_time(task),
            })
        });
        let mut job = self.job_view(&told);
        if let Some(fields) = job.as_object_mut() {
            fields.remove("Placement");
            fields.insert("Zone".into(), "ap-guangzhou-6".into());
            fields.insert("TaskSet".into(), tasks.collect());
            fields.insert("DependenceSet".into(), json!([]));
            fields.insert("TaskMetrics".into(), metrics(&stages));
            fields.insert("TaskInstanceMetrics".into(), metrics(&self.stages(&told.whole)));
            fields.insert("StateReason".into(), "".into());
            fields.insert("NextAction".into(), "".into());
        }
        Ok(job)
    }

    /// `DescribeJobs`.
    pub(super) fn describe_jobs(&self, parameters: &Parameters) -> Result<Value, Refusal> {
        parameters.only(&["JobIds", "Filters", "Offset", "Limit"])?;
        let (offset, limit) = parameters.page(20, 100)?;
        let known: &[&str] = match self.spelling {
            Spelling::Current => &["job-id", "job-name", "job-state", "zone", "tag-key", "tag-value", "tag:"],
            Spelling::Of2017 => &["job-id", "job-name", "zone"],
        };
        let (ids, filters) = (parameters.list("JobIds"), parameters.filters(known)?);
        if !ids.is_empty() && !filters.is_empty() {
            let message = "JobIds and Filters cannot be given together";
            return Err(Refusal::new("InvalidParameter.InvalidParameterCombination", message));
        }
        if ids.len() > 100 {
            return Err(Refusal::new("InvalidParameterValue.LimitExceeded", "JobIds are 100 at the most"));
        }
        ids.iter().try_for_each(|id| well_formed(id))?;
        let listed = self.jobs().into_iter().rev();
        let matching: Vec<Value> = listed
            .filter(|told| ids.is_empty() || ids.contains(&told.id))
            .filter(|told| meets(&filters, |name| self.filtered_field(told, name)))
            .map(|told| self.job_view(&told))
            .collect();
        let total = matching.len();
        Ok(json!({"TotalCount": total, "JobSet": matching.into_iter().skip(offset).take(limit).collect::<Vec<_>>()}))
    }

    /// Every job there is, oldest first.
    fn jobs(&self) -> Vec<Told> {
        let standing = [
            (NIGHTLY_JOB, "nightly-etl", self.world.cyclic("nightly", self.now)),
            (RETRIED_JOB, "retried-load", self.world.retried(self.now)),
            (STUCK_JOB, "stuck-load", self.world.stuck()),
            (ENDLESS_JOB, "endless-load", self.world.endless()),
        ];
        let standing = standing.map(|(id, name, job)| Told::new(id.to_owned(), name.to_owned(), "data", job));
        let jobs = self.world.jobs(STREAM, self.now).into_iter().map(|job| {
            let kind = usize::try_from(job.number % 3).unwrap_or_default();
            let (prefix, team) = KINDS.get(kind).copied().unwrap_or(("etl", "data"));
            Told::new(id_of(job.number), format!("{prefix}-{}", job.number), team, job)
        });
        standing.into_iter().chain(jobs).collect()
    }

    fn job_view(&self, told: &Told) -> Value {
        let stages: Vec<Stage> = told.tasks.iter().map(|(_, task)| task.stage(self.now)).collect();
        json!({
            "JobId": told.id,
            "JobName": told.name,
            "JobState": self.state(told.whole.stage(self.now)),
            "Priority": 1,
            "Placement": {"Zone": "ap-guangzhou-6", "ProjectId": 0},
            "CreateTime": time(told.whole.submitted),
            "EndTime": self.end_time(&told.whole),
            "TaskMetrics": metrics(&stages),
            "Tags": [{"Key": "team", "Value": told.team}],
        })
    }

    fn filtered_field(&self, told: &Told, filter: &str) -> String {
        match filter {
            "job-id" => told.id.clone(),
            "job-name" => told.name.clone(),
            "job-state" => self.state(told.whole.stage(self.now)).to_owned(),
            "zone" => "ap-guangzhou-6".to_owned(),
            "tag-key" => "team".to_owned(),
            "tag-value" | "tag:team" => told.team.to_owned(),
            _ => String::new(),
        }
    }

    fn row(&self, index: usize, life: &Life) -> Option<Value> {
        let (stage, attempt) = life.at(self.now)?;
        let code = exit_code(stage, attempt);
        let has_machine = matches!(stage, Stage::Starting | Stage::Running | Stage::Interrupted);
        let past = |instant: Timestamp| (instant <= self.now).then(|| time(instant));
        Some(json!({
            "TaskInstanceIndex": index,
            "TaskInstanceState": self.state(stage),
            "ExitCode": code,
            "StateReason": code.filter(|code| *code != 0).map_or(String::new(), |code| format!("ExitCode: {code}")),
            "ComputeNodeInstanceId": has_machine.then(|| format!("ins-demo{index:04}")),
            "CreateTime": time(attempt.created),
            "LaunchTime": past(attempt.launched),
            "RunningTime": past(attempt.running),
            "EndTime": past(attempt.ended),
            "RedirectInfo": {"StdoutRedirectPath": "cos://demo-1250000000.cos.ap-guangzhou.myqcloud.com/logs/"},
        }))
    }

    fn stages(&self, job: &Job) -> Vec<Stage> {
        job.lives.iter().filter_map(|life| life.at(self.now)).map(|(stage, _)| stage).collect()
    }

    /// None before the end, and none while an interrupted task waits for somebody.
    fn end_time(&self, job: &Job) -> Option<String> {
        job.ended(self.now).filter(|_| job.stage(self.now) != Stage::Interrupted).map(time)
    }

    const fn state(&self, stage: Stage) -> &'static str {
        match (stage, self.spelling) {
            (Stage::Submitted, _) => "SUBMITTED",
            (Stage::Pending, _) => "PENDING",
            (Stage::Runnable, _) => "RUNNABLE",
            (Stage::Starting, _) => "STARTING",
            (Stage::Running, _) => "RUNNING",
            (Stage::Succeeded, Spelling::Current) => "SUCCEED",
            (Stage::Succeeded, Spelling::Of2017) => "SUCCEEDED",
            (Stage::Interrupted, _) => "FAILED_INTERRUPTED",
            (Stage::Failed, _) => "FAILED",
        }
    }
}

impl Told {
    fn new(id: String, name: String, team: &'static str, whole: Job) -> Self {
        let wanted = usize::try_from(whole.number / 3 % 3).unwrap_or_default() + 1;
        let count = whole.lives.len().min(wanted);
        let part = |first: usize| Job {
            number: whole.number,
            submitted: whole.submitted,
            lives: whole.lives.iter().skip(first).step_by(count).cloned().collect(),
        };
        let tasks = TASKS.into_iter().take(count).enumerate().map(|(index, name)| (name, part(index))).collect();
        Self { id, name, team, whole, tasks }
    }
}

/// The eight counts, of tasks or of instances.
fn metrics(stages: &[Stage]) -> Value {
    let count = |stage: Stage| stages.iter().filter(|other| **other == stage).count();
    json!({
        "SubmittedCount": count(Stage::Submitted),
        "PendingCount": count(Stage::Pending),
        "RunnableCount": count(Stage::Runnable),
        "StartingCount": count(Stage::Starting),
        "RunningCount": count(Stage::Running),
        "SucceedCount": count(Stage::Succeeded),
        "FailedInterruptedCount": count(Stage::Interrupted),
        "FailedCount": count(Stage::Failed),
    })
}

const fn exit_code(stage: Stage, attempt: &Attempt) -> Option<i64> {
    match (stage, attempt.end) {
        (Stage::Succeeded, _) => Some(0),
        (Stage::Failed | Stage::Interrupted, End::Failed(code) | End::Interrupted(code)) => Some(code),
        _ => None,
    }
}

fn meets(filters: &[Filter], field: impl Fn(&str) -> String) -> bool {
    filters.iter().all(|filter| filter.values.contains(&field(&filter.name)))
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn job_id(parameters: &Parameters) -> Result<&str, Refusal> {
    let id = parameters.required("JobId")?;
    well_formed(id)?;
    Ok(id)
}

fn well_formed(id: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_good = id.strip_prefix("job-").is_some_and(|rest| rest.len() == ID_DIGITS && rest.bytes().all(plain));
    let malformed = || Refusal::new("InvalidParameter.JobIdMalformed", format!("{id:?} is no job id"));
    if is_good { Ok(()) } else { Err(malformed()) }
}

/// A number as the vendor's ids look; two numbers never give the same, for the factor has no divisor in common with 36.
fn id_of(number: u64) -> String {
    const FACTOR: u64 = 1_580_030_173;
    let mut rest = number.wrapping_mul(FACTOR) % 36u64.pow(8);
    let mut digits = String::from("job-");
    for _ in 0..ID_DIGITS {
        let digit = u32::try_from(rest % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        rest /= 36;
    }
    digits
}

/// Whole seconds in UTC.
fn time(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
