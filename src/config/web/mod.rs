//! The web config file: who may see the pages and over what. Its format is that of the Prometheus exporter-toolkit
//! (docs/web-configuration.md), so that one file serves every exporter of a machine.
//!
//! Every key of that format does something here or is refused with the reason. What the rules do is the server's business.

mod tls;

#[cfg(test)]
mod tests;

use super::{Mistakes, checked, text_of};
use crate::cloud::settings::{Interval, Report};
use crate::server::security::{Files, PasswordHash, RateLimit, Reading, Rules, Users};
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tls::TlsFields;

/// Reads a web config file and the files it names, as they are now.
pub fn read_web(path: &Path) -> Reading {
    let mut files = Files::default();
    let outcome = check_file(path, &mut files).map_err(|mistakes| mistakes.to_string());
    Reading { files, outcome }
}

fn check_file(path: &Path, files: &mut Files) -> Result<(Rules, Vec<String>), Mistakes> {
    let file_name = path.display().to_string();
    let bytes = files
        .read(path)
        .map_err(|error| Mistakes::of_file(&file_name, format!("the web config file cannot be read: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (rules, odd) = checked(text_of(&bytes, &file_name)?, &file_name, |file: File, report, odd| {
        file.check(folder, files, report, odd)
    })?;
    Ok((rules, odd.iter().map(|odd| odd.line(&file_name)).collect()))
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<TlsFields>,
    http_server_config: Option<HttpFields>,
    basic_auth_users: Option<BTreeMap<String, HashField>>,
    rate_limit: Option<RateFields>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpFields {
    /// Taken, for it stands in many files: connections speak HTTP/1.1 whatever it says, as clients of HTTP/2 can, too.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    headers: Option<HeaderFields>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HeaderFields {
    #[serde(rename = "Content-Security-Policy")]
    content_security_policy: Option<String>,
    #[serde(rename = "X-Frame-Options")]
    x_frame_options: Option<String>,
    #[serde(rename = "X-Content-Type-Options")]
    x_content_type_options: Option<String>,
    #[serde(rename = "X-XSS-Protection")]
    x_xss_protection: Option<String>,
    #[serde(rename = "Strict-Transport-Security")]
    strict_transport_security: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RateFields {
    interval: Option<Interval>,
    burst: Option<u32>,
}

impl File {
    fn check(self, folder: &Path, files: &mut Files, report: &mut Report, odd: &mut Report) -> Rules {
        let tls = self.tls_server_config.and_then(|fields| {
            report.at("tls_server_config", |report| {
                odd.at("tls_server_config", |odd| fields.check(folder, files, report, odd))
            })
        });
        let headers = self.http_server_config.and_then(|fields| fields.headers).unwrap_or_default();
        let headers = report.at("http_server_config", |report| report.at("headers", |report| headers.check(report)));
        let users = self.basic_auth_users.unwrap_or_default();
        let users =
            report.at("basic_auth_users", |report| odd.at("basic_auth_users", |odd| check_users(users, report, odd)));
        let rate_limit = self.rate_limit.and_then(|fields| report.at("rate_limit", |report| fields.check(report)));
        Rules { tls, headers, users, rate_limit }
    }
}

impl HeaderFields {
    /// An empty text leaves a header out, as in the exporter-toolkit; where one of a few words is expected it is refused.
    fn check(self, report: &mut Report) -> Vec<(HeaderName, Option<HeaderValue>)> {
        let fields: [(&str, HeaderName, &[&str], Option<String>); 5] = [
            ("Content-Security-Policy", CONTENT_SECURITY_POLICY, &[], self.content_security_policy),
            ("X-Frame-Options", X_FRAME_OPTIONS, &["deny", "sameorigin"], self.x_frame_options),
            ("X-Content-Type-Options", X_CONTENT_TYPE_OPTIONS, &["nosniff"], self.x_content_type_options),
            ("X-XSS-Protection", X_XSS_PROTECTION, &[], self.x_xss_protection),
            ("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY, &[], self.strict_transport_security),
        ];
        let mut headers = Vec::new();
        for (key, name, words, text) in fields {
            let Some(text) = text else { continue };
            if !words.is_empty() && !words.contains(&text.as_str()) {
                report.mistake_at(key, format!("{text:?} is not known here; expected {}", words.join(" or ")));
            }
            match HeaderValue::from_str(&text) {
                Ok(value) => headers.push((name, Some(value).filter(|value| !value.is_empty()))),
                Err(_) => report.mistake_at(key, "no value of a header; expected one line without control characters"),
            }
        }
        headers
    }
}

fn check_users(users: BTreeMap<String, HashField>, report: &mut Report, odd: &mut Report) -> Users {
    for (name, HashField(hash)) in &users {
        if name.contains(':') {
            report.mistake_at(name, "a user name with a `:`, which ends the name when it is sent; choose another");
        }
        if hash.is_slow() {
            odd.mistake_at(
                name,
                "the cost of this bcrypt hash is so high that each wrong password takes seconds; 10 is usual",
            );
        }
    }
    Users::new(users.into_iter().map(|(name, HashField(hash))| (name, hash)).collect())
}

impl RateFields {
    /// No limit where the interval is zero.
    fn check(self, report: &mut Report) -> Option<RateLimit> {
        let Interval(interval) = report.required("interval", self.interval, "100ms")?;
        if interval.is_zero() {
            return None;
        }
        let burst = report.required("burst", self.burst, "20")?;
        if burst == 0 {
            report.mistake_at("burst", "a burst of 0 refuses every request; expected at least 1, such as 20");
        }
        Some(RateLimit::new(interval, burst))
    }
}

/// A bcrypt hash. Whatever else stands in its place may be a password and is never shown.
#[derive(Debug)]
struct HashField(PasswordHash);

impl<'de> Deserialize<'de> for HashField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HashVisitor).map(Self)
    }
}

struct HashVisitor;

impl HashVisitor {
    fn take<E: de::Error>(text: &str) -> Result<PasswordHash, E> {
        PasswordHash::try_from(text.to_owned()).map_err(E::custom)
    }
}

impl Visitor<'_> for HashVisitor {
    type Value = PasswordHash;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a bcrypt hash such as `$2y$10$…`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PasswordHash, E> {
        Self::take(text)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<PasswordHash, E> {
        Self::take("")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<PasswordHash, E> {
        Self::take("")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<PasswordHash, E> {
        Self::take("")
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<PasswordHash, E> {
        Self::take("")
    }

    /// Nothing is no user left out: without its last user a server would be open.
    fn visit_unit<E: de::Error>(self) -> Result<PasswordHash, E> {
        Self::take("")
    }
}
