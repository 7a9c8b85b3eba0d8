//! Patience with TLS, in paused time over connections in memory. Who is let in is tested over the wire, in `tests/it/web.rs`.

use super::connections::{HEALTH, LIMITS, SCRAPE, Served, read_answer, read_rest};
use super::*;
use crate::server::Limits;
use crate::server::security::{
    Certificates, Clients, Files, Identity, Reading, Rules, Security, Tls, TlsSettings, Version,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A server with TLS, and clients who trust it.
struct Encrypted {
    served: Served,
    connector: TlsConnector,
}

impl Encrypted {
    fn start(source: Arc<dyn Source>, limits: Limits) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
        let read = move || {
            let certificates = Certificates::from_pem(certificate.as_bytes()).unwrap();
            let settings = TlsSettings {
                identity: Identity::new(certificates, key.as_bytes()).unwrap(),
                versions: (Version::TLS12, Version::TLS13),
                suites: None,
                curves: None,
                prefers_own_order: true,
                clients: Clients::default(),
            };
            let rules = Rules { tls: Some(Tls::new(settings).unwrap()), ..Rules::default() };
            Reading { files: Files::default(), outcome: Ok((rules, Vec::new())) }
        };
        let served = Served::guarded(source, Security::new(read).unwrap(), limits);
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { served, connector: Arc::new(config).into() }
    }

    async fn connect(&self) -> TlsStream<DuplexStream> {
        self.connector.connect("localhost".try_into().unwrap(), self.served.connect()).await.unwrap()
    }

    async fn ask(&self, request: &str) -> TlsStream<DuplexStream> {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_further_requests_and_ended_when_idle() {
    let encrypted = Encrypted::start(Fake::new(Length::Of(1)).0, LIMITS());
    let mut stream = encrypted.ask(HEALTH).await;
    read_answer(&mut stream, "healthy\n").await;
    for _ in 0..3 {
        sleep(LIMITS().idle_timeout / 2).await;
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(read_answer(&mut stream, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let start = Instant::now();
    // The end comes without TLS's own word for it.
    stream.read_u8().await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), LIMITS().idle_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_gives_its_place_up() {
    let encrypted = Encrypted::start(Fake::new(Length::Of(1)).0, Limits { connections: 1, ..LIMITS() });
    let start = Instant::now();
    let mut mute = encrypted.served.connect();
    let mut next = encrypted.ask(HEALTH).await;
    assert_eq!(start.elapsed().as_secs(), LIMITS().handshake_timeout.as_secs());
    assert!(read_answer(&mut next, "healthy\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(read_rest(&mut mute).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_trickles_in_ends_the_connection() {
    let encrypted = Encrypted::start(Fake::new(Length::Of(1)).0, LIMITS());
    let start = Instant::now();
    let mut stream = encrypted.served.connect();
    // The first bytes of a ClientHello of 16 KiB.
    stream.write_all(&[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3]).await.unwrap();
    while stream.write_all(&[0]).await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(start.elapsed().as_secs(), LIMITS().handshake_timeout.as_secs() + 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_handshake_ends_the_connection_at_once() {
    let encrypted = Encrypted::start(Fake::new(Length::Of(1)).0, LIMITS());
    let start = Instant::now();
    let mut answer = Vec::new();
    encrypted.served.ask(HEALTH).await.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_a_handshake_a_request_must_follow() {
    let encrypted = Encrypted::start(Fake::new(Length::Of(1)).0, LIMITS());
    for beginning in ["", "GET /-/healthy HTTP/1.1\r\nHost: x\r\n"] {
        let start = Instant::now();
        let mut stream = encrypted.ask(beginning).await;
        stream.read_u8().await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), LIMITS().request_timeout.as_secs(), "{beginning}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_reading_is_dropped() {
    let (source, mut ends) = Fake::new(Length::Endless);
    let encrypted = Encrypted::start(source, LIMITS());
    let start = Instant::now();
    let _stuck = encrypted.ask(SCRAPE).await;
    ends.recv().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), LIMITS().write_timeout.as_secs());
}

/// A whole record, at most 16 KiB, every twenty seconds: what waits within TLS takes longer than the limit for a write, but
/// the peer reads.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_kept() {
    let (source, mut ends) = Fake::new(Length::Endless);
    let encrypted = Encrypted::start(source, LIMITS());
    let mut stream = encrypted.ask(SCRAPE).await;
    let mut half_a_record = [0; 8 * 1024];
    for _ in 0..60 {
        sleep(Duration::from_secs(10)).await;
        stream.read_exact(&mut half_a_record).await.unwrap();
    }
    assert!(ends.try_recv().is_err(), "the scrape has ended");
}

#[tokio::test(start_paused = true)]
async fn neither_handshakes_nor_idle_connections_hold_up_the_stop() {
    let encrypted = Encrypted::start(Fake::new(Length::Of(1)).0, LIMITS());
    let _fresh = encrypted.served.connect();
    let _silent = encrypted.connect().await;
    let mut kept = encrypted.ask(HEALTH).await;
    read_answer(&mut kept, "healthy\n").await;
    let start = Instant::now();
    encrypted.served.stop.cancel();
    timeout(Duration::from_mins(1), encrypted.served.server).await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}
