//! `tls_server_config` of a web config file.
//!
//! Relative paths begin at the folder of the file, as in the exporter-toolkit (web/tls_config.go). Stricter than there: what
//! would be ignored without a word, or would verify clients by the authorities of the web, is a mistake.

use crate::cloud::settings::Report;
use crate::server::security::{
    AllowedName, Authorities, Certificates, ClientAuth, Clients, Curve, Files, Identity, Suite, Tls, TlsSettings,
    Unavailable, Version,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Deserializer, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsFields {
    cert: Option<String>,
    cert_file: Option<PathBuf>,
    #[serde(deserialize_with = "secret")]
    key: Option<SecretString>,
    key_file: Option<PathBuf>,
    client_ca: Option<String>,
    client_ca_file: Option<PathBuf>,
    client_auth_type: Option<ClientAuth>,
    client_allowed_sans: Option<Vec<String>>,
    min_version: Option<Version>,
    max_version: Option<Version>,
    cipher_suites: Option<Vec<String>>,
    prefer_server_cipher_suites: Option<bool>,
    curve_preferences: Option<Vec<String>>,
}

/// A text of the PEM format, and the key of the config that it came from.
struct Pem {
    key: &'static str,
    bytes: Vec<u8>,
}

impl TlsFields {
    /// TLS; none where the section is empty, or something is wrong.
    pub(super) fn check(self, folder: &Path, files: &mut Files, report: &mut Report, odd: &mut Report) -> Option<Tls> {
        if self.is_empty() {
            return None;
        }
        let mut texts = Texts { folder, files, report };
        let certificate = texts.read(("cert", self.cert), ("cert_file", self.cert_file));
        let key_text = self.key.map(|key| key.expose_secret().to_owned());
        let key = texts.read(("key", key_text), ("key_file", self.key_file));
        let authorities = texts.read(("client_ca", self.client_ca), ("client_ca_file", self.client_ca_file));
        for (pem, text, file) in [(&certificate, "cert", "cert_file"), (&key, "key", "key_file")] {
            if matches!(pem, Text::Missing) {
                report.mistake(format!("missing `{file}` (or `{text}`), for example `{file}: exporter.{text}.pem`"));
            }
        }
        let identity = check_identity(certificate.read(), key.read(), report);
        let clients = Clients {
            auth: self.client_auth_type.unwrap_or_default(),
            authorities: None,
            allowed_names: self.client_allowed_sans.map(|names| check_names(names, report)),
        };
        let clients = check_clients(clients, authorities, report, odd);
        let versions = check_versions(self.min_version, self.max_version, report, odd);
        let suites = Choice { key: "cipher_suites", pick: Suite::named, examples: suite_names }.check(
            self.cipher_suites,
            report,
            odd,
        );
        let curves = Choice { key: "curve_preferences", pick: Curve::named, examples: curve_names }.check(
            self.curve_preferences,
            report,
            odd,
        );
        let prefers_own_order = self.prefer_server_cipher_suites.unwrap_or(true);
        let settings = TlsSettings { identity: identity?, versions, suites, curves, prefers_own_order, clients };
        if !report.is_clean() {
            return None;
        }
        Tls::new(settings).map_err(|error| report.mistake_at("cipher_suites", error)).ok()
    }

    /// Whether the section says nothing.
    const fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                cert: None,
                cert_file: None,
                key: None,
                key_file: None,
                client_ca: None,
                client_ca_file: None,
                client_auth_type: None,
                client_allowed_sans: None,
                min_version: None,
                max_version: None,
                cipher_suites: None,
                prefer_server_cipher_suites: None,
                curve_preferences: None,
            }
        )
    }
}

/// What became of a text that may stand in the file or in one of its own.
enum Text {
    /// It is not named.
    Missing,
    /// It is named but cannot be read, which is told.
    Unreadable,
    /// Here it is.
    Read(Pem),
}

impl Text {
    fn read(self) -> Option<Pem> {
        match self {
            Self::Read(pem) => Some(pem),
            Self::Missing | Self::Unreadable => None,
        }
    }
}

/// Reads what stands in the file or in one of its own.
struct Texts<'a> {
    folder: &'a Path,
    files: &'a mut Files,
    report: &'a mut Report,
}

impl Texts<'_> {
    /// The text of one of two keys.
    fn read(
        &mut self,
        (text_key, text): (&'static str, Option<String>),
        (file_key, file): (&'static str, Option<PathBuf>),
    ) -> Text {
        let text = text.filter(|text| !text.is_empty());
        let file = file.filter(|file| !file.as_os_str().is_empty());
        match (text, file) {
            (None, None) => Text::Missing,
            (Some(_), Some(_)) => {
                self.report.mistake_at(text_key, format!("stands beside `{file_key}`; keep one of them"));
                Text::Unreadable
            }
            (Some(text), None) => Text::Read(Pem { key: text_key, bytes: text.into_bytes() }),
            (None, Some(file)) => {
                let path = self.folder.join(file);
                match self.files.read(&path) {
                    Ok(bytes) => Text::Read(Pem { key: file_key, bytes }),
                    Err(error) => {
                        self.report.mistake_at(file_key, format!("{} cannot be read: {error}", path.display()));
                        Text::Unreadable
                    }
                }
            }
        }
    }
}

fn check_identity(certificate: Option<Pem>, key: Option<Pem>, report: &mut Report) -> Option<Identity> {
    let mut noted = |key: &str, error: String| report.mistake_at(key, error);
    let certificate =
        certificate.and_then(|pem| Certificates::from_pem(&pem.bytes).map_err(|error| noted(pem.key, error)).ok());
    let (certificate, key) = (certificate?, key?);
    Identity::new(certificate, &key.bytes).map_err(|error| noted(key.key, error)).ok()
}

fn check_clients(mut clients: Clients, authorities: Text, report: &mut Report, odd: &mut Report) -> Clients {
    let auth = clients.auth;
    if matches!(authorities, Text::Missing) && auth.verifies() {
        report.mistake(
            "missing `client_ca_file` (or `client_ca`): it says whose signature verifies a client certificate",
        );
    }
    if let Some(pem) = authorities.read() {
        if auth == ClientAuth::NoClientCert {
            report.mistake_at(
                pem.key,
                "nothing asks for client certificates; add `client_auth_type: RequireAndVerifyClientCert`, or remove this",
            );
        } else if !auth.verifies() {
            odd.mistake_at(
                pem.key,
                "only a hint to clients: this `client_auth_type` takes certificates that nobody signed",
            );
        }
        clients.authorities = Authorities::from_pem(&pem.bytes).map_err(|error| report.mistake_at(pem.key, error)).ok();
    }
    if clients.allowed_names.is_some() && !auth.requires() {
        report.mistake_at(
            "client_allowed_sans",
            "a client without a certificate has no name; expected `client_auth_type` RequireAndVerifyClientCert or \
             RequireAnyClientCert",
        );
    }
    clients
}

fn check_names(names: Vec<String>, report: &mut Report) -> Vec<AllowedName> {
    report.at("client_allowed_sans", |report| {
        if names.is_empty() {
            report.mistake("an empty list lets nobody in; add a name, or remove the key");
        }
        let checked =
            report.each(names, |report, name| AllowedName::try_from(name).map_err(|error| report.mistake(error)));
        checked.into_iter().flatten().collect()
    })
}

/// TLS 1.2 and 1.3 are spoken. A lower bound below them is met by them; an upper one could not be.
fn check_versions(
    lowest: Option<Version>,
    highest: Option<Version>,
    report: &mut Report,
    odd: &mut Report,
) -> (Version, Version) {
    let (asked, highest) = (lowest.unwrap_or(Version::TLS12), highest.unwrap_or(Version::TLS13));
    if asked < Version::TLS12 {
        odd.mistake_at("min_version", format!("{asked:?} is not spoken here: TLS12 is the lowest version"));
    }
    let lowest = asked.max(Version::TLS12);
    if highest < Version::TLS12 {
        report.mistake_at("max_version", format!("{highest:?} is not spoken here; expected TLS12 or TLS13"));
    } else if lowest > highest {
        report.mistake_at("max_version", "below `min_version`; expected TLS13");
    }
    (lowest, highest)
}

/// A list of names of which each stands for something that can be offered to clients.
struct Choice<T> {
    key: &'static str,
    pick: fn(&str) -> Result<T, Unavailable>,
    examples: fn() -> Vec<String>,
}

impl<T> Choice<T> {
    /// What can be offered; none where the list is empty, which means the default. What cannot be is left out and told,
    /// as clients pick one that both sides have.
    fn check(&self, names: Option<Vec<String>>, report: &mut Report, odd: &mut Report) -> Option<Vec<T>> {
        let names = names.filter(|names| !names.is_empty())?;
        let examples = (self.examples)().join(", ");
        let (mut offered, mut left_out) = (Vec::new(), 0);
        report.at(self.key, |report| {
            for (index, name) in names.iter().enumerate() {
                match (self.pick)(name) {
                    Ok(choice) => offered.push(choice),
                    Err(Unavailable::Unknown) => report.at_index(index, |report| {
                        report.mistake(format!("{name:?} is not known here; expected one of {examples}"));
                    }),
                    Err(Unavailable::NotHere) => {
                        left_out += 1;
                        let told = format!("{name} is not offered here and left out");
                        odd.at(self.key, |odd| odd.at_index(index, |odd| odd.mistake(told)));
                    }
                }
            }
            if left_out == names.len() {
                report.mistake(format!("none of these is offered here; expected some of {examples}"));
            }
        });
        Some(offered)
    }
}

fn suite_names() -> Vec<String> {
    Suite::all().map(|(name, _)| name).collect()
}

fn curve_names() -> Vec<String> {
    Curve::NAMES.map(str::to_owned).to_vec()
}

/// A key in the file. Whatever else stands in its place may be one, too, and is never shown.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    deserializer.deserialize_any(SecretVisitor)
}

struct SecretVisitor;

impl Visitor<'_> for SecretVisitor {
    type Value = Option<SecretString>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a private key in PEM")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(SecretString::from(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
