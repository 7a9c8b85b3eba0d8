//! The web config file over the wire: TLS, client certificates, users, headers, and files that change under way.

use crate::harness::{Exporter, binary, eventually};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// Nothing answers there, and nothing needs to.
const CONFIG: &str = "aliyun:\n  - {account: a, region: cn-hangzhou, endpoint: 'http://127.0.0.1:1', \
                      credentials: {access_key_id: {env: KEY}, access_key_secret: {env: SECRET}}, \
                      targets: [{task: T-x}]}\n";
const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// An authority that signs certificates.
struct Authority(Issuer<'static, KeyPair>, String, CertificateDer<'static>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self(Issuer::new(params, key), certificate.pem(), certificate.into())
    }

    fn sign(&self, names: Vec<SanType>) -> Signed {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed { certificate: certificate.pem(), der: certificate.into(), key }
    }

    fn sign_dns(&self, name: &str) -> Signed {
        self.sign(vec![SanType::DnsName(name.try_into().unwrap())])
    }
}

/// A certificate and its key.
struct Signed {
    certificate: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

/// The folder of a web config file.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(crate::harness::file("config.yaml", CONFIG).parent().unwrap().to_owned())
    }

    /// Puts a file in place in one step, as renewals do it.
    fn write(&self, name: &str, content: &str) {
        let next = self.0.join("next");
        std::fs::write(&next, content).unwrap();
        std::fs::rename(next, self.0.join(name)).unwrap();
    }

    fn write_identity(&self, Signed { certificate, key, .. }: &Signed) {
        self.write("key.pem", &key.serialize_pem());
        self.write("cert.pem", certificate);
    }

    fn command(&self) -> Command {
        let mut command = binary();
        command.arg("serve").arg(format!("--config.file={}", self.0.join("config.yaml").display()));
        command.arg(format!("--web.config.file={}", self.0.join("web.yml").display()));
        command
    }

    fn serve(&self, web_config: &str) -> Exporter {
        self.write("web.yml", web_config);
        Exporter::start(self.command())
    }
}

const TLS: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

/// A client of the pages.
struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    fn new(trusted: &Authority, shown: Option<&Signed>, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.2.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => config.with_no_client_auth(),
            Some(Signed { der, key, .. }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                config.with_client_auth_cert(vec![der.clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { config: Arc::new(config) }
    }

    /// The first line of the answer to a request for the health page, and the server's certificate.
    fn ask(&self, exporter: &Exporter) -> io::Result<(String, CertificateDer<'static>)> {
        let stream = TcpStream::connect(exporter.address())?;
        let connection = ClientConnection::new(Arc::clone(&self.config), "localhost".try_into().unwrap());
        let mut stream = StreamOwned::new(connection.map_err(io::Error::other)?, stream);
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let certificate = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
        Ok((answer.lines().next().unwrap().to_owned(), certificate))
    }

    fn is_let_in(&self, exporter: &Exporter) -> bool {
        self.ask(exporter).is_ok_and(|(status, _)| status == "HTTP/1.1 200 OK")
    }
}

#[test]
fn tls_is_for_those_who_trust_the_authority() {
    let (authority, other, folder) = (Authority::new("a"), Authority::new("b"), Folder::new());
    folder.write_identity(&authority.sign_dns("localhost"));
    let exporter = folder.serve(TLS);
    for versions in [BOTH, &[&TLS12], &[&TLS13]] {
        assert!(Client::new(&authority, None, versions).is_let_in(&exporter), "{versions:?}");
        let error = Client::new(&other, None, versions).ask(&exporter).unwrap_err();
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    }
    let mut plain = TcpStream::connect(exporter.address()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The server may hang up on what it has not read.
    plain.read_to_end(&mut answer).ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(exporter.terminate(), Some(0));
}

#[test]
fn versions_outside_the_range_are_refused() {
    let (authority, folder) = (Authority::new("a"), Folder::new());
    folder.write_identity(&authority.sign_dns("localhost"));
    for (range, by_tls12, by_tls13) in [("min_version: TLS13", false, true), ("max_version: TLS12", true, false)] {
        let exporter = folder.serve(&format!("{TLS}  {range}\n"));
        assert_eq!(Client::new(&authority, None, &[&TLS12]).is_let_in(&exporter), by_tls12, "{range}");
        assert_eq!(Client::new(&authority, None, &[&TLS13]).is_let_in(&exporter), by_tls13, "{range}");
    }
}

#[test]
fn client_certificates_count_as_the_policy_says() {
    let (authority, other, folder) = (Authority::new("a"), Authority::new("b"), Folder::new());
    folder.write_identity(&authority.sign_dns("localhost"));
    folder.write("ca.pem", &authority.1);
    let (good, unknown) = (authority.sign_dns("prometheus"), other.sign_dns("prometheus"));
    let table = [
        ("NoClientCert", "", [true, true, true]),
        ("RequestClientCert", "", [true, true, true]),
        ("RequireAnyClientCert", "", [false, true, true]),
        ("VerifyClientCertIfGiven", "  client_ca_file: ca.pem\n", [true, false, true]),
        ("RequireAndVerifyClientCert", "  client_ca_file: ca.pem\n", [false, false, true]),
    ];
    for (policy, authorities, expected) in table {
        let exporter = folder.serve(&format!("{TLS}  client_auth_type: {policy}\n{authorities}"));
        for versions in [&[&TLS12], &[&TLS13]] {
            let shown = [None, Some(&unknown), Some(&good)];
            let let_in = shown.map(|shown| Client::new(&authority, shown, versions).is_let_in(&exporter));
            assert_eq!(let_in, expected, "{policy} {versions:?}: none, unknown, good");
        }
    }
}

#[test]
fn a_client_needs_one_of_the_allowed_names() {
    let (authority, folder) = (Authority::new("a"), Folder::new());
    folder.write_identity(&authority.sign_dns("localhost"));
    folder.write("ca.pem", &authority.1);
    let allowed = "client_allowed_sans: [prometheus.example.com, 10.1.2.3, 'spiffe://example.com/prometheus']";
    let exporter = folder.serve(&format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  {allowed}\n"
    ));
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    for (names, is_allowed) in [
        (vec![dns("prometheus.example.com")], true),
        (vec![dns("other.example.com"), SanType::IpAddress([10, 1, 2, 3].into())], true),
        (vec![uri("spiffe://example.com/prometheus")], true),
        (
            vec![uri("spiffe://example.com/other"), dns("*.example.com"), SanType::IpAddress([10, 1, 2, 4].into())],
            false,
        ),
        (vec![], false),
    ] {
        let client = Client::new(&authority, Some(&authority.sign(names.clone())), BOTH);
        assert_eq!(client.is_let_in(&exporter), is_allowed, "{names:?}");
    }
}

#[test]
fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let (authority, folder) = (Authority::new("a"), Folder::new());
    let [first, second, third] = [(); 3].map(|()| authority.sign_dns("localhost"));
    folder.write_identity(&first);
    let exporter = folder.serve(TLS);
    let client = Client::new(&authority, None, BOTH);
    let served = || client.ask(&exporter).unwrap().1;
    assert_eq!(served(), first.der);

    folder.write_identity(&second);
    eventually("the renewed certificate", || (served() == second.der).then_some(()));

    folder.write("cert.pem", "-----BEGIN CERTIFICATE-----\nhalf of it");
    let warnings = || exporter.logged("the changed web config is not taken");
    eventually("a warning", || warnings().first().cloned());
    assert_eq!(served(), second.der);
    assert!(warnings()[0].contains("cert_file: no valid PEM"), "{}", warnings()[0]);

    folder.write_identity(&third);
    eventually("the certificate of the next renewal", || (served() == third.der).then_some(()));
    assert!(exporter.logged("half of it").is_empty());
    assert_eq!(exporter.terminate(), Some(0));
}

#[test]
fn tls_is_not_switched_off_under_way() {
    let (authority, folder) = (Authority::new("a"), Folder::new());
    folder.write_identity(&authority.sign_dns("localhost"));
    let exporter = folder.serve(TLS);
    folder.write("web.yml", "");
    eventually("a warning", || exporter.logged("restart it for that").first().cloned());
    assert!(Client::new(&authority, None, BOTH).is_let_in(&exporter));
}

fn users(alices_password: &str) -> String {
    format!("basic_auth_users:\n  alice: {}\n", bcrypt::hash(alices_password, 4).unwrap())
}

/// The status of a page for such a user.
fn status(stream: &mut TcpStream, path: &str, user: Option<(&str, &str)>) -> u16 {
    let authorization = user.map_or_else(String::new, |(user, password)| {
        format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
    });
    write!(stream, "HEAD {path} HTTP/1.1\r\nhost: x\r\n{authorization}\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    std::str::from_utf8(&head).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn users_are_let_in_by_their_password_and_a_new_one_counts_at_once() {
    let folder = Folder::new();
    let exporter = folder.serve(&users("first-password"));
    let mut stream = TcpStream::connect(exporter.address()).unwrap();
    let alice = |password| Some(("alice", password));
    for (path, user, expected) in [
        ("/metrics", None, 401),
        ("/metrics", alice("wrong"), 401),
        ("/metrics", Some(("bob", "first-password")), 401),
        ("/metrics", alice("first-password"), 200),
        ("/", alice("first-password"), 200),
        ("/", None, 401),
        ("/-/healthy", None, 200),
    ] {
        assert_eq!(status(&mut stream, path, user), expected, "{path} {user:?}");
    }

    folder.write("web.yml", &users("second-password"));
    let mut now = |password| status(&mut stream, "/metrics", alice(password));
    eventually("the new password", || (now("second-password") == 200).then_some(()));
    assert_eq!(now("first-password"), 401, "also on a connection from before");

    folder.write("web.yml", "basic_auth_users:\n  alice: third-password\n");
    let warning = eventually("a warning", || exporter.logged("the changed web config is not taken").pop());
    assert!(warning.contains("web.yml:2:10: basic_auth_users.alice: no bcrypt hash"), "{warning}");
    assert_eq!(now("second-password"), 200, "the users of before stay");
    for secret in ["first-password", "second-password", "third-password", "$2b$"] {
        assert!(exporter.logged(secret).is_empty(), "{secret}");
    }
}

#[test]
fn a_broken_web_config_is_told_whole_before_anything_starts() {
    let folder = Folder::new();
    folder.write("web.yml", "tls_server_config:\n  cert_file: missing.pem\nhttp_server_config: {http3: true}\n");
    for mut command in [folder.command(), {
        let mut demo = binary();
        demo.arg("demo").arg(format!("--web.config.file={}", folder.0.join("web.yml").display()));
        demo
    }] {
        let ended = command.env("KEY", "k").env("SECRET", "s").output().unwrap();
        assert_eq!(ended.status.code(), Some(64));
        let told = String::from_utf8(ended.stderr).unwrap();
        let path = folder.0.join("web.yml");
        for place in ["2:3: tls_server_config: missing `key_file`", "2:14: tls_server_config.cert_file: ", "3:22: "] {
            assert!(told.contains(&format!("{}:{place}", path.display())), "{place}: {told}");
        }
    }
}
