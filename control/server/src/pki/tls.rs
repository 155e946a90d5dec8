//! What a server needs for TLS.

use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::inspect::der_of;
use super::{Authority, Identity, PkiError};

impl Authority {
    /// TLS for a server: its certificate, and client certificates of this authority. A client without one is let
    /// in as nobody, so that it can be told 401 rather than see a broken handshake.
    pub fn tls(&self, server: &Identity) -> Result<Arc<rustls::ServerConfig>, PkiError> {
        let tls = |error: &dyn std::fmt::Display| PkiError::Tls(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let root = der_of(self.certificate_pem()).ok_or_else(|| tls(&"the authority's certificate is not PEM"))?;
        roots.add(root).map_err(|e| tls(&e))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|e| tls(&e))?;
        let chain = vec![der_of(&server.certificate_pem).ok_or_else(|| tls(&"the server's certificate is not PEM"))?];
        let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).map_err(|e| tls(&e))?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| tls(&e))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|e| tls(&e))?;
        // Certificates are verified on every connection, never taken over from an earlier session that the client resumes.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
