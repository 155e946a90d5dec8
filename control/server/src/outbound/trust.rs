//! Whom the server believes when it calls somebody, and who it says it is.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::pki::Identity;

/// Where distributions keep the authorities that everybody believes.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// `caBundle` is not what it should be.
    #[error("unable to load root certificates: unable to parse bytes as PEM block")]
    Bundle,
    /// The certificate of this server cannot be used.
    #[error("cannot use the client certificate: {0}")]
    Identity(String),
}

/// The servers that are believed.
#[derive(Debug, Clone, Default)]
pub(crate) enum Roots {
    /// Those that the system believes.
    #[default]
    System,
    /// Those certified by one of these authorities, PEM.
    Bundle(Vec<u8>),
    /// Anybody (`insecureSkipTLSVerify`).
    Anybody,
}

/// Whom to believe and what to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    roots: Roots,
    identity: Option<Identity>,
}

impl Trust {
    /// As `caBundle` (base64 of PEM, may be absent) says.
    pub(crate) fn bundle(encoded: Option<&str>) -> Result<Self, TrustError> {
        let roots = match encoded.filter(|text| !text.is_empty()) {
            None => Roots::System,
            Some(text) => Roots::Bundle(STANDARD.decode(text).map_err(|_| TrustError::Bundle)?),
        };
        Ok(Self { roots, identity: None })
    }

    /// Believes those whom one of these authorities (PEM) certifies.
    pub(crate) fn authorities(pem: &str) -> Self {
        Self { roots: Roots::Bundle(pem.as_bytes().to_vec()), identity: None }
    }

    /// Believes anybody.
    pub(crate) fn anybody() -> Self {
        Self { roots: Roots::Anybody, identity: None }
    }

    /// Shows this certificate.
    #[must_use]
    pub(crate) fn showing(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// TLS as it says. HTTP/1.1 only: upgrades (exec, port-forward) exist in no other version that servers speak.
    pub(super) fn client_config(&self) -> Result<rustls::ClientConfig, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| TrustError::Identity(e.to_string()))?;
        let builder = match &self.roots {
            Roots::Anybody => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(BelieveAnybody { provider }))
            }
            Roots::System => builder.with_root_certificates(system_roots()),
            Roots::Bundle(pem) => builder.with_root_certificates(roots_of(pem)?),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let wrong = |e: &dyn std::fmt::Display| TrustError::Identity(e.to_string());
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|e| wrong(&e))?;
                builder.with_client_auth_cert(chain.map_err(|e| wrong(&e))?, key).map_err(|e| wrong(&e))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn roots_of(pem: &[u8]) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| TrustError::Bundle)?).map_err(|_| TrustError::Bundle)?;
    }
    if roots.is_empty() { Err(TrustError::Bundle) } else { Ok(roots) }
}

/// What the system believes; nobody, when it does not say.
fn system_roots() -> RootCertStore {
    let named = std::env::var("SSL_CERT_FILE").ok();
    let files = named.as_deref().into_iter().chain(SYSTEM_ROOTS);
    let mut roots = RootCertStore::empty();
    for pem in files.filter_map(|file| std::fs::read(file).ok()).take(1) {
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    }
    roots
}

/// Believes any certificate, but still checks that the server has its key.
#[derive(Debug)]
struct BelieveAnybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for BelieveAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_must_hold_certificates() {
        assert!(matches!(Trust::bundle(Some("***")), Err(TrustError::Bundle)));
        let nothing = Trust::bundle(Some(&STANDARD.encode("nothing"))).unwrap();
        assert!(matches!(nothing.client_config(), Err(TrustError::Bundle)));
        let pair = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::new(["a".to_string()]).unwrap().self_signed(&pair).unwrap().pem();
        Trust::bundle(Some(&STANDARD.encode(pem))).unwrap().client_config().unwrap();
        Trust::anybody().client_config().unwrap();
    }
}
