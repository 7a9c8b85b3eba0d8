//! What is wrong with an expression is told, and nothing else.

use super::expression::check;
use super::known::{Known, Labels};

fn told(text: &str) -> Vec<String> {
    check(&Known::of_exporter(), text).1
}

fn kept(text: &str) -> Vec<String> {
    let (Labels { named, .. }, mistakes) = check(&Known::of_exporter(), text);
    assert!(mistakes.is_empty(), "{text}: {mistakes:?}");
    named.into_keys().collect()
}

#[test]
fn mistakes_are_told_with_what_would_be_right() {
    for (text, told_of) in [
        ("sum(rate(cloud_tasks[5m])", "not PromQL"),
        ("cloud_taskz", "no metric `cloud_taskz`; did you mean `cloud_tasks`?"),
        ("cloud_tasks_bucket", "no metric `cloud_tasks_bucket`"),
        ("{job=\"x\"}", "names no metric"),
        ("{__name__=~\"cloud_tsk.*\"}", "no metric `cloud_tsk.*`"),
        ("{__name__=\"cloud_tasks\",phase=\"done\"}", "has no phase=\"done\""),
        (
            "cloud_tasks{grup=\"x\"}",
            "no label `grup` for the matcher `grup=\"x\"` of `cloud_tasks`; did you mean `group`?",
        ),
        ("cloud_tasks{le=\"1\"}", "no label `le`"),
        ("cloud_tasks{phase=\"runing\"}", "`cloud_tasks` has no phase=\"runing\"; did you mean `running`?"),
        ("cloud_tasks{phase!=\"done\"}", "has no phase=\"done\" (there are: cancelled, failed, "),
        ("cloud_tasks{phase=~\"failed|canceled\"}", "has no phase=\"canceled\"; did you mean `cancelled`?"),
        ("cloud_tasks{phase!~\"(failed|lost)\"}", "has no phase=\"lost\""),
        ("cloud_task_instances{state=\"FAILED\"}", "has no state=\"FAILED\""),
        ("cloud_task_exporter_poll_failures_total{reason=\"auth\"}", "has no reason=\"auth\""),
        ("cloud_tasks{provider=\"alibaba\"}", "has no provider=\"alibaba\""),
        ("cloud_tasks_finished_total{outcome=\"success\"}", "has no outcome=\"success\""),
        ("sum by (task_id) (cloud_tasks)", "no label `task_id` for the grouping of `sum`"),
        ("sum without (task_id) (cloud_tasks)", "no label `task_id` for the grouping of `sum`"),
        ("sum by (group) (sum by (phase) (cloud_tasks))", "no label `group` for the grouping of `sum`"),
        ("topk by (reason) (1, cloud_tasks)", "no label `reason` for the grouping of `topk`"),
        ("cloud_tasks / on (reason) cloud_tasks", "no label `reason` for `on`, on the left"),
        ("cloud_tasks / on (group) up", "no label `group` for `on`, on the right"),
        ("cloud_tasks / ignoring (reason) cloud_tasks", "no label `reason` for `ignoring`"),
        (
            "cloud_task_phase * on (task_id) group_left (name) cloud_task_info",
            "no label `name` for `group_left`, on the right",
        ),
        (
            "cloud_task_info * on (task_id) group_right (name) cloud_task_phase",
            "no label `name` for `group_right`, on the left",
        ),
        ("label_replace(cloud_tasks, \"a\", \"$1\", \"grp\", \"(.*)\")", "no label `grp` for label_replace"),
        ("label_join(cloud_tasks, \"a\", \"/\", \"group\", \"grp\")", "no label `grp` for label_join"),
        ("ALERTS{alertstate=\"active\"}", "has no alertstate=\"active\""),
    ] {
        let told = told(text);
        assert!(!told.is_empty() && told[0].contains(told_of), "{text}: {told:?}");
    }
}

#[test]
fn the_labels_that_are_kept_are_known() {
    for (text, labels) in [
        ("sum(cloud_tasks)", ""),
        ("sum by (group) (rate(cloud_tasks_finished_total{outcome=~\"f.*\"}[5m]))", "group"),
        ("sum without (phase, job, instance) (cloud_tasks)", "account cloud_region group provider"),
        ("topk(3, sum by (group) (cloud_tasks)) > 1", "group"),
        ("count_values by (group) (\"tasks\", cloud_tasks)", "group tasks"),
        ("histogram_quantile(0.9, sum by (le, group) (rate(cloud_task_duration_seconds_bucket[5m])))", "group"),
        ("sum by (group) (cloud_tasks) / on (group) sum by (group, phase) (cloud_tasks)", "group"),
        (
            "sum by (group, phase) (cloud_tasks) / ignoring (phase) group_left sum by (group) (cloud_tasks)",
            "group phase",
        ),
        (
            "max by (task_id) (cloud_task_poll_success) * on (task_id) group_left (task_name) cloud_task_info",
            "task_id task_name",
        ),
        ("sum by (group) (cloud_tasks) unless on (group) cloud_tasks_finished_total", "group"),
        ("sum by (group) (cloud_tasks) or sum by (account) (cloud_tasks)", "account group"),
        ("count by (task_id) ({__name__=~\"cloud_task_.+\",phase=\"failed\"})", "task_id"),
        ("absent(up{job=\"cloud-task-exporter\", instance=~\"a.*\"})", "job"),
        ("up{job=\"cloud-task-exporter\"} == 0", "instance job"),
        ("1 + time() - max by (group) (cloud_task_created_timestamp_seconds)", "group"),
        ("label_replace(sum by (group) (cloud_tasks), \"of\", \"$1\", \"group\", \"(.*)\")", "group of"),
        ("max_over_time(sum by (group) (cloud_tasks{phase=\"\"})[1h:5m])", "group"),
    ] {
        assert_eq!(kept(text).join(" "), labels, "{text}");
    }
}
