//! How an account's requests leave this machine: through a proxy of its own, trusting certificate authorities of its own.
//!
//! The names are those of Prometheus's HTTP client settings. Checked where the config is; used by `cloud/http.rs` alone.

use super::{Environment, Report, SecretRef, TextOrRef, file};
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

/// The settings of TLS, as the file has them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OutgoingTls")]
pub struct TlsConfig {
    /// File of certificate authorities (PEM) to trust beside the system's own.
    ca_file: Option<PathBuf>,
}

/// How requests leave. Equal ones share their connections.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    proxy: Option<SecretString>,
    authorities: Option<Arc<[u8]>>,
}

impl Outgoing {
    /// Checks the fields; with an environment, what they refer to is read, too.
    pub(super) fn check(
        proxy_url: Option<TextOrRef>,
        tls_config: Option<TlsConfig>,
        environment: Option<&Environment>,
        report: &mut Report,
    ) -> Self {
        let proxy = proxy_url.and_then(|url| match check_proxy(url, environment) {
            Ok(url) => url,
            Err(mistake) => {
                report.mistake_at("proxy_url", mistake);
                None
            }
        });
        let ca_file = tls_config.and_then(|tls| tls.ca_file).filter(|_| environment.is_some());
        let authorities = ca_file.and_then(|path| {
            let read = read_authorities(&path);
            let mut note = |mistake| report.at("tls_config", |report| report.mistake_at("ca_file", mistake));
            read.map_err(&mut note).ok()
        });
        Self { proxy, authorities }
    }

    /// The address of the proxy, which may hold a password.
    pub(in crate::cloud) fn proxy(&self) -> Option<&str> {
        self.proxy.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Certificates in PEM.
    pub(in crate::cloud) fn authorities(&self) -> Option<&[u8]> {
        self.authorities.as_deref()
    }
}

impl PartialEq for Outgoing {
    fn eq(&self, other: &Self) -> bool {
        self.proxy() == other.proxy() && self.authorities == other.authorities
    }
}

impl Eq for Outgoing {}

impl Hash for Outgoing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.proxy().hash(state);
        self.authorities.hash(state);
    }
}

const PROXY: &str = "expected an address such as http://proxy.example:3128";

fn check_proxy(url: TextOrRef, environment: Option<&Environment>) -> Result<Option<SecretString>, String> {
    let read = |reference: SecretRef| environment.map(|environment| reference.read(environment)).transpose();
    let Some(url) = (match url {
        TextOrRef::Text(text) if text.contains('@') => {
            return Err("a password does not belong in the file; write {env: NAME} or {file: PATH} instead".to_owned());
        }
        TextOrRef::Text(text) => Some(SecretString::from(text)),
        TextOrRef::Ref(reference) => read(reference)?,
    }) else {
        return Ok(None);
    };
    // What is wrong is not shown: it may be a password.
    let parsed = Url::parse(url.expose_secret()).map_err(|_| format!("is no address of a proxy; {PROXY}"))?;
    match parsed.scheme() {
        "http" | "https" if parsed.host_str().is_some() => Ok(Some(url)),
        _ => Err(format!("is no address of an HTTP proxy; {PROXY}")),
    }
}

fn read_authorities(path: &std::path::Path) -> Result<Arc<[u8]>, String> {
    let shown = path.display();
    let pem = file::read(path).map_err(|error| format!("the file {shown} cannot be read: {error}"))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(pem.into()),
        _ => Err(format!("the file {shown} holds no certificate; expected PEM, `-----BEGIN CERTIFICATE-----`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(proxy_url: &str) -> Vec<String> {
        let mut report = Report::default();
        let environment = Environment::from_fn(|name| (name == "PROXY").then(|| "http://u:hunter2@proxy:1".to_owned()));
        let url = match proxy_url.strip_prefix('$') {
            Some(name) => TextOrRef::Ref(SecretRef::Env(name.to_owned())),
            None => TextOrRef::Text(proxy_url.to_owned()),
        };
        let way = Outgoing::check(Some(url), None, Some(&environment), &mut report);
        assert!(!format!("{way:?}").contains("hunter2"));
        report.into_mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_proxy_is_an_address_and_its_password_stands_elsewhere() {
        for right in ["http://proxy:3128", "https://proxy.example", "$PROXY"] {
            assert_eq!(mistakes(right), [""; 0], "{right}");
        }
        for wrong in ["proxy:3128", "socks5://proxy:1", "http://u:hunter2@proxy:1", "http://", "$UNSET"] {
            let found = mistakes(wrong);
            assert!(found.len() == 1 && found[0].starts_with("proxy_url: "), "{wrong}: {found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
    }

    #[test]
    fn a_file_of_authorities_holds_certificates() {
        let wrong = read_authorities(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
        assert!(wrong.unwrap_err().contains("holds no certificate"));
        assert!(read_authorities(std::path::Path::new("/nowhere")).unwrap_err().contains("cannot be read"));
    }
}
