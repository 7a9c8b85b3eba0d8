//! Whole-process figures over loopback HTTP: what a poll costs the exporter, against what a bare request costs the HTTP
//! client it uses; and what a task costs in memory.
//!
//! `cargo bench --bench polls`. The cloud is another process (this program again), so only the exporter's own CPU counts.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program that measures and prints; it has nobody to report an error to"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const TASKS: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(20);
const BARE_REQUESTS: u64 = 100_000;
const CONCURRENCY: u64 = 16;

/// A task of three instances, one page: what most polls bring.
const ANSWER: &str = include_str!("three-instances.json");

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("cloud") => serve(),
        Some("bare") => bare(&arguments[2]),
        _ => measure(),
    }
}

fn measure() {
    let (mut cloud, endpoint) = start_cloud();
    let bare = bare_requests_per_cpu_second(&endpoint);
    println!("bare requests per CPU-second of reqwest:    {bare:>8.0}");
    let (empty, _) = run_exporter(&write("one.yaml", &config_of(&endpoint, 1, 1)));
    let empty_size = resident(&empty);
    stop(empty);
    for accounts in [1, 4] {
        let (exporter, metrics) = run_exporter(&write("many.yaml", &config_of(&endpoint, accounts, TASKS / accounts)));
        wait_for_first_polls(&metrics);
        let (polls_before, cpu_before) = (polls(&metrics), cpu_seconds(exporter.id()));
        thread::sleep(WINDOW);
        let (polls_after, cpu_after) = (polls(&metrics), cpu_seconds(exporter.id()));
        let polls_per_cpu_second = (polls_after - polls_before) / (cpu_after - cpu_before);
        let per_task = (resident(&exporter) - empty_size) / TASKS as f64;
        stop(exporter);
        println!("10 000 tasks of 3 instances in {accounts} account(s):");
        println!("  polls per CPU-second of the exporter:     {polls_per_cpu_second:>8.0}");
        println!("  cost of a poll in bare requests:          {:>8.2}", bare / polls_per_cpu_second);
        println!("  memory per task, in bytes:                {per_task:>8.0}");
    }
    cloud.kill().unwrap();
    cloud.wait().unwrap();
}

// === the cloud: a process that answers every request with the same page ===

fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    for stream in listener.incoming().flatten() {
        thread::spawn(move || answer_all(stream));
    }
}

fn answer_all(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.trim_end().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() || stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn start_cloud() -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap()).arg("cloud").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

// === the bare client: the same requests, the answers thrown away ===

fn bare(endpoint: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        #[expect(clippy::disallowed_methods, reason = "the bare client is what the exporter's is measured against")]
        let client = reqwest::Client::new();
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENCY {
            let (client, endpoint) = (client.clone(), endpoint.to_owned());
            workers.spawn(async move {
                for _ in 0..BARE_REQUESTS / CONCURRENCY {
                    let body = r#"{"JobId":"job-97zcl3wt","TaskName":"A","Offset":0,"Limit":1}"#;
                    let answer = client.post(&endpoint).body(body).send().await.unwrap();
                    assert_eq!(answer.bytes().await.unwrap().len(), ANSWER.len());
                }
            });
        }
        while let Some(done) = workers.join_next().await {
            done.unwrap();
        }
    });
    println!("{}", BARE_REQUESTS as f64 / cpu_seconds(std::process::id()));
}

fn bare_requests_per_cpu_second(endpoint: &str) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap()).args(["bare", endpoint]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

// === the exporter ===

fn config_of(endpoint: &str, accounts: usize, tasks_each: usize) -> String {
    let accounts = (0..accounts).map(|number| account(endpoint, number, tasks_each));
    format!("poll: {{interval: 1s}}\ntencent:\n{}", accounts.collect::<Vec<_>>().concat())
}

fn account(endpoint: &str, account: usize, tasks: usize) -> String {
    let target = |number: usize| format!("      - {{job: job-{account}{number:07}, tasks: [A], group: bench}}\n");
    let targets = (0..tasks).map(target).collect::<Vec<_>>().concat();
    format!(
        "  - account: bench-{account}\n    region: ap-guangzhou\n    endpoint: {endpoint}\n    rate_limit: 100000\n    \
         credentials: {{secret_id: {{env: KEY}}, secret_key: {{env: SECRET}}}}\n    targets:\n{targets}"
    )
}

fn write(name: &str, text: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The process, and the address of its metrics.
fn run_exporter(config: &std::path::Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloud-task-exporter"))
        .arg(format!("--config.file={}", config.display()))
        .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
        .env("KEY", "id")
        .env("SECRET", "secret")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("\"serving\"")).expect("the exporter serves");
    let (_, rest) = line.split_once("127.0.0.1:").unwrap();
    let address = format!("127.0.0.1:{}", rest.split('"').next().unwrap());
    thread::spawn(move || lines.for_each(drop));
    (child, address)
}

fn stop(mut exporter: Child) {
    exporter.kill().unwrap();
    exporter.wait().unwrap();
}

/// The sum of the samples that begin so.
fn sum(address: &str, name: &str) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    answer
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

fn polls(address: &str) -> f64 {
    sum(address, "cloud_task_exporter_polls_total")
}

fn wait_for_first_polls(address: &str) {
    while sum(address, "cloud_task_poll_success") < TASKS as f64 {
        thread::sleep(Duration::from_millis(200));
    }
}

// === the system's books ===

/// User and system time so far.
fn cpu_seconds(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Fields 14 and 15 of proc(5), in the hundredths of a second every Linux reports.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Resident memory, in bytes.
fn resident(process: &Child) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
