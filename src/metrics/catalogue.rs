//! Every metric of the exporter, once: name, type, unit, help and labels with the values they can have.
//!
//! Rendering, the reference in the README and the tests read from here; a name that stands nowhere here does not exist.

use super::write::push;
use crate::model::{INSTANCE_STATES, Outcome, Phase, Reason};

/// The type of a family, as Prometheus knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// May go up and down.
    Gauge,
    /// Only rises; its name ends in `_total`.
    Counter,
    /// Buckets, a sum and a count.
    Histogram,
}

impl Kind {
    /// The word after `# TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// What the values of a family are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Lengths of time, in seconds.
    Seconds,
    /// Instants, in seconds since 1970 began.
    Timestamp,
    /// Sizes, in bytes.
    Bytes,
    /// Rates of requests, per second.
    RequestsPerSecond,
    /// Numbers of things, and facts that are 0 or 1.
    None,
}

/// A metric family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name of its samples (of a histogram: without the suffixes).
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it says, one sentence.
    pub help: &'static str,
    /// Its label names, beside those of its scope.
    pub labels: &'static [&'static str],
}

impl Family {
    /// What its values are measured in: its name says so, as Prometheus wants it.
    pub fn unit(&self) -> Unit {
        match self.name.trim_end_matches("_total") {
            name if name.ends_with("_timestamp_seconds") || name.ends_with("_start_time_seconds") => Unit::Timestamp,
            name if name.ends_with("_requests_per_second") => Unit::RequestsPerSecond,
            name if name.ends_with("_seconds") => Unit::Seconds,
            name if name.ends_with("_bytes") => Unit::Bytes,
            _ => Unit::None,
        }
    }
}

/// A label whose values are a closed set. Those of `provider` are one, too: the clouds themselves.
#[derive(Clone, Debug)]
pub struct ClosedLabel {
    /// The name of the label.
    pub label: &'static str,
    /// The only family of which that is true; none: every family that has the label.
    pub family: Option<&'static str>,
    /// The values it can have.
    pub values: Vec<&'static str>,
}

/// Every label whose values are a closed set of this project. All others hold what people and clouds call their things.
pub fn closed_labels() -> [ClosedLabel; 4] {
    [
        ClosedLabel { label: "phase", family: None, values: Phase::ALL.map(Phase::as_str).into() },
        ClosedLabel { label: "outcome", family: None, values: Outcome::ALL.map(Outcome::as_str).into() },
        ClosedLabel { label: "reason", family: None, values: Reason::ALL.map(Reason::as_str).into() },
        ClosedLabel { label: "state", family: Some(INSTANCES.name), values: INSTANCE_STATES.into() },
    ]
}

/// Labels of a series of one task.
pub const TASK_LABELS: [&str; 5] = ["provider", "account", "cloud_region", "group", "task_id"];
/// Labels of a series of the tasks of one group.
pub const FLEET_LABELS: [&str; 4] = ["provider", "account", "cloud_region", "group"];

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help, labels }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help, labels }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Histogram, help, labels }
}

macro_rules! families {
    ($list:ident: $what:literal; $($constant:ident = $family:expr;)*) => {
        $(pub(super) const $constant: Family = $family;)*
        #[doc = $what]
        pub const $list: &[Family] = &[$($constant),*];
    };
}

families! { TASK: "Families with series of single tasks; each has the labels of [`TASK_LABELS`] too.";
    INFO = gauge("cloud_task_info", &["job_id", "task_name", "task_type", "cluster_id"],
        "Facts of a task that do not change, and the labels configured for it; always 1.");
    PHASE = gauge("cloud_task_phase", &["phase"],
        "Whether the task is in this phase; exactly one of its phases is 1.");
    PROVIDER_STATE = gauge("cloud_task_provider_state", &["state"],
        "The provider's own word for the state of the task; always 1.");
    INSTANCES = gauge("cloud_task_instances", &["state"],
        "Instances of the task by state.");
    INSTANCES_EXPECTED = gauge("cloud_task_instances_expected", &[],
        "Instances the task is to have.");
    ROWS_TRUNCATED = gauge("cloud_task_instance_rows_truncated", &[],
        "Whether instance rows beyond the page cap were left unread; counts are whole all the same.");
    EXITS = gauge("cloud_task_instance_exits", &["exit_code"],
        "Finished instances of the task by exit code; at most ten codes, the rest as other.");
    CREATED = gauge("cloud_task_created_timestamp_seconds", &[],
        "When the task was created.");
    STARTED = gauge("cloud_task_started_timestamp_seconds", &[],
        "When the first instance of the task began to run.");
    FINISHED = gauge("cloud_task_finished_timestamp_seconds", &[],
        "When the task ended; for clouds without an end time, when it was last updated.");
    RUN_DURATION = gauge("cloud_task_run_duration_seconds", &[],
        "Time from the start of the task, or else its creation, to its end.");
    QUEUE = histogram("cloud_task_instance_queue_duration_seconds", &[],
        "Time from creation to launch of the instances of the task.");
    STARTUP = histogram("cloud_task_instance_startup_duration_seconds", &[],
        "Time from launch to running of the instances of the task.");
    RUN = histogram("cloud_task_instance_run_duration_seconds", &[],
        "Time from running to end of the instances of the task.");
}

families! { POLL: "Families that say how polling a single task goes; each has the labels of [`TASK_LABELS`] too.";
    POLL_SUCCESS = gauge("cloud_task_poll_success", &[],
        "Whether the last poll of the task succeeded.");
    LAST_POLL_SUCCESS = gauge("cloud_task_last_poll_success_timestamp_seconds", &[],
        "When the task was last polled successfully; the data of its other series is from then.");
}

families! { FLEET: "Families that count the tasks of a group; each has the labels of [`FLEET_LABELS`] too.";
    TASKS = gauge("cloud_tasks", &["phase"],
        "Tasks by phase.");
    FINISHED_TOTAL = counter("cloud_tasks_finished_total", &["outcome"],
        "Runs of tasks that finished, by outcome.");
    INSTANCE_FAILURES = counter("cloud_task_instance_failures_total", &[],
        "Instances that failed or were interrupted.");
    DURATION = histogram("cloud_task_duration_seconds", &["outcome"],
        "Time from start, or else creation, to end of the runs of tasks that finished.");
}

families! { OWN: "Families about the exporter itself.";
    POLLS = counter("cloud_task_exporter_polls_total", &["provider", "account"],
        "Polls of tasks.");
    POLL_FAILURES = counter("cloud_task_exporter_poll_failures_total", &["provider", "account", "reason"],
        "Polls of tasks that failed, by reason.");
    POLL_PANICS = counter("cloud_task_exporter_poll_panics_total", &["provider", "account"],
        "Polls of tasks, and readings of lists of tasks, that ended by a bug; of the polls, each is a failure, reason decode, too.");
    DISCOVERIES = counter("cloud_task_exporter_discoveries_total", &["provider", "account"],
        "Readings of lists of tasks.");
    DISCOVERY_FAILURES = counter("cloud_task_exporter_discovery_failures_total", &["provider", "account", "reason"],
        "Readings of lists of tasks that failed, by reason.");
    API_REQUESTS = counter("cloud_task_exporter_api_requests_total", &["provider", "account", "api", "code"],
        "Requests to the API of a cloud, by its answer: ok, or the error code.");
    API_REQUEST_DURATION = histogram("cloud_task_exporter_api_request_duration_seconds", &["provider", "api"],
        "Time from sending a request to the end of its answer.");
    API_THROTTLED = counter("cloud_task_exporter_api_throttled_total", &["provider", "account", "api"],
        "Answers of a cloud that asked for fewer requests.");
    API_WAIT = counter("cloud_task_exporter_api_rate_limit_wait_seconds_total", &["provider", "account", "api"],
        "Time requests waited for the quota of their account.");
    API_QUOTA = gauge("cloud_task_exporter_api_quota_requests_per_second", &["provider", "account", "api"],
        "Requests per second the exporter allows itself.");
    API_DEMAND = gauge("cloud_task_exporter_api_demand_requests_per_second", &["provider", "account", "api"],
        "Requests per second the tasks and finders ask for by their intervals, without retries and requests for keys; above the quota polls get late.");
    SCHEDULE_LAG = gauge("cloud_task_exporter_schedule_lag_seconds", &["provider", "account"],
        "How late the poll is by now that is due longest and has not ended.");
    CREDENTIALS_EXPIRY = gauge("cloud_task_exporter_credentials_expiry_timestamp_seconds", &["provider", "account"],
        "When the temporary credentials of an account end.");
    UNKNOWN_STATES = counter("cloud_task_exporter_unknown_states_total", &["provider"],
        "Words for a state in the answers of a cloud that the exporter does not know.");
    SERIES = gauge("cloud_task_exporter_series", &[],
        "Series of single tasks that are exported.");
    SERIES_LIMIT = gauge("cloud_task_exporter_series_limit", &[],
        "Series of single tasks past which new tasks are left out.");
    SERIES_DROPPED = counter("cloud_task_exporter_series_dropped_total", &[],
        "Series of new tasks that were left out because of the limit.");
    RELOAD_SUCCESSFUL = gauge("cloud_task_exporter_config_last_reload_successful", &[],
        "Whether the last time the config was loaded it was taken.");
    RELOAD_TIMESTAMP = gauge("cloud_task_exporter_config_last_reload_success_timestamp_seconds", &[],
        "When a config was last loaded and taken.");
    STATE_WRITTEN = gauge("cloud_task_exporter_state_last_write_success_timestamp_seconds", &[],
        "When the state file last held all that was known; only with a state file.");
    STATE_WRITE_FAILURES = counter("cloud_task_exporter_state_write_failures_total", &[],
        "Attempts to write the state file that failed; only with a state file.");
    BUILD_INFO = gauge("cloud_task_exporter_build_info", &["version", "revision"],
        "The version that runs; always 1.");
}

/// Families about the process, made by the `prometheus` crate; names and help are the convention's.
pub const PROCESS: &[Family] = &[
    counter("process_cpu_seconds_total", &[], "Total user and system CPU time spent in seconds."),
    gauge("process_max_fds", &[], "Maximum number of open file descriptors."),
    gauge("process_open_fds", &[], "Number of open file descriptors."),
    gauge("process_resident_memory_bytes", &[], "Resident memory size in bytes."),
    gauge("process_start_time_seconds", &[], "Start time of the process since unix epoch in seconds."),
    gauge("process_threads", &[], "Number of OS threads in the process."),
    gauge("process_virtual_memory_bytes", &[], "Virtual memory size in bytes."),
];

/// The metric reference of the README: a table per scope, and one of the labels with closed sets of values.
pub fn reference() -> String {
    let mut text = String::new();
    push_scope(&mut text, "Series of single tasks", &TASK_LABELS, &[TASK, POLL]);
    push_scope(&mut text, "Series of groups of tasks", &FLEET_LABELS, &[FLEET]);
    push_scope(&mut text, "Series about the exporter", &[], &[OWN]);
    push_scope(&mut text, "Series about the process", &[], &[PROCESS]);
    push_closed_labels(&mut text);
    text
}

fn push_scope(text: &mut String, title: &str, labels: &[&str], lists: &[&[Family]]) {
    push(text, format_args!("#### {title}\n\n"));
    if !labels.is_empty() {
        push(text, format_args!("All have the labels {}.\n\n", code_list(labels)));
    }
    text.push_str("| name | type | labels | meaning |\n|---|---|---|---|\n");
    for Family { name, kind, help, labels } in lists.iter().copied().flatten() {
        push(text, format_args!("| `{name}` | {} | {} | {help} |\n", kind.as_str(), code_list(labels)));
    }
    text.push('\n');
}

fn push_closed_labels(text: &mut String) {
    text.push_str("#### Labels with a closed set of values\n\n| label | values |\n|---|---|\n");
    for ClosedLabel { label, family, values } in closed_labels() {
        let of = family.map(|name| format!(" of `{name}`")).unwrap_or_default();
        push(text, format_args!("| `{label}`{of} | {} |\n", code_list(&values)));
    }
    text.push('\n');
}

fn code_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Family> {
        [TASK, POLL, FLEET, OWN, PROCESS].into_iter().flatten()
    }

    #[test]
    fn closed_labels_are_labels() {
        for ClosedLabel { label, family, values } in closed_labels() {
            let mut having = all().filter(|candidate| candidate.labels.contains(&label));
            assert!(having.any(|candidate| family.is_none_or(|name| name == candidate.name)), "{label}");
            let different: std::collections::BTreeSet<_> = values.iter().collect();
            assert_eq!(different.len(), values.len(), "{label}");
        }
    }

    #[test]
    fn names_tell_units() {
        for (family, unit) in [
            (CREATED, Unit::Timestamp),
            (RUN_DURATION, Unit::Seconds),
            (API_WAIT, Unit::Seconds),
            (API_QUOTA, Unit::RequestsPerSecond),
            (PHASE, Unit::None),
            (POLLS, Unit::None),
        ] {
            assert_eq!(family.unit(), unit, "{}", family.name);
        }
        let units = PROCESS.iter().map(Family::unit).collect::<Vec<_>>();
        let expected = [Unit::Seconds, Unit::None, Unit::None, Unit::Bytes, Unit::Timestamp, Unit::None, Unit::Bytes];
        assert_eq!(units, expected);
    }

    #[test]
    fn names_follow_the_rules() {
        let mut names = std::collections::BTreeSet::new();
        for family in all() {
            assert!(names.insert(family.name), "{} stands twice", family.name);
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n', '"']), "{}", family.name);
            for label in family.labels {
                assert!(!["job", "instance", "region", "type", "cluster"].contains(label), "{}", family.name);
            }
        }
    }
}
