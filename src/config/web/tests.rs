//! Web config files from text to mistakes; what the rules do is tested with the server.

use super::*;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, generate_simple_self_signed};
use std::path::PathBuf;

/// A folder with certificates, keys and a web config file; it is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cloud-task-exporter-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        folder.write("cert.pem", &cert.pem());
        folder.write("cut-off.pem", &cert.pem().replace("-----END", ""));
        folder.write("key.pem", &signing_key.serialize_pem());
        let other = KeyPair::generate().unwrap();
        folder.write("other-key.pem", &other.serialize_pem());
        folder.write("ca.pem", &CertificateParams::default().self_signed(&other).unwrap().pem());
        folder
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    fn content(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// The rules of a web config file in the folder, with what is odd about them, or its mistakes; as if the folder were
    /// the current one.
    fn read(&self, web_config: &str) -> Result<(Rules, Vec<String>), String> {
        self.write("web.yaml", web_config);
        let here = |text: String| text.replace(&format!("{}/", self.0.display()), "");
        let outcome = read_web(&self.0.join("web.yaml")).outcome;
        outcome.map(|(rules, odd)| (rules, odd.into_iter().map(here).collect())).map_err(here)
    }

    fn rules(&self, web_config: &str) -> Rules {
        let (rules, odd) = self.read(web_config).unwrap();
        assert!(odd.is_empty(), "{odd:?}");
        rules
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const HASH: &str = "$2y$10$abcdefghijklmnopqrstuuAbCdEfGhIjKlMnOpQrStUvWxYz01232";

/// Each bad file of the folder, beside what is said of it.
#[test]
fn every_bad_file_has_its_words() {
    let folder = Folder::new("bad");
    let entries = std::fs::read_dir("tests/data/web").unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|name| name == "yaml")).collect();
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        let mistakes = folder.read(&std::fs::read_to_string(&path).unwrap()).err().unwrap_or_default();
        for secret in ["never-write-me-here", "never show", "482915", "20261122", "abcdefghij"] {
            assert!(!mistakes.contains(secret), "{}: {mistakes}", path.display());
        }
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(mistakes + "\n", expected, "{}", path.display());
    }
}

#[test]
fn what_is_left_out_is_off() {
    let folder = Folder::new("left-out");
    for nothing in
        ["", "{}", "# a comment\n", "tls_server_config:\nbasic_auth_users:\nhttp_server_config:\nrate_limit:\n"]
    {
        let rules = folder.rules(nothing);
        assert!(rules.tls.is_none() && rules.headers.is_empty() && rules.rate_limit.is_none(), "{nothing}");
        assert_eq!(rules.users.count(), 0, "{nothing}");
    }
    let mistakes = read_web(&folder.0.join("no-such-file.yaml")).outcome.unwrap_err();
    assert!(mistakes.contains("no-such-file.yaml: the web config file cannot be read: No such file"), "{mistakes}");
}

#[test]
fn a_file_with_every_key_is_taken() {
    let folder = Folder::new("every-key");
    let rules = folder.rules(&format!(
        "tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example.com, 10.0.0.1, 'spiffe://example.com/prometheus']
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519, CurveP256, CurveP384]
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: \"\"
    X-Frame-Options: sameorigin
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1; mode=block
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
  bob: {HASH}
rate_limit: {{interval: 100ms, burst: 20}}
"
    ));
    assert!(rules.tls.is_some() && rules.rate_limit.is_some());
    assert_eq!(rules.users.count(), 2);
    let headers: Vec<(&str, Option<&str>)> = rules
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_ref().map(|value| value.to_str().unwrap())))
        .collect();
    assert_eq!(
        headers,
        [
            ("content-security-policy", None),
            ("x-frame-options", Some("sameorigin")),
            ("x-content-type-options", Some("nosniff")),
            ("x-xss-protection", Some("1; mode=block")),
            ("strict-transport-security", Some("max-age=31536000")),
        ]
    );
}

#[test]
fn certificates_and_keys_may_stand_in_the_file() {
    let folder = Folder::new("inline");
    let block = |name: &str| folder.content(name).replace('\n', "\n    ");
    let (certificate, key, authority) = (block("cert.pem"), block("key.pem"), block("ca.pem"));
    let rules = folder.rules(&format!(
        "tls_server_config:\n  cert: |\n    {certificate}\n  key: |\n    {key}\n  client_ca: |\n    {authority}\n  \
         client_auth_type: VerifyClientCertIfGiven\n"
    ));
    assert!(rules.tls.is_some());
}

/// What is taken, but not as the file seems to want it.
#[test]
fn what_is_odd_is_told() {
    let folder = Folder::new("odd");
    let (rules, odd) = folder
        .read(&format!(
            "tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: RequireClientCert
  client_ca_file: ca.pem
  min_version: TLS10
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  curve_preferences: [CurveP521, CurveP256]
basic_auth_users:
  alice: {}
",
            HASH.replace("$10$", "$16$")
        ))
        .unwrap();
    assert!(rules.tls.is_some());
    insta::assert_snapshot!(odd.join("\n"), @r"
    web.yaml:5:19: tls_server_config.client_ca_file: only a hint to clients: this `client_auth_type` takes certificates that nobody signed
    web.yaml:6:16: tls_server_config.min_version: TLS10 is not spoken here: TLS12 is the lowest version
    web.yaml:7:19: tls_server_config.cipher_suites[0]: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not offered here and left out
    web.yaml:8:23: tls_server_config.curve_preferences[0]: CurveP521 is not offered here and left out
    web.yaml:10:10: basic_auth_users.alice: the cost of this bcrypt hash is so high that each wrong password takes seconds; 10 is usual
    ");
}

#[test]
fn a_rate_limit_of_no_interval_is_none() {
    let folder = Folder::new("rate");
    for none in ["rate_limit: {interval: 0}", "rate_limit: {interval: 0s, burst: 0}"] {
        assert!(folder.rules(none).rate_limit.is_none(), "{none}");
    }
}
