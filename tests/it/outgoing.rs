//! How requests leave: through a proxy of the account's own, trusting a certificate authority of its own.

use crate::fake::{FakeCloud, Reply};
use crate::harness::{Exporter, binary, file};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_util::task::TaskTracker;

const HOST: &str = "cloud.invalid";

/// An authority that only this test knows: its certificate in PEM, and what a server of `HOST` and of loopback shows.
fn authority() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (issuer.pem(), Arc::new(config))
}

/// Runs a server of its own on a free port of loopback.
fn serve<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(TcpStream) -> F + Clone + Send + 'static,
) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let (listener, tracker) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TaskTracker::new());
            sender.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tracker.spawn(answer(stream));
            }
        });
    });
    receiver.recv().unwrap()
}

/// TLS in front of a cloud that speaks plain HTTP.
fn tls(cloud: SocketAddr, config: &Arc<ServerConfig>) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut cloud = TcpStream::connect(cloud).await.unwrap();
            drop(copy_bidirectional(&mut stream, &mut cloud).await);
        }
    })
}

/// A proxy that leads everybody to `target`, and the heads of the requests it got.
fn proxy(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let address = serve(move |stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while stream.read_line(&mut head).await.unwrap() > 2 {}
            seen.lock().unwrap().push(head);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut target = TcpStream::connect(target).await.unwrap();
            drop(copy_bidirectional(&mut stream, &mut target).await);
        }
    });
    (address, heads)
}

fn cloud() -> (FakeCloud, SocketAddr) {
    let cloud = FakeCloud::start(|_| {
        Reply::json(r#"{"task_id":"T-1","state":"running","created":"2026-01-01T00:00:00+08:00","task_result":[]}"#)
    });
    let address = cloud.endpoint().trim_start_matches("http://").parse().unwrap();
    (cloud, address)
}

fn config(endpoint: &str, way: &str) -> String {
    format!(
        "poll: {{interval: 1s, timeout: 5s}}\naliyun:\n  - account: prod\n    region: cn-hangzhou\n    endpoint: {endpoint}\n    \
         rate_limit: 100\n    credentials: {{access_key_id: {{env: KEY}}, access_key_secret: {{env: SECRET}}}}\n{way}    \
         targets: [{{task: T-1}}]\n"
    )
}

#[test]
fn an_authority_is_trusted_where_the_account_says_so() {
    let ((_cloud, address), (pem, server)) = (cloud(), authority());
    let ca = file("ca.pem", &pem);
    let endpoint = format!("https://{}", tls(address, &server));
    let trusting = Exporter::serve(&config(&endpoint, &format!("    tls_config: {{ca_file: {}}}\n", ca.display())));
    trusting.wait_for("cloud_task_poll_success", &["T-1"], 1.0);
    let other = Exporter::serve(&config(&endpoint, ""));
    other.wait_for("cloud_task_poll_success", &["T-1"], 0.0);
    let lines = other.logged("polling an account fails");
    assert!(lines.len() == 1 && lines[0].to_lowercase().contains("issuer"), "{lines:?}");
}

#[test]
fn a_proxy_leads_the_way_and_its_password_is_not_shown() {
    let ((cloud, address), (pem, server)) = (cloud(), authority());
    let (ca, front) = (file("ca.pem", &pem), tls(address, &server));
    let (proxy, heads) = proxy(front);
    let way = format!("    proxy_url: {{env: PROXY}}\n    tls_config: {{ca_file: {}}}\n", ca.display());
    let path = file("config.yaml", &config(&format!("https://{HOST}"), &way));
    let mut command = binary();
    command.arg("serve").arg(format!("--config.file={}", path.display()));
    command.arg("--log.level=debug").env("PROXY", format!("http://user:hunter2@{proxy}"));
    let exporter = Exporter::start(command);
    exporter.wait_for("cloud_task_poll_success", &["T-1"], 1.0);
    let head = heads.lock().unwrap().first().cloned().unwrap();
    assert!(head.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");
    assert!(!cloud.asked_about("T-1").is_empty());
    assert!(exporter.logged("hunter2").is_empty());
    assert_eq!(exporter.terminate(), Some(0));
}

#[test]
fn what_cannot_be_used_is_a_mistake_with_its_line() {
    let way = "    proxy_url: socks5://proxy:1\n    tls_config: {ca_file: /nowhere/ca.pem}\n";
    let path = file("config.yaml", &config("https://cloud.invalid", way));
    let output = binary()
        .arg(format!("--config.file={}", path.display()))
        .env("KEY", "test-key-id")
        .env("SECRET", "hunter2")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains(":8:16: aliyun[0].proxy_url: is no address of an HTTP proxy; expected"), "{text}");
    assert!(text.contains(":9:27: aliyun[0].tls_config.ca_file: the file /nowhere/ca.pem cannot be read"), "{text}");
}
