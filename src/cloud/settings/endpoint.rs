//! Where a cloud's API is: a scheme, a host, a port, and nothing else.

use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// The address of an API. Plain HTTP is taken for loopback addresses only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(
    with = "String",
    description = "Address of an API, such as https://host. http:// is taken for loopback addresses only."
)]
pub struct Endpoint {
    origin: Arc<str>,
    authority: Arc<str>,
}

impl Endpoint {
    /// `https://` and a host that is known to be well formed, such as a vendor's own.
    ///
    /// # Errors
    /// When it is not well formed after all, for example because of an odd region name.
    pub fn https(host: &str) -> Result<Self, String> {
        Self::try_from(format!("https://{host}"))
    }

    /// What the `Host` header says, and so what is signed: a port only where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host without a port.
    pub fn host(&self) -> &str {
        self.authority
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(&*self.authority, |(host, _)| host)
    }

    /// The URL of a path (and query), which begins with `/` and is percent-encoded already.
    pub fn url(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.origin)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text, is_loopback, "for loopback addresses")
    }
}

impl Endpoint {
    /// `is_plain`: which hosts may be asked over `http://`.
    fn parse(text: &str, is_plain: impl Fn(&str) -> bool, plain: &str) -> Result<Self, String> {
        let wrong =
            |what: &str| format!("{text:?} {what}; expected an address such as https://batch.tencentcloudapi.com");
        // Before anything that repeats the text: what stands before an @ may be a password.
        if text.contains('@') {
            return Err("credentials do not belong in an endpoint; expected an address such as https://host".to_owned());
        }
        let url = Url::parse(text).map_err(|error| wrong(&format!("is no URL ({error})")))?;
        let Some(host) = url.host_str() else {
            return Err(wrong("names no host"));
        };
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a path or a query"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_plain(host) => {}
            "http" => return Err(wrong(&format!("is not encrypted (http:// is taken {plain} only)"))),
            _ => return Err(wrong("is neither https:// nor http://")),
        }
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { origin: format!("{}://{authority}", url.scheme()).into(), authority: authority.into() })
    }
}

/// The address of a service beside this machine, such as its metadata service. Plain HTTP is taken for private and
/// link-local addresses, too, and for the vendors' names of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", description = "Address of the machine's metadata service, such as http://169.254.169.254.")]
pub struct NearbyEndpoint(Endpoint);

impl NearbyEndpoint {
    /// The address.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl TryFrom<String> for NearbyEndpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Endpoint::parse(&text, is_nearby, "for addresses beside this machine").map(Self)
    }
}

/// Whether a host, as it stands in a URL, is this machine or a service that only its own network reaches.
fn is_nearby(host: &str) -> bool {
    // Tencent Cloud's name; Alibaba Cloud's address is of the range set aside for carriers.
    let is_vendors = |host: &str| host.ends_with(".tencentyun.com") || host == "100.100.100.200";
    let is_private = |host: &str| {
        host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_link_local() || address.is_private())
    };
    is_loopback(host) || is_vendors(host) || is_private(host)
}

/// Whether a host, as it stands in a URL, is this machine.
pub(in crate::cloud) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<Endpoint, String> {
        Endpoint::try_from(text.to_owned())
    }

    #[test]
    fn a_default_port_is_not_part_of_the_host_header() {
        assert_eq!(endpoint("https://a.example:443").unwrap().authority(), "a.example");
        assert_eq!(endpoint("http://127.0.0.1:8080/").unwrap().authority(), "127.0.0.1:8080");
        assert_eq!(endpoint("http://127.0.0.1:8080/").unwrap().host(), "127.0.0.1");
        assert_eq!(endpoint("http://[::1]:80").unwrap().host(), "[::1]");
        assert_eq!(endpoint("https://a.example").unwrap().url("/x?y=1"), "https://a.example/x?y=1");
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for text in ["http://localhost:1", "http://127.9.9.9", "http://[::1]:80"] {
            assert!(endpoint(text).is_ok(), "{text}");
        }
        for text in
            ["http://example.com", "ftp://a", "https://a/b", "https://u:p@a", "a", "http://127.0.0.1.example.com"]
        {
            assert!(endpoint(text).is_err(), "{text}");
        }
        for text in
            ["https://u:hunter2@a", "https://u:hunter2@a b", "u:hunter2@a", "ftp://u:hunter2@", "http://hunter2@a"]
        {
            assert!(!endpoint(text).unwrap_err().contains("hunter2"), "{text}");
        }
    }
}
