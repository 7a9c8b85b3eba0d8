//! A config that is loaded anew while the exporter runs: what has not changed goes on as if nothing had happened.

use crate::fake::{Asked, FakeCloud, Reply};
use crate::harness::{Exporter, SECRET, binary, eventually, file};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const LIFECYCLE: &[&str] = &["--web.enable-lifecycle"];
const SUCCESS: &str = "cloud_task_exporter_config_last_reload_successful";
const SUCCESS_AT: &str = "cloud_task_exporter_config_last_reload_success_timestamp_seconds";
const FRESH: &str = "cloud_task_last_poll_success_timestamp_seconds";

fn running(_: &Asked) -> Reply {
    Reply::json(
        r#"{"task_id":"T-x","state":"running","created":"2026-01-01T00:00:00+08:00","updated":"2026-01-01T00:00:00+08:00"}"#,
    )
}

fn finished(_: &Asked) -> Reply {
    Reply::json(
        r#"{"task_id":"T-x","state":"success","created":"2026-01-01T00:00:00+08:00","updated":"2026-01-01T00:00:09+08:00"}"#,
    )
}

/// An account with these targets, each a line of YAML.
fn account(name: &str, cloud: &FakeCloud, targets: &[&str]) -> String {
    let targets: Vec<String> = targets.iter().map(|target| format!("      - {target}\n")).collect();
    format!(
        "  - account: {name}\n    region: cn-hangzhou\n    endpoint: {}\n    rate_limit: 1000\n    \
         credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: SECRET}}}}\n    targets:\n{}",
        cloud.endpoint(),
        targets.concat()
    )
}

fn config(poll: &str, accounts: &[String]) -> String {
    format!("poll: {{{poll}}}\naliyun:\n{}", accounts.concat())
}

/// An exporter whose config can be changed.
struct Reloadable {
    path: PathBuf,
    exporter: Exporter,
}

impl Reloadable {
    fn start(config: &str) -> Self {
        let path = file("config.yaml", config);
        let exporter = Exporter::serve_file(&path, LIFECYCLE);
        Self { path, exporter }
    }

    fn reload(&self, config: &str) -> (u16, String) {
        std::fs::write(&self.path, config).unwrap();
        self.exporter.ask("POST", "/-/reload")
    }

    fn is_known(&self, part: &str) -> bool {
        self.exporter.metrics().contains(part)
    }

    /// Waits until the task was polled once more.
    fn wait_for_a_poll(&self, task: &str) {
        let seen = self.exporter.value(FRESH, &[task]).unwrap();
        self.exporter.wait_until(FRESH, &[task], |value| value > seen);
    }
}

#[test]
fn targets_groups_and_accounts_come_and_go() {
    let cloud = FakeCloud::start(running);
    let accounts = |targets: &[&str]| account("stays", &cloud, targets);
    let gone = account("goes", &cloud, &["{task: T-other}"]);
    let before = config("interval: 1s", &[accounts(&["{task: T-stays}", "{task: T-goes, group: going}"]), gone]);
    let served = Reloadable::start(&before);
    for task in ["T-stays", "T-goes", "T-other"] {
        served.exporter.wait_for("cloud_task_poll_success", &[task], 1.0);
    }
    let polls = served.exporter.value("cloud_task_exporter_polls_total", &["stays"]).unwrap();
    let new = account("comes", &cloud, &["{task: T-new, group: coming, labels: {team: data}}"]);
    let (status, answer) =
        served.reload(&config("interval: 1s", &[accounts(&["{task: T-stays}", "{task: T-new}"]), new]));
    assert_eq!((status, &*answer), (200, "config reloaded\n"));
    for part in ["T-goes", "T-other", "\"going\"", "account=\"goes\""] {
        assert!(!served.is_known(part), "{part} is gone at once");
    }
    assert_eq!(served.exporter.get("/-/ready").0, 200, "once ready it stays ready");
    assert_eq!(served.exporter.value("cloud_task_poll_success", &["T-stays"]), Some(1.0));
    assert_eq!(
        served.exporter.value("cloud_task_info", &["T-stays", "team=\"\""]),
        Some(1.0),
        "label names are one set"
    );
    served.exporter.wait_for("cloud_task_poll_success", &["T-new", "comes", "coming"], 1.0);
    served.exporter.wait_for("cloud_task_poll_success", &["T-new", "stays"], 1.0);
    assert_eq!(served.exporter.value("cloud_tasks", &["coming", "running"]), Some(1.0));
    assert!(served.exporter.value("cloud_task_exporter_polls_total", &["stays"]).unwrap() >= polls, "counters go on");
    let line = eventually("the reload is in the log", || served.exporter.logged("config reloaded").pop());
    for field in [
        "accounts_added\":1",
        "accounts_removed\":1",
        "accounts_changed\":0",
        "tasks_added\":2",
        "tasks_removed\":2",
        "tasks_changed\":1",
    ] {
        assert!(line.contains(field), "{field}: {line}");
    }
}

#[test]
fn a_target_that_has_not_changed_keeps_its_schedule_and_its_connection() {
    let cloud = FakeCloud::start(running);
    let with = |targets: &[&str]| config("interval: 3s", &[account("ack", &cloud, targets)]);
    let served = Reloadable::start(&with(&["{task: T-stays}"]));
    served.exporter.wait_for("cloud_task_poll_success", &["T-stays"], 1.0);
    served.wait_for_a_poll("T-stays");
    let (asked, connections) = (cloud.asked_about("T-stays").len(), cloud.connections());
    let fresh = served.exporter.value(FRESH, &["T-stays"]).unwrap();
    // Each of them far within the interval: a schedule that began anew would bring a poll, or none for ever.
    let mut reloads = 0;
    let next = loop {
        let group = format!("{{task: T-other, group: g{reloads}}}");
        assert_eq!(served.reload(&with(&["{task: T-stays}", &group])).0, 200);
        reloads += 1;
        let now = served.exporter.value(FRESH, &["T-stays"]).unwrap();
        if now > fresh {
            break now;
        }
        thread::sleep(Duration::from_millis(100));
    };
    assert!((next - fresh - 3.0).abs() < 1.5, "asked after {} s and {reloads} reloads", next - fresh);
    assert_eq!(cloud.asked_about("T-stays").len(), asked + 1);
    // The other task may be under way beside it.
    assert!(cloud.connections() <= connections + 1, "{} connections", cloud.connections());
    assert_eq!(
        served.exporter.value("cloud_task_poll_success", &["T-other"]),
        Some(1.0),
        "the changed one keeps its state"
    );
}

#[test]
fn a_finish_is_counted_once_whatever_is_reloaded() {
    let cloud = FakeCloud::start(running);
    let with = |target: &str, endpoint: &FakeCloud| {
        config("interval: 1s, final_recheck: 1s", &[account("ack", endpoint, &[target])])
    };
    let served = Reloadable::start(&with("{task: T-a, group: etl}", &cloud));
    served.exporter.wait_for("cloud_task_phase", &["T-a", "running"], 1.0);
    cloud.now_answers(finished);
    served.exporter.wait_for("cloud_tasks_finished_total", &["etl", "succeeded"], 1.0);
    // Another address is another client; the task is the same.
    let moved = FakeCloud::start(finished);
    assert_eq!(served.reload(&with("{task: T-a, group: etl, labels: {owner: alice}}", &moved)).0, 200);
    assert_eq!(served.exporter.value("cloud_task_phase", &["T-a", "succeeded"]), Some(1.0), "no gap");
    served.wait_for_a_poll("T-a");
    assert!(!moved.asked_about("T-a").is_empty());
    assert_eq!(served.exporter.value("cloud_tasks_finished_total", &["etl", "succeeded"]), Some(1.0));
}

#[test]
fn a_changed_state_path_is_for_the_next_start() {
    let cloud = FakeCloud::start(running);
    let path = file("marker", "").with_file_name("state");
    let with = |state: &str| {
        let state = format!("state: {{path: {}{state}}}\n", path.display());
        config("interval: 1s", &[account("ack", &cloud, &["{task: T-a}"])]) + &state
    };
    let served = Reloadable::start(&with(""));
    assert_eq!(served.reload(&with("-other")).0, 200);
    let warned = || served.exporter.logged("a changed state.path needs a restart");
    let line = eventually("a warning", || warned().pop());
    assert!(line.contains("state-other"), "{line}");
    assert_eq!(served.reload(&with("")).0, 200);
    assert_eq!(warned().len(), 1, "nothing differs any more");
    served.exporter.wait_until_kept();
    assert!(path.exists() && !path.with_file_name("state-other").exists());
}

#[test]
fn a_broken_config_changes_nothing_and_every_mistake_is_told() {
    let cloud = FakeCloud::start(running);
    let good = config("interval: 1s", &[account("ack", &cloud, &["{task: T-a}"])]);
    let served = Reloadable::start(&good);
    served.exporter.wait_for("cloud_task_poll_success", &["T-a"], 1.0);
    let (taken, connections) = (served.exporter.value(SUCCESS_AT, &[]), cloud.connections());
    assert_eq!(served.exporter.value(SUCCESS, &[]), Some(1.0));
    let bad = config(
        "interval: 0s",
        &[account("ack", &cloud, &["{task: T-a}", "{task: T-a}"]).replace("env: KEY", "env: NOWHERE")],
    );
    let (status, mistakes) = served.reload(&bad);
    assert_eq!(status, 400);
    let lines: Vec<&str> = mistakes.lines().collect();
    let places = ["config.yaml:1:", "config.yaml:7:", "config.yaml:10:"];
    assert!(lines.len() == 3 && lines.iter().zip(places).all(|(line, place)| line.contains(place)), "{mistakes}");
    assert!(!mistakes.contains(SECRET));
    eventually("the refusal is in the log", || served.exporter.logged("the config is refused").pop());
    for line in lines {
        let (_, told) = line.rsplit_once("config.yaml").unwrap();
        let told = told.replace('"', "\\\"");
        assert_eq!(served.exporter.logged(&told).len(), 1, "{line} is in the log once");
    }
    assert_eq!((served.exporter.value(SUCCESS, &[]), served.exporter.value(SUCCESS_AT, &[])), (Some(0.0), taken));
    served.wait_for_a_poll("T-a");
    assert_eq!(cloud.connections(), connections);
    // A file that is gone is a mistake too; then all is well again.
    std::fs::remove_file(&served.path).unwrap();
    let (status, mistakes) = served.exporter.ask("POST", "/-/reload");
    assert!(status == 400 && mistakes.contains("config.yaml: the config file cannot be read"), "{mistakes}");
    assert_eq!(served.reload(&good).0, 200);
    assert_eq!(served.exporter.value(SUCCESS, &[]), Some(1.0));
    assert!(served.exporter.value(SUCCESS_AT, &[]) > taken);
    assert!(served.exporter.logged(SECRET).is_empty());
}

#[test]
fn the_web_config_is_loaded_anew_together_with_the_config() {
    let cloud = FakeCloud::start(running);
    let good = config("interval: 1s", &[account("one", &cloud, &["task: T-a"])]);
    let (path, web) = (file("config.yaml", &good), file("web.yml", ""));
    let flag = format!("--web.config.file={}", web.display());
    let exporter = Exporter::serve_file(&path, &[LIFECYCLE[0], &flag]);
    std::fs::write(&web, "http_server_config: {header: {}}\n").unwrap();
    std::fs::write(&path, good.replace("1s", "2")).unwrap();
    let (status, mistakes) = exporter.ask("POST", "/-/reload");
    assert_eq!((status, mistakes.trim_end().lines().count()), (400, 2), "{mistakes}");
    assert!(mistakes.contains("config.yaml:1:18: ") && mistakes.contains("web.yml:1:22: "), "{mistakes}");
    std::fs::write(&path, &good).unwrap();
    assert_eq!(exporter.ask("POST", "/-/reload").0, 400, "half of it is broken still");
    exporter.wait_for(SUCCESS, &[], 0.0);
    std::fs::write(&web, "http_server_config: {headers: {X-Frame-Options: deny}}\n").unwrap();
    assert_eq!(exporter.ask("POST", "/-/reload").0, 200);
    exporter.wait_for(SUCCESS, &[], 1.0);
}

#[test]
fn a_key_is_read_anew() {
    let cloud = FakeCloud::start(running);
    let key = file("key", "first-key");
    let section = account("ack", &cloud, &["{task: T-a}"]).replace("env: KEY", &format!("file: {}", key.display()));
    let served = Reloadable::start(&config("interval: 1s", &[section]));
    let asked_with = |key: &str| {
        eventually("a request with the key", || {
            let asked = cloud.asked_about("T-a");
            asked.last()?.header("authorization")?.contains(key).then_some(())
        });
    };
    asked_with("first-key");
    std::fs::write(&key, "second-key").unwrap();
    assert_eq!(served.exporter.ask("PUT", "/-/reload").0, 200);
    asked_with("second-key");
    assert_eq!(served.exporter.value("cloud_task_poll_success", &["T-a"]), Some(1.0));
}

#[test]
fn over_http_only_where_that_is_allowed_and_by_signal_always() {
    let cloud = FakeCloud::start(running);
    let with = |target: &str| config("interval: 1s", &[account("ack", &cloud, &[target])]);
    let path = file("config.yaml", &with("{task: T-a}"));
    let exporter = Exporter::serve_file(&path, &[]);
    exporter.wait_for("cloud_task_poll_success", &["T-a"], 1.0);
    std::fs::write(&path, with("{task: T-b}")).unwrap();
    assert_eq!(exporter.ask("POST", "/-/reload").0, 403);
    assert_eq!(exporter.get("/-/reload").0, 405);
    assert!(exporter.metrics().contains("T-a") && !exporter.metrics().contains("T-b"));
    exporter.signal("HUP");
    exporter.wait_for("cloud_task_poll_success", &["T-b"], 1.0);
    assert!(!exporter.metrics().contains("T-a"));
    std::fs::write(&path, "poll: {interval: 0s}\nmetrics: {series_limit: 0}\n").unwrap();
    exporter.signal("HUP");
    exporter.wait_for(SUCCESS, &[], 0.0);
    eventually("the refusal is in the log", || exporter.logged("the config is refused").pop());
    assert_eq!(exporter.logged("the config is refused").len(), 1);
    assert_eq!(exporter.value("cloud_task_poll_success", &["T-b"]), Some(1.0));
    assert_eq!(exporter.terminate(), Some(0));
}

#[test]
fn an_account_that_hangs_does_not_hold_it_up() {
    let (silent, quick) = (FakeCloud::start(|_| Reply::Silence), FakeCloud::start(running));
    let hanging = account("hanging", &silent, &["{task: T-hangs}"]);
    let with = |cloud: &FakeCloud, target: &str| {
        config("interval: 1s, timeout: 50s, stale_after: 1h", &[account("quick", &quick, &[target]), hanging.clone()])
            .replace(&silent.endpoint(), &cloud.endpoint())
    };
    let served = Reloadable::start(&with(&silent, "{task: T-a}"));
    eventually("a request without an answer", || (!silent.asked_about("T-hangs").is_empty()).then_some(()));
    served.exporter.wait_for("cloud_task_poll_success", &["T-a"], 1.0);
    assert_eq!(served.reload(&with(&silent, "{task: T-b}")).0, 200);
    served.exporter.wait_for("cloud_task_poll_success", &["T-b"], 1.0);
    assert_eq!(silent.asked_about("T-hangs").len(), 1, "what is under way stays so");
    // The way out for who gave a wrong address: not the end of the request, but a right one.
    assert_eq!(served.reload(&with(&quick, "{task: T-b}")).0, 200);
    served.exporter.wait_for("cloud_task_poll_success", &["T-hangs"], 1.0);
    assert_eq!(served.reload(&config("interval: 1s", &[account("quick", &quick, &["{task: T-b}"])])).0, 200);
    assert!(!served.is_known("T-hangs") && !served.is_known("\"hanging\""));
}

#[test]
fn no_scrape_is_lost_and_nothing_leaks_over_a_hundred_reloads() {
    let cloud = FakeCloud::start(running);
    let with = |turn: usize| {
        let many: Vec<String> = (0..200).map(|task| format!("{{task: T-{task}, labels: {{turn: t{turn}}}}}")).collect();
        let many: Vec<&str> = std::iter::once("{task: T-stays}").chain(many.iter().map(String::as_str)).collect();
        let coming = account(&format!("a{}", turn % 2), &cloud, &["{task: T-coming}"]);
        config("interval: 1s", &[account("ack", &cloud, &many), coming])
    };
    let served = Reloadable::start(&with(0));
    served.exporter.wait_for("cloud_tasks", &["\"ack\"", "running"], 201.0);
    served.reload(&with(1));
    let (files, threads) = (served.exporter.open_files(), served.exporter.value("process_threads", &[]).unwrap());
    let is_over = AtomicBool::new(false);
    let scrapes = thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !is_over.load(Ordering::Relaxed) {
                let text = served.exporter.metrics();
                let shown = text.lines().filter(|line| line.starts_with("cloud_task_poll_success{") && line.contains("account=\"ack\""));
                assert_eq!(shown.count(), 201, "every task is in every scrape");
                assert!(text.contains("cloud_task_poll_success{provider=\"aliyun\",account=\"ack\",cloud_region=\"cn-hangzhou\",group=\"default\",task_id=\"T-stays\"} 1\n"));
                scrapes += 1;
            }
            scrapes
        });
        for turn in 2..102 {
            assert_eq!(served.reload(&with(turn)).0, 200);
        }
        is_over.store(true, Ordering::Relaxed);
        scraper.join().unwrap()
    });
    assert!(scrapes > 0);
    assert_eq!(served.exporter.value("cloud_task_info", &["T-stays", "turn=\"\""]), Some(1.0));
    eventually("as many files as before", || (served.exporter.open_files() <= files + 20).then_some(()));
    assert!(served.exporter.value("process_threads", &[]).unwrap() <= threads + 8.0);
    assert_eq!(served.exporter.terminate(), Some(0));
}

#[test]
fn many_who_ask_at_once_are_answered_one_after_the_other() {
    let cloud = FakeCloud::start(running);
    let served = Reloadable::start(&config("interval: 1s", &[account("ack", &cloud, &["{task: T-a}"])]));
    thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| served.exporter.ask("POST", "/-/reload").0)).collect();
        assert!(asking.into_iter().all(|answer| answer.join().unwrap() == 200));
    });
    eventually("reloads are in the log", || served.exporter.logged("config reloaded").pop());
}

#[test]
fn the_demo_reloads_too() {
    let mut command = binary();
    command.arg("demo").args(LIFECYCLE);
    let mut exporter = Exporter::start(command);
    eventually("ready", || (exporter.get("/-/ready").0 == 200).then_some(()));
    assert_eq!(exporter.ask("POST", "/-/reload").0, 200);
    exporter.signal("HUP");
    eventually("two reloads", || (exporter.logged("config reloaded").len() == 2).then_some(()));
    for line in exporter.logged("config reloaded") {
        assert!(line.contains("accounts_changed\":0") && line.contains("tasks_changed\":0"), "nothing changed: {line}");
    }
    assert!(exporter.is_up());
}
