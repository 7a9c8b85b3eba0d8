//! A cloud that answers what a test tells it to, down to the byte: whole, broken, endless or never.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::net::TcpSocket;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET /path?query`
    pub line: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    /// Whether the request concerns something of that name.
    pub fn is_about(&self, name: &str) -> bool {
        self.line.contains(name) || self.body.contains(name)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole answer: status, more header lines, body.
    Whole(u16, String, String),
    /// The body breaks off in the middle.
    CutOff(String),
    /// A body without an end.
    Endless,
    /// Nothing, ever.
    Silence,
    /// The connection is closed at once.
    Close,
    /// This much of an answer, then the connection is reset.
    Reset(String),
    /// A head, then a byte of the body now and then.
    Trickle,
}

impl Reply {
    pub fn json(body: impl Into<String>) -> Self {
        Self::Whole(200, "content-type: application/json\r\n".into(), body.into())
    }

    pub fn error(status: u16, body: &str) -> Self {
        Self::Whole(status, "content-type: application/json\r\n".into(), body.into())
    }

    pub fn with_header(self, line: &str) -> Self {
        match self {
            Self::Whole(status, headers, body) => Self::Whole(status, format!("{headers}{line}\r\n"), body),
            other => other,
        }
    }
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A scripted cloud on loopback. Its script can be changed while it runs.
pub struct FakeCloud {
    address: String,
    script: Arc<Mutex<Arc<Answers>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
}

impl FakeCloud {
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cloud = Self {
            address: listener.local_addr().unwrap().to_string(),
            script: Arc::new(Mutex::new(Arc::new(script))),
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let (script, asked) = (Arc::clone(&cloud.script), Arc::clone(&cloud.asked));
        let connections = Arc::clone(&cloud.connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
                thread::spawn(move || serve(stream, &script, &asked));
            }
        });
        cloud
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn now_answers(&self, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests so far about something of that name.
    pub fn asked_about(&self, name: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.is_about(name)).cloned().collect()
    }
}

fn serve(mut stream: TcpStream, script: &Mutex<Arc<Answers>>, log: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(asked) = read(&mut reader) {
        log.lock().unwrap().push(asked.clone());
        let answers = Arc::clone(&script.lock().unwrap());
        if !write(&mut stream, &answers(&asked)) {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { line: line.trim_end().to_owned(), headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Whether the connection goes on.
fn write(stream: &mut TcpStream, reply: &Reply) -> bool {
    match reply {
        Reply::Whole(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_ok()
        }
        Reply::CutOff(body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 100);
            // The reader may be gone already; either way the connection ends here.
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())));
            false
        }
        Reply::Endless => {
            let piece = vec![b' '; 64 * 1024];
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut going = stream.write_all(head).is_ok();
            while going {
                let sized = stream.write_all(b"10000\r\n").and_then(|()| stream.write_all(&piece));
                going = sized.and_then(|()| stream.write_all(b"\r\n")).is_ok();
            }
            false
        }
        Reply::Silence => {
            // Until the other side gives up.
            let mut byte = [0];
            drop(stream.read(&mut byte));
            false
        }
        Reply::Close => false,
        Reply::Reset(begun) => {
            drop(stream.write_all(begun.as_bytes()));
            TcpSocket::from_std_stream(stream.try_clone().unwrap()).set_zero_linger().unwrap();
            false
        }
        Reply::Trickle => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
            let mut going = stream.write_all(head).is_ok();
            while going {
                thread::sleep(Duration::from_millis(50));
                going = stream.write_all(b" ").is_ok();
            }
            false
        }
    }
}
