//! What outlives the process: killed at any instant, full disk, damaged file, two of them.

use crate::dialects::{ALIYUN, ALL, HUAWEI, POLL};
use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, SECRET, binary, eventually, file};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const LAST_SUCCESS: &str = "cloud_task_last_poll_success_timestamp_seconds";
const FAILURES: &str = "cloud_task_exporter_state_write_failures_total";

/// A path for a state file in a folder of its own.
fn state_path() -> PathBuf {
    file("marker", "").with_file_name("state")
}

fn with_state(config: &str, path: &Path) -> String {
    format!("{config}state: {{path: {}}}\n", path.display())
}

/// So many tasks of Aliyun, polled every second, with a state file.
fn aliyun(cloud: &FakeCloud, tasks: usize, path: &Path) -> String {
    let targets: Vec<String> = (0..tasks).map(|number| format!("      - {{task: T-{number:03}}}\n")).collect();
    let config = format!(
        "{POLL}aliyun:\n  - account: prod\n    region: cn-hangzhou\n    endpoint: {}\n    rate_limit: 1000\n    \
         credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: SECRET}}}}\n    targets:\n{}",
        cloud.endpoint(),
        targets.concat()
    );
    with_state(&config, path)
}

/// A task in that state that was made in the year 2100: after any exporter began.
fn task(state: &str) -> Reply {
    Reply::json(format!(
        r#"{{"task_id":"T-x","state":"{state}","created":"2100-01-01T00:00:00+08:00","updated":"2100-01-01T00:01:00+08:00",
        "task_type":"cluster_scaleout","task_result":[{{"data":"i-1","status":"success"}}]}}"#
    ))
}

/// Runs until it ends by itself.
fn run_to_its_end(config: &str, arguments: &[&str]) -> Output {
    let path = file("config.yaml", config);
    let mut command = binary();
    command.arg(format!("--config.file={}", path.display())).arg("--web.listen-address=127.0.0.1:0").args(arguments);
    command.env("KEY", "test-key-id").env("SECRET", SECRET).output().unwrap()
}

/// It refuses to start, with code 1, and says this.
fn refuses(config: &str, says: &[&str]) {
    let output = run_to_its_end(config, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let error = said.lines().last().unwrap();
    assert!(error.starts_with("error: "), "{said}");
    for part in says {
        assert!(error.contains(part), "{part:?} is missing: {said}");
    }
}

/// What is exported of tasks and groups, but for when each task was last polled.
fn series(exporter: &Exporter) -> Vec<String> {
    let text = exporter.metrics();
    let is_task = |line: &&str| line.starts_with("cloud_task") && !line.starts_with("cloud_task_exporter_");
    let lines = text.lines().filter(is_task).filter(|line| !line.starts_with(LAST_SUCCESS));
    lines.map(str::to_owned).collect()
}

/// The sum of the samples whose line begins so and holds that.
fn sum(text: &str, name: &str, part: &str) -> f64 {
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(part));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[test]
fn a_restart_shows_the_same_series_at_once() {
    for dialect in ALL {
        let path = state_path();
        let cloud = FakeCloud::start(dialect.good);
        let config = with_state(&(dialect.config)(&cloud.endpoint()), &path);
        let exporter = Exporter::serve(&config);
        for id in [dialect.bad, dialect.other] {
            exporter.wait_for("cloud_task_poll_success", &[id], 1.0);
        }
        let (before, at) = (series(&exporter), exporter.value(LAST_SUCCESS, &[dialect.bad]).unwrap());
        // Asked to stop it writes what is new; killed it has written what is a second old.
        assert_eq!(exporter.terminate(), Some(0));
        cloud.now_answers(|_| Reply::Silence);
        for _ in 0..2 {
            let exporter = Exporter::serve(&config);
            assert_eq!(series(&exporter), before, "{}", dialect.provider);
            assert!(exporter.value(LAST_SUCCESS, &[dialect.bad]).unwrap() >= at);
            assert_eq!(exporter.get("/-/ready").0, 200, "every account was polled, if not by this process");
        }
    }
}

#[test]
fn a_finished_task_is_not_asked_for_before_its_recheck() {
    let path = state_path();
    let answers = |asked: &Asked| task(if asked.is_about("T-000") { "success" } else { "running" });
    let cloud = FakeCloud::start(answers);
    let config = aliyun(&cloud, 2, &path);
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_phase", &["T-000", "succeeded"], 1.0);
    exporter.wait_until_kept();
    drop(exporter);
    let before = cloud.asked_about("T-001").len();
    let exporter = Exporter::serve(&config);
    eventually("the other task is asked for", || (cloud.asked_about("T-001").len() > before + 3).then_some(()));
    assert_eq!(cloud.asked_about("T-000").len(), 1);
    assert_eq!(exporter.value("cloud_task_phase", &["T-000", "succeeded"]), Some(1.0));
    assert_eq!(exporter.value("cloud_task_poll_success", &["T-000"]), Some(1.0));
}

#[test]
fn a_finish_while_it_was_down_is_counted_once() {
    let path = state_path();
    let cloud = FakeCloud::start(|_| task("running"));
    let config = aliyun(&cloud, 1, &path).replace("poll: {", "poll: {final_recheck: 1s, ");
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_phase", &["T-000", "running"], 1.0);
    exporter.wait_until_kept();
    drop(exporter);
    cloud.now_answers(|_| task("success"));
    for _ in 0..3 {
        let exporter = Exporter::serve(&config);
        let asked = cloud.asked_about("T-000").len();
        eventually("it is asked for", || (cloud.asked_about("T-000").len() > asked + 1).then_some(()));
        exporter.wait_for("cloud_tasks_finished_total", &["succeeded"], 1.0);
        exporter.wait_for("cloud_task_duration_seconds_count", &["succeeded"], 1.0);
        exporter.wait_until_kept();
    }
}

/// Tasks finish one after the other while the exporter is killed again and again: whenever it is looked at, what was
/// counted is what is shown, and nothing goes back that was shown a second before the end.
#[test]
fn killed_at_any_instant_it_goes_on_where_it_was() {
    const TASKS: u16 = 30;
    let path = state_path();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let cloud = FakeCloud::start(move |request: &Asked| {
        let finished = count.fetch_add(1, Ordering::Relaxed) / 20;
        let is_finished =
            (0..finished.min(usize::from(TASKS))).any(|number| request.is_about(&format!("T-{number:03}")));
        task(if is_finished { "success" } else { "running" })
    });
    let config = aliyun(&cloud, usize::from(TASKS), &path).replace("poll: {", "poll: {final_recheck: 1s, ");
    let (mut least, mut round) = (0.0, 0);
    let consistent = |exporter: &Exporter| {
        let text = exporter.metrics();
        let counted = sum(&text, "cloud_tasks_finished_total{", "succeeded");
        let shown = sum(&text, "cloud_task_phase{", "succeeded");
        assert!((counted - shown).abs() < 1e-9, "{counted} counted, {shown} shown");
        counted
    };
    loop {
        let exporter = Exporter::serve(&config);
        let counted = consistent(&exporter);
        assert!(counted >= least, "round {round}: {counted} after {least}");
        least = counted;
        if asked.load(Ordering::Relaxed) > 20 * usize::from(TASKS) {
            exporter.wait_for("cloud_tasks_finished_total", &["succeeded"], f64::from(TASKS));
            consistent(&exporter);
            break;
        }
        round += 1;
        // Never the same distance from the last write: each round dies after another number of requests.
        let until = asked.load(Ordering::Relaxed) + 7 * round;
        eventually("requests", || {
            consistent(&exporter);
            (asked.load(Ordering::Relaxed) >= until).then_some(())
        });
        if round % 2 == 0 {
            least = consistent(&exporter);
            exporter.wait_until_kept();
        }
        // Dropped is killed.
    }
    assert!(round >= 4, "it was killed only {round} times");
}

#[test]
fn a_damaged_file_is_refused_until_it_is_set_aside() {
    let path = state_path();
    let cloud = FakeCloud::start(|_| task("running"));
    let config = aliyun(&cloud, 1, &path);
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_poll_success", &[], 1.0);
    assert_eq!(exporter.terminate(), Some(0));
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped.iter_mut().skip(4096).for_each(|byte| *byte ^= 1);
    let zeros = vec![0; 100_000];
    let shapes: [&[u8]; 5] = [b"", &whole[..whole.len() / 2], &flipped, b"something else", &zeros];
    for content in shapes {
        std::fs::write(&path, content).unwrap();
        refuses(&config, &[path.to_str().unwrap(), "damaged", "--state.reset"]);
        assert_eq!(std::fs::read(&path).unwrap().len(), content.len(), "it is left alone");
    }
    let mut command = binary();
    command.arg(format!("--config.file={}", file("config.yaml", &config).display()));
    command.env("CLOUD_TASK_EXPORTER_STATE_RESET", "true");
    let exporter = Exporter::start(command);
    exporter.wait_for("cloud_task_poll_success", &[], 1.0);
    let names = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let aside: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("state.set-aside-")).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(path.with_file_name(&aside[0])).unwrap(), zeros, "nothing is deleted");
    assert_eq!(exporter.logged(aside[0].to_str().unwrap()).len(), 1, "the log says where it is");
}

#[test]
fn a_second_process_on_the_same_file_says_so_and_stops() {
    let path = state_path();
    let cloud = FakeCloud::start(|_| task("running"));
    let config = aliyun(&cloud, 1, &path);
    let mut first = Exporter::serve(&config);
    refuses(&config, &[path.to_str().unwrap(), "in use by another process"]);
    let output = run_to_its_end(&config, &["--state.reset"]);
    assert_eq!(output.status.code(), Some(1), "a file in use is not set aside");
    assert!(first.is_up());
    first.wait_for("cloud_task_poll_success", &[], 1.0);
    assert_eq!(first.value(FAILURES, &[]), Some(0.0));
}

#[test]
fn a_path_that_cannot_be_is_refused() {
    let cloud = FakeCloud::start(|_| task("running"));
    let path = state_path();
    refuses(&aliyun(&cloud, 1, &path.join("no/state")), &["no/state", "directory has to exist", "No such file"]);
    let directory = path.parent().unwrap();
    refuses(&aliyun(&cloud, 1, directory), &[directory.to_str().unwrap(), "is no file"]);
}

/// No disk is needed that is full: a limit on the size of files reads the same to the one who writes.
#[test]
fn a_full_disk_stops_neither_polls_nor_scrapes_and_nothing_is_lost_when_there_is_room_again() {
    const TASKS: u16 = 150;
    let path = state_path();
    let cloud = FakeCloud::start(|_| task("running"));
    let config = file("config.yaml", &aliyun(&cloud, usize::from(TASKS), &path));
    let serve = |limit: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; {limit} exec \"$0\" \"$@\"")]);
        command.arg(binary().get_program()).arg(format!("--config.file={}", config.display()));
        Exporter::start(command)
    };
    // The file is made; blocks of 512 bytes: what it has, and nothing more.
    assert_eq!(serve("").terminate(), Some(0));
    let blocks = std::fs::metadata(&path).unwrap().len() / 512;
    let mut exporter = serve(&format!("ulimit -S -f {blocks};"));
    exporter.wait_until(FAILURES, &[], |value| value >= 1.0);
    exporter.wait_for("cloud_tasks", &["running"], f64::from(TASKS));
    let asked = cloud.asked_about("T-000").len();
    eventually("polls go on", || (cloud.asked_about("T-000").len() > asked + 1).then_some(()));
    exporter.wait_until(FAILURES, &[], |value| value >= 2.0);
    let warned = exporter.logged("the state file cannot be written");
    assert_eq!(warned.len(), 1, "it is said once: {warned:#?}");
    assert!(exporter.is_up());
    let unlimited = Command::new("prlimit").args(["--pid", &exporter.id().to_string(), "--fsize=unlimited"]).status();
    assert!(unlimited.unwrap().success());
    exporter.wait_until_kept();
    assert_eq!(exporter.logged("the state file is written again").len(), 1);
    drop(exporter);
    cloud.now_answers(|_| Reply::Silence);
    let exporter = serve("");
    assert_eq!(exporter.value("cloud_tasks", &["running"]), Some(f64::from(TASKS)));
    assert!(exporter.logged(SECRET).is_empty());
}

#[test]
fn a_project_that_was_looked_up_is_not_looked_up_again_unless_it_is_wrong() {
    fn answers(project: &'static str) -> impl Fn(&Asked) -> Reply {
        move |asked| {
            if asked.is_about("/v3/projects?") {
                Reply::json(format!(r#"{{"projects":[{{"id":"{project}","name":"cn-north-4"}}]}}"#))
            } else if asked.is_about(project) {
                (HUAWEI.good)(asked)
            } else {
                Reply::error(404, r#"{"errorCode":"CCE.01404001","errorMessage":"Resource not found."}"#)
            }
        }
    }
    let path = state_path();
    let cloud = FakeCloud::start(answers("1111aaaa"));
    let config = (HUAWEI.config)(&cloud.endpoint()).replace("    project_id: 0123456789abcdef0123456789abcdef\n", "");
    let config = with_state(&config, &path);
    let exporter = Exporter::serve(&config);
    exporter.wait_for("cloud_task_poll_success", &[HUAWEI.bad], 1.0);
    assert_eq!(exporter.terminate(), Some(0));
    let asked = cloud.asked_about(HUAWEI.bad).len();
    let exporter = Exporter::serve(&config);
    eventually("polls", || (cloud.asked_about(HUAWEI.bad).len() > asked + 1).then_some(()));
    assert_eq!(cloud.asked_about("/v3/projects?").len(), 1, "the restart remembers");
    assert_eq!(exporter.terminate(), Some(0));
    // The same account's key belongs to somebody else by now.
    cloud.now_answers(answers("2222bbbb"));
    let exporter = Exporter::serve(&config);
    let fresh = exporter.value(LAST_SUCCESS, &[HUAWEI.bad]).unwrap();
    exporter.wait_until(LAST_SUCCESS, &[HUAWEI.bad], |value| value > fresh);
    assert_eq!(cloud.asked_about("/v3/projects?").len(), 2);
}

#[test]
fn without_a_state_file_there_are_no_series_of_one() {
    let cloud = FakeCloud::start(ALIYUN.good);
    let mut command = binary();
    let config = file("config.yaml", &(ALIYUN.config)(&cloud.endpoint()));
    command.arg(format!("--config.file={}", config.display())).arg("--state.reset");
    let exporter = Exporter::start(command);
    exporter.wait_for("cloud_task_poll_success", &[ALIYUN.bad], 1.0);
    assert!(!exporter.metrics().contains("cloud_task_exporter_state_"));
    assert_eq!(exporter.logged("no state file to reset").len(), 1);
}
