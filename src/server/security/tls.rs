//! The server's side of TLS: its certificate and key, versions, cipher suites and curves, put together once.
//!
//! The one crypto provider is aws-lc-rs, named wherever one is asked for: nothing here depends on a default of the process.

use super::clients::Clients;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs as crypto};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{Error, ProtocolVersion, ServerConfig, SupportedCipherSuite, version};
use tokio_rustls::{Accept, TlsAcceptor};
use webpki::EndEntityCert;

/// The only crypto there is.
pub(super) fn provider() -> CryptoProvider {
    crypto::default_provider()
}

/// The certificates of a PEM text.
///
/// # Errors
/// When there is none, or one is cut off.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err("no certificate in it; expected PEM, `-----BEGIN CERTIFICATE-----`".to_owned())
        }
        Ok(found) => Ok(found),
        // The reader's own words show bytes of the file.
        Err(_) => Err("no valid PEM; a certificate in it is damaged or cut off".to_owned()),
    }
}

/// The server's certificate, followed by those between it and an authority.
#[derive(Debug)]
pub struct Certificates(Vec<CertificateDer<'static>>);

impl Certificates {
    /// Reads a PEM text.
    ///
    /// # Errors
    /// When there is no certificate, or the first cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let found = certificates(pem)?;
        if let Some(first) = found.first() {
            EndEntityCert::try_from(first).map_err(|error| format!("the first certificate cannot be read: {error}"))?;
        }
        Ok(Self(found))
    }
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity(CertifiedKey);

impl Identity {
    /// Joins certificates with the private key of a PEM text: PKCS #8, PKCS #1 or SEC1, not encrypted.
    ///
    /// # Errors
    /// What is wrong with the key; nothing of the key itself.
    pub fn new(Certificates(certificates): Certificates, key: &[u8]) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            "no private key in it; expected PEM without a passphrase, such as `-----BEGIN PRIVATE KEY-----`".to_owned()
        })?;
        CertifiedKey::from_der(certificates, key, &provider()).map(Self).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                "the key of another certificate; expected the one that belongs to ours".to_owned()
            }
            error => format!("the key cannot be used: {error}"),
        })
    }
}

/// A version of TLS in the words of the file; the first two are not spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[expect(missing_docs, reason = "each is the version of its name")]
pub enum Version {
    TLS10,
    TLS11,
    TLS12,
    TLS13,
}

/// Why something of that name cannot be offered to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is nothing of that name.
    Unknown,
    /// The exporter-toolkit has it, rustls does not.
    NotHere,
}

/// A cipher suite.
#[derive(Clone, Copy, Debug)]
pub struct Suite(SupportedCipherSuite);

/// Suites of Go's crypto/tls (`CipherSuites`, up to Go 1.21 with the last four) that rustls leaves out: without forward
/// secrecy, or with CBC.
const SUITES_NOT_HERE: [&str; 8] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
];

impl Suite {
    /// Every suite that can be offered, by Go's name for it.
    pub fn all() -> impl Iterator<Item = (String, Self)> {
        crypto::ALL_CIPHER_SUITES.iter().filter_map(|suite| {
            let name = suite.suite().as_str()?.replace("TLS13_", "TLS_");
            Some((name, Self(*suite)))
        })
    }

    /// The suite of Go's name.
    ///
    /// # Errors
    /// Why there is none.
    pub fn named(name: &str) -> Result<Self, Unavailable> {
        let known = Self::all().find(|(known, _)| known == name).map(|(_, suite)| suite);
        let other = if SUITES_NOT_HERE.contains(&name) { Unavailable::NotHere } else { Unavailable::Unknown };
        known.ok_or(other)
    }

    fn is_for_tls13(self) -> bool {
        self.0.version().version == ProtocolVersion::TLSv1_3
    }
}

/// A curve for the exchange of keys.
#[derive(Clone, Copy, Debug)]
pub struct Curve(&'static dyn SupportedKxGroup);

impl Curve {
    /// The exporter-toolkit's names of the curves that can be offered.
    pub const NAMES: [&str; 3] = ["CurveP256", "CurveP384", "X25519"];

    /// The curve of that name.
    ///
    /// # Errors
    /// Why there is none.
    pub fn named(name: &str) -> Result<Self, Unavailable> {
        match name {
            "CurveP256" => Ok(Self(crypto::kx_group::SECP256R1)),
            "CurveP384" => Ok(Self(crypto::kx_group::SECP384R1)),
            "X25519" => Ok(Self(crypto::kx_group::X25519)),
            "CurveP521" => Err(Unavailable::NotHere),
            _ => Err(Unavailable::Unknown),
        }
    }
}

/// Everything that is asked of TLS.
#[derive(Debug)]
pub struct TlsSettings {
    /// Who the server is.
    pub identity: Identity,
    /// The lowest and the highest version; the highest is at least TLS 1.2.
    pub versions: (Version, Version),
    /// For TLS 1.2, the best first; those of TLS 1.3 are always offered. None: as rustls has them.
    pub suites: Option<Vec<Suite>>,
    /// The best first. None: as rustls has them.
    pub curves: Option<Vec<Curve>>,
    /// Whether the server's order of suites counts, not the client's.
    pub prefers_own_order: bool,
    /// What clients must show.
    pub clients: Clients,
}

/// TLS, ready to take connections.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Puts the settings together.
    ///
    /// # Errors
    /// When no suite is left that goes with the versions.
    pub fn new(settings: TlsSettings) -> Result<Self, String> {
        let TlsSettings { identity: Identity(identity), versions: (lowest, highest), suites, curves, .. } = settings;
        let mut provider = provider();
        if let Some(suites) = suites {
            provider.cipher_suites.retain(|suite| Suite(*suite).is_for_tls13());
            provider
                .cipher_suites
                .extend(suites.into_iter().filter(|suite| !suite.is_for_tls13()).map(|suite| suite.0));
        }
        if let Some(curves) = curves {
            provider.kx_groups = curves.into_iter().map(|curve| curve.0).collect();
        }
        let algorithms = provider.signature_verification_algorithms;
        let spoken = [(Version::TLS12, &version::TLS12), (Version::TLS13, &version::TLS13)];
        let spoken = spoken.into_iter().filter(|(version, _)| (lowest..=highest).contains(version));
        let spoken: Vec<_> = spoken.map(|(_, version)| version).collect();
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&spoken)
            .map_err(|_| {
                "none of these goes with the TLS versions; expected a suite of TLS 1.2, or TLS13 allowed".to_owned()
            })?
            .with_client_cert_verifier(settings.clients.verifier(algorithms)?)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.ignore_client_order = settings.prefers_own_order;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// The handshake with a client.
    pub(in crate::server) fn accept<Io: AsyncRead + AsyncWrite + Unpin>(&self, io: Io) -> Accept<Io> {
        TlsAcceptor::from(Arc::clone(&self.0)).accept(io)
    }
}
