//! Client certificates: who must show one, who must have signed it, which names it must have.

use super::tls;
use rustls_pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use serde::Deserialize;
use std::net;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use webpki::EndEntityCert;

/// `client_auth_type`, in the words of the exporter-toolkit (docs/web-configuration.md), which are those of Go's crypto/tls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ClientAuth {
    /// No certificate is asked for.
    #[default]
    NoClientCert,
    /// One is asked for, and taken as it is.
    RequestClientCert,
    /// There must be one, whoever signed it.
    #[serde(alias = "RequireClientCert")]
    RequireAnyClientCert,
    /// If there is one it must be signed by an authority.
    VerifyClientCertIfGiven,
    /// There must be one that is signed by an authority.
    RequireAndVerifyClientCert,
}

impl ClientAuth {
    /// Whether nobody gets in without a certificate.
    pub const fn requires(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }

    /// Whether a certificate counts only if an authority has signed it.
    pub const fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }
}

/// Those whose signature makes a client certificate good.
#[derive(Debug)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads every certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        for certificate in tls::certificates(pem)? {
            store.add(certificate).map_err(|error| format!("a certificate in it cannot be read: {error}"))?;
        }
        Ok(Self(Arc::new(store)))
    }
}

/// A Subject Alternative Name that lets a client in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedName {
    /// An address of the certificate.
    Address(net::IpAddr),
    /// A DNS name or a URI of the certificate, letter by letter.
    Text(String),
}

impl TryFrom<String> for AllowedName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty name; expected a DNS name, an IP address or a URI".to_owned());
        }
        if text.contains('@') && !text.contains(':') {
            return Err(
                "an e-mail address cannot be matched here; expected a DNS name, an IP address or a URI that the \
                        certificate has, too"
                    .to_owned(),
            );
        }
        Ok(text.parse().map_or(Self::Text(text), Self::Address))
    }
}

impl AllowedName {
    fn is_of(&self, certificate: &EndEntityCert<'_>) -> bool {
        match self {
            Self::Address(address) => {
                let name = ServerName::IpAddress(IpAddr::from(*address));
                certificate.verify_is_valid_for_subject_name(&name).is_ok()
            }
            Self::Text(text) => {
                certificate.valid_dns_names().chain(certificate.valid_uri_names()).any(|name| name == text)
            }
        }
    }
}

/// What clients must show.
#[derive(Debug, Default)]
pub struct Clients {
    /// Whether a certificate is asked for, needed, verified.
    pub auth: ClientAuth,
    /// Who signs certificates; there are some where [`ClientAuth::verifies`].
    pub authorities: Option<Authorities>,
    /// A certificate needs one of these names; none where any will do.
    pub allowed_names: Option<Vec<AllowedName>>,
}

impl Clients {
    /// The judge of client certificates.
    ///
    /// # Errors
    /// When certificates are to be verified and there is no authority.
    pub(super) fn verifier(self, algorithms: WebPkiSupportedAlgorithms) -> Result<Arc<dyn ClientCertVerifier>, String> {
        if self.auth == ClientAuth::NoClientCert {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let roots = self.authorities.map_or_else(|| Arc::new(RootCertStore::empty()), |Authorities(roots)| roots);
        let hints = roots.subjects();
        let chain = if self.auth.verifies() {
            let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::new(tls::provider()));
            Some(builder.build().map_err(|error| format!("client certificates cannot be verified: {error}"))?)
        } else {
            None
        };
        let is_required = self.auth.requires();
        Ok(Arc::new(Verifier { chain, hints, is_required, allowed_names: self.allowed_names, algorithms }))
    }
}

#[derive(Debug)]
struct Verifier {
    /// Judges who has signed a certificate; none where that does not matter.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
    is_required: bool,
    allowed_names: Option<Vec<AllowedName>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        let certificate = EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match &self.allowed_names {
            Some(names) if !names.iter().any(|name| name.is_of(&certificate)) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
