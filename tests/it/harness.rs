//! Starts the real binary with a config and looks at it from outside: its pages, its log, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Nothing here is fast on purpose; this only ends a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running exporter; it is killed when dropped.
pub struct Exporter {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

/// The binary under test.
pub fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cloud-task-exporter"))
}

/// A file of that content which is no other test's.
pub fn file(name: &str, content: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

impl Exporter {
    /// Serves that config on a free port.
    pub fn serve(config: &str) -> Self {
        Self::serve_file(&file("config.yaml", config), &[])
    }

    /// The same, with these environment variables.
    pub fn serve_with(config: &str, variables: &[(&str, &str)]) -> Self {
        let path = file("config.yaml", config);
        let mut command = binary();
        command.arg("serve").arg(format!("--config.file={}", path.display())).envs(variables.iter().copied());
        Self::start(command)
    }

    /// Serves the config in that file on a free port, with these flags.
    pub fn serve_file(path: &Path, flags: &[&str]) -> Self {
        let mut command = binary();
        command.arg("serve").arg(format!("--config.file={}", path.display())).args(flags);
        Self::start(command)
    }

    /// Starts a command that serves; the port is in its log.
    pub fn start(mut command: Command) -> Self {
        if !command.get_args().any(|argument| argument.to_string_lossy().starts_with("--log.format")) {
            command.arg("--log.format=json");
        }
        let mut child = command
            .arg("--web.listen-address=127.0.0.1:0")
            // No proxy of this machine comes between.
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy")
            .env_remove("ALL_PROXY")
            .env_remove("all_proxy")
            // What a demo that is killed leaves behind stays in `target`.
            .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
            .env("KEY", "test-key-id")
            .env("SECRET", SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writer.lock().unwrap().push(line);
            }
        });
        let mut exporter = Self { child, address: String::new(), log };
        exporter.address = eventually("the exporter serves", || {
            let line = exporter.logged("serving").into_iter().next()?;
            let (_, rest) = line.split_once("127.0.0.1:")?;
            Some(format!("127.0.0.1:{}", rest.split(|c: char| !c.is_ascii_digit()).next()?))
        });
        exporter
    }

    /// Host and port it listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The log lines so far that hold that text.
    pub fn logged(&self, text: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// The body of a page.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path)
    }

    /// Status and body of the answer to a request.
    pub fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            unchunk(body)
        } else {
            body.to_owned()
        };
        (status, body)
    }

    /// The samples of `/metrics`.
    pub fn metrics(&self) -> String {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200);
        body
    }

    /// The value of the one sample that begins with `name` and holds every one of `parts`.
    pub fn value(&self, name: &str, parts: &[&str]) -> Option<f64> {
        let text = self.metrics();
        let mut lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && parts.iter().all(|part| line.contains(part))
        });
        let line = lines.next()?;
        assert!(lines.next().is_none(), "{name} {parts:?} is not unique");
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// Waits for a sample to have that value.
    pub fn wait_for(&self, name: &str, parts: &[&str], wanted: f64) {
        self.wait_until(name, parts, |value| (value - wanted).abs() < 1e-9);
    }

    /// Waits for a sample to have a value that does.
    pub fn wait_until(&self, name: &str, parts: &[&str], does: impl Fn(f64) -> bool) -> f64 {
        eventually(&format!("{name} {parts:?}"), || self.value(name, parts).filter(|value| does(*value)))
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the state file holds what is known now.
    pub fn wait_until_kept(&self) {
        let now = cloud_task_exporter::clock::now().as_duration().as_secs_f64();
        let kept = "cloud_task_exporter_state_last_write_success_timestamp_seconds";
        self.wait_until(kept, &[], |value| value > now);
    }

    /// Whether it still runs.
    pub fn is_up(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How many files and connections it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end; its exit code.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks it to stop; its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.exit_code()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the tests' config refers to as `{env: SECRET}`; it must show up nowhere.
pub const SECRET: &str = "s3cr3t-that-must-not-show-up";

/// Tries until there is something.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let pause = Duration::from_millis(50);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if let Some(found) = attempt() {
            return found;
        }
        thread::sleep(pause);
    }
    panic!("waited in vain: {what}");
}

fn unchunk(body: &str) -> String {
    let mut rest = body;
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
        if size == 0 {
            break;
        }
    }
    whole
}
