//! TLS for outgoing requests: the host's trust store, no client certificate.

use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use wasmtime_wasi_http::Error;

/// Where the systems we know keep the certificates they trust, as one PEM file.
const TRUST_STORES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) async fn connect(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, Error> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare)?;
    let config = client_config().ok_or(Error::ConfigurationError)?;
    TlsConnector::from(config).connect(name, stream).await.map_err(Error::Tls)
}

/// The configuration, made at the first use. None if rustls's own defaults don't fit together.
fn client_config() -> Option<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .inspect_err(|error| tracing::error!("cannot set up TLS for guests: {error}"))
                .ok()?;
            Some(Arc::new(config.with_root_certificates(trusted()).with_no_client_auth()))
        })
        .clone()
}

/// The trust store, once it is open. A process without a file system opens it before it gives that up.
static TRUST_STORE: OnceLock<Option<File>> = OnceLock::new();

/// Opens the trust store of the host: `SSL_CERT_FILE`, or the first one that is there. It is read at the first use.
pub(crate) fn open_trust_store() -> Option<&'static File> {
    let open = || {
        let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let file = named.or_else(|| TRUST_STORES.iter().map(PathBuf::from).find(|path| path.exists()));
        let Some(file) = file else {
            tracing::warn!("no trust store found: guests cannot verify any https server");
            return None;
        };
        let failed = |error: &std::io::Error| tracing::warn!("cannot read the trust store {}: {error}", file.display());
        File::open(&file).inspect_err(failed).ok()
    };
    TRUST_STORE.get_or_init(open).as_ref()
}

/// The certificates the host trusts.
fn trusted() -> RootCertStore {
    let mut store = RootCertStore::empty();
    if let Some(file) = open_trust_store() {
        store.add_parsable_certificates(CertificateDer::pem_reader_iter(file).filter_map(Result::ok));
    }
    store
}
