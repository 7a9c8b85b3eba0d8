//! What whoever supervises the process sees: readiness, signs of life, the end in good order, the end at once.

use crate::fake::{FakeCloud, Reply};
use crate::harness::{Exporter, binary, eventually, file};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Nothing here waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tasks whose names and group are as long as may be, so that a scrape is more than the system's buffers hold.
const TASKS: usize = 500;

fn config(endpoint: &str, tasks: usize) -> String {
    let names: Vec<String> = (0..tasks).map(|number| format!("{number:_>100}")).collect();
    let (names, group) = (names.join(", "), "g".repeat(128));
    format!(
        "poll: {{interval: 2s, timeout: 1h}}\ntencent:\n  - account: prod\n    region: ap-guangzhou\n    \
         endpoint: {endpoint}\n    rate_limit: 1000\n    \
         credentials: {{secret_id: {{env: KEY}}, secret_key: {{env: SECRET}}}}\n    targets:\n      \
         - {{job: job-many, group: {group}, tasks: [{names}]}}\n"
    )
}

const GOOD: &str = r#"{"Response":{"JobId":"job-x","TaskName":"A","TaskState":"RUNNING","CreateTime":"2026-01-01T00:00:00Z",
    "EndTime":null,"TaskInstanceTotalCount":1,"TaskInstanceSet":[],"TaskInstanceMetrics":{"SubmittedCount":0,
    "PendingCount":1,"RunnableCount":0,"StartingCount":0,"RunningCount":0,"SucceedCount":0,
    "FailedInterruptedCount":0,"FailedCount":0},"RequestId":"r"}}"#;

/// An exporter with many tasks, every one of them read.
fn large() -> (FakeCloud, Exporter) {
    let cloud = FakeCloud::start(|_| Reply::json(GOOD));
    let exporter = Exporter::serve(&config(&cloud.endpoint(), TASKS));
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    exporter.wait_for("cloud_tasks", &["\"running\""], TASKS as f64);
    (cloud, exporter)
}

/// A scrape that has begun and is not read any further.
fn open_scrape(exporter: &Exporter) -> TcpStream {
    let mut scrape = connect(exporter);
    write!(scrape, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut first = [0; 12];
    scrape.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    scrape
}

fn connect(exporter: &Exporter) -> TcpStream {
    let stream = TcpStream::connect(exporter.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn sigterm_finishes_open_answers_and_nothing_else() {
    let (cloud, mut exporter) = large();
    // A poll under way that would take an hour.
    cloud.now_answers(|_| Reply::Silence);
    let before = cloud.asked_about("job-many").len();
    eventually("a poll without an answer", || (cloud.asked_about("job-many").len() > before).then_some(()));
    let mut idle = connect(&exporter);
    write!(idle, "GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).unwrap();
    let mut scrape = open_scrape(&exporter);

    exporter.signal("TERM");
    // The connection without a request is closed, a new one is not taken, and the open answer is still there to the end.
    idle.read_to_end(&mut Vec::new()).unwrap();
    // That happens at the same time, in no order.
    eventually("nobody listens any more", || TcpStream::connect(exporter.address()).is_err().then_some(()));
    assert!(exporter.is_up(), "it waits for the reader of the scrape");
    let mut rest = Vec::new();
    scrape.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "the scrape is whole");
    assert_eq!(exporter.exit_code(), Some(0));
    for word in ["in time", "\"WARN\"", "\"ERROR\""] {
        assert!(exporter.logged(word).is_empty(), "{:#?}", exporter.logged(word));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (_cloud, mut exporter) = large();
    let _unread = open_scrape(&exporter);
    exporter.signal("TERM");
    eventually("it is stopping", || exporter.logged("\"stopping\"").pop());
    assert!(exporter.is_up(), "it waits for the reader of the scrape");
    exporter.signal("INT");
    assert_eq!(exporter.exit_code(), Some(1));
    eventually("its last line", || exporter.logged("\"stopping at once\"").pop());
    assert!(exporter.logged("cut off").is_empty(), "it did not wait");
}

/// What a service manager is told, line by line.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new() -> Self {
        let path = file("notify", "");
        std::fs::remove_file(&path).unwrap();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    fn start(&self, watchdog: &str) -> (FakeCloud, Exporter) {
        let cloud = FakeCloud::start(|_| Reply::json(GOOD));
        let exporter = self.serve(&file("config.yaml", &config(&cloud.endpoint(), 1)), watchdog);
        (cloud, exporter)
    }

    fn serve(&self, config: &Path, watchdog: &str) -> Exporter {
        let mut command = binary();
        command.arg(format!("--config.file={}", config.display()));
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", watchdog);
        Exporter::start(command)
    }

    /// The next datagram.
    fn told(&self) -> String {
        let mut told = [0; 4096];
        let length = self.socket.recv(&mut told).unwrap();
        std::str::from_utf8(&told[..length]).unwrap().to_owned()
    }

    /// The next one that is neither its status alone nor a sign of life.
    fn told_next_but_life(&self) -> String {
        loop {
            let told = self.told();
            if !told.starts_with("STATUS=") && told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }
}

#[test]
fn the_service_manager_is_told_of_start_life_and_stop() {
    let manager = Manager::new();
    let (_cloud, mut exporter) = manager.start("100000");
    assert_eq!(manager.told(), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(manager.told(), "STATUS=1 tasks of 1 accounts, 0 of them in trouble\n");
        assert_eq!(manager.told(), "WATCHDOG=1\n");
    }
    exporter.signal("TERM");
    assert_eq!(manager.told_next_but_life(), "STOPPING=1\nSTATUS=stopping\n");
    assert_eq!(exporter.exit_code(), Some(0));
    assert!(exporter.logged("\"WARN\"").is_empty());
}

#[test]
fn the_service_manager_is_told_of_a_reload_from_its_begin_to_its_end() {
    let manager = Manager::new();
    let cloud = FakeCloud::start(|_| Reply::json(GOOD));
    let path = file("config.yaml", &config(&cloud.endpoint(), 1));
    let mut exporter = manager.serve(&path, "0");
    assert_eq!(manager.told(), "READY=1\n");
    // The second is refused, and over all the same.
    for content in [config(&cloud.endpoint(), 2), "nothing: of use\n".to_owned()] {
        std::fs::write(&path, content).unwrap();
        exporter.signal("HUP");
        let told = manager.told_next_but_life();
        let at = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{told}"));
        assert!(at.trim_end().parse::<u64>().unwrap() > 0);
        assert_eq!(manager.told_next_but_life(), "READY=1\n");
    }
    exporter.signal("TERM");
    assert_eq!(manager.told_next_but_life(), "STOPPING=1\nSTATUS=stopping\n");
    assert_eq!(exporter.exit_code(), Some(0));
}

#[test]
fn without_a_watchdog_there_is_no_sign_of_life() {
    let manager = Manager::new();
    let (_cloud, mut exporter) = manager.start("0");
    assert_eq!(manager.told(), "READY=1\n");
    assert!(manager.told().starts_with("STATUS="));
    exporter.signal("TERM");
    assert!(manager.told().starts_with("STOPPING=1\n"));
    assert_eq!(exporter.exit_code(), Some(0));
}

#[test]
fn a_bad_config_is_no_start() {
    let manager = Manager::new();
    let path = file("config.yaml", "nothing: of use\n");
    let mut command: Command = binary();
    command.arg(format!("--config.file={}", path.display())).env("NOTIFY_SOCKET", &manager.path);
    assert_eq!(command.output().unwrap().status.code(), Some(64));
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err(), "nobody is told that it is ready");
}
