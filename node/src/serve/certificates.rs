//! TLS of the node API: the certificate that it shows, and client certificates, which are looked at after the handshake.
//!
//! A client certificate that nobody knows does not break the handshake: its owner is told 401, like anybody unknown.

use std::{net::IpAddr, path::Path, sync::Arc};

use jiff::Timestamp;
use parking_lot::RwLock;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use super::ServeError;

/// A certificate with what certifies it, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The identity in two files.
pub fn load(certificate: &Path, key: &Path) -> Result<Identity, ServeError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| ServeError::File { path, why: error.to_string() }
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).map_err(wrong(certificate))?.collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(wrong(key))?;
    Ok((chain.map_err(wrong(certificate))?, key))
}

/// One that the node makes for itself at each start, as kubelet does once: nobody can check it, so nobody needs it again.
pub fn self_signed(name: &str, address: IpAddr) -> Result<Identity, ServeError> {
    let failed = |error: rcgen::Error| ServeError::Tls(error.to_string());
    let mut parameters = CertificateParams::new([name.to_owned()]).map_err(failed)?;
    if !address.is_unspecified() {
        parameters.subject_alt_names.push(SanType::IpAddress(address));
    }
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, format!("{name}@{}", Timestamp::now().as_second()));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| ServeError::Tls(why.to_owned()))?;
    Ok((vec![certificate.der().clone()], key))
}

/// What the port shows; it may be another certificate from the next connection on.
#[derive(Debug)]
pub struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    /// For now this identity.
    pub fn new((chain, key): Identity) -> Result<Arc<Shown>, ServeError> {
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        Ok(Shown::certified(Arc::new(certified.map_err(|error| ServeError::Tls(error.to_string()))?)))
    }

    /// For now this pair.
    pub fn certified(certified: Arc<CertifiedKey>) -> Arc<Shown> {
        Arc::new(Shown(RwLock::new(certified)))
    }

    /// From now on this pair.
    pub fn show(&self, certified: Arc<CertifiedKey>) {
        *self.0.write() = certified;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// TLS that shows this, and takes any client certificate whose owner has its key.
pub fn tls(shown: Arc<Shown>) -> Result<ServerConfig, ServeError> {
    let failed = |error: rustls::Error| ServeError::Tls(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_client_cert_verifier(Arc::new(JudgedLater { provider }))
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Only checks that a client has the key of its certificate. Who certifies it is looked at when it asks for something.
#[derive(Debug)]
struct JudgedLater {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for JudgedLater {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
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
