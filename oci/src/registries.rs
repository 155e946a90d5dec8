//! Where a registry's name leads: its endpoints, their scheme, and the HTTP clients that reach them.
//!
//! The shape is that of containerd's `hosts.toml`: a name has an ordered list of endpoints, tried in turn.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use parking_lot::RwLock;
use url::Url;

use crate::hosts::{self, HostTls, HostsError};

/// How long a registry has to accept a connection; containerd's dialer has the same order.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registry may be silent in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Redirects of one request: registries send blobs from elsewhere in one step, sometimes two.
const REDIRECTS: usize = 5;
/// Docker Hub's API lives under another name than the one in references.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What an endpoint may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Content by its digest.
    pub(crate) pull: bool,
    /// What a tag stands for.
    pub(crate) resolve: bool,
    pub(crate) push: bool,
}

impl Capabilities {
    pub(crate) const ALL: Capabilities = Capabilities { pull: true, resolve: true, push: true };
    pub(crate) const NONE: Capabilities = Capabilities { pull: false, resolve: false, push: false };
}

/// One place to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host and, where it isn't the scheme's own, port.
    pub(crate) host: String,
    pub(crate) plain_http: bool,
    /// What stands before the repository in its URLs.
    pub(crate) path: String,
    pub(crate) can: Capabilities,
    /// Sent with every request.
    pub(crate) headers: HeaderMap,
    /// Certificates that are not the system's.
    pub(crate) tls: Option<Arc<HostTls>>,
    /// The registry that it answers for, if it is another one's.
    pub(crate) mirror_of: Option<String>,
}

impl Endpoint {
    /// One that is asked the usual way.
    pub(crate) fn new(host: &str, plain_http: bool) -> Endpoint {
        Endpoint {
            host: host.to_owned(),
            plain_http,
            path: "/v2".to_owned(),
            can: Capabilities::ALL,
            headers: HeaderMap::new(),
            tls: None,
            mirror_of: None,
        }
    }

    /// The one that a registry's name means by itself.
    pub(crate) fn usual(name: &str) -> Endpoint {
        let host = if name == DOCKER_HUB.0 { DOCKER_HUB.1 } else { name };
        Endpoint::new(host, is_loopback(host))
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.plain_http { "http" } else { "https" }
    }

    /// Configuration of oci-client for this endpoint.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let protocol = if self.plain_http { ClientProtocol::Http } else { ClientProtocol::Https };
        // Naming a proxy together with its exception is oci-client's only way to keep the environment's
        // proxy away from a loopback address, which is never proxied (Go's net/http has the same rule).
        let local = is_loopback(&self.host);
        ClientConfig {
            protocol,
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: user_agent(),
            http_proxy: local.then(|| "http://127.0.0.1:9".to_owned()),
            no_proxy: local.then(|| "localhost,127.0.0.0/8,::1".to_owned()),
            accept_invalid_certificates: self.tls.as_ref().is_some_and(|tls| tls.skip_verify),
            extra_root_certificates: self.tls.iter().flat_map(|tls| tls.roots.iter().map(|root| pem(root))).collect(),
            ..ClientConfig::default()
        }
    }
}

fn pem(bytes: &[u8]) -> Certificate {
    Certificate { encoding: CertificateEncoding::Pem, data: bytes.to_owned() }
}

/// Which registries speak plain HTTP, and which names stand for other addresses. Loopback addresses speak
/// plain HTTP unless an alias says otherwise; every other host must speak HTTPS.
#[derive(Debug, Default)]
pub struct Registries {
    hosts: RwLock<HashMap<String, Vec<Endpoint>>>,
    /// Where registries are described in containerd's form.
    config_dir: OnceLock<PathBuf>,
    plain: OnceLock<reqwest::Client>,
    tls: OnceLock<reqwest::Client>,
}

impl Registries {
    /// No aliases.
    pub fn new() -> Registries {
        Registries::default()
    }

    /// Lets `name`, as it stands in references, be answered by `host` (host and port). Several aliases of
    /// one name are tried in the order they were added; adding one again changes its scheme only.
    pub fn add_alias(&self, name: &str, host: &str, plain_http: bool) {
        let endpoint = Endpoint::new(host, plain_http);
        let mut hosts = self.hosts.write();
        let endpoints = hosts.entry(name.to_owned()).or_default();
        match endpoints.iter_mut().find(|known| known.host == host) {
            Some(known) => *known = endpoint,
            None => endpoints.push(endpoint),
        }
    }

    /// Lets `host` speak plain HTTP: an insecure registry in a laboratory.
    pub fn allow_plain_http(&self, host: &str) {
        self.add_alias(host, host, true);
    }

    /// Reads `DIR/HOST[:PORT]/hosts.toml` for registries that have no alias: mirrors, certificates, plain HTTP. The
    /// first directory counts.
    pub fn set_config_dir(&self, dir: PathBuf) {
        let _ = self.config_dir.set(dir);
    }

    /// The endpoints of a registry's name, in the order to try them; never empty.
    pub(crate) fn endpoints(&self, name: &str) -> Result<Vec<Endpoint>, HostsError> {
        if let Some(endpoints) = self.hosts.read().get(name) {
            return Ok(endpoints.clone());
        }
        let configured = match self.config_dir.get() {
            Some(dir) => hosts::endpoints(dir, name)?,
            None => None,
        };
        Ok(configured.unwrap_or_else(|| vec![Endpoint::usual(name)]))
    }

    /// The HTTP client for an endpoint. Two, because reading the system's certificates takes milliseconds
    /// that a plain registry on the loopback need not wait for.
    pub(crate) fn http(&self, endpoint: &Endpoint) -> Result<reqwest::Client, reqwest::Error> {
        if !endpoint.plain_http && (endpoint.tls.is_some() || is_loopback(&endpoint.host)) {
            return build_tls(endpoint);
        }
        let slot = if endpoint.plain_http { &self.plain } else { &self.tls };
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let client = build_http(endpoint.plain_http)?;
        Ok(slot.get_or_init(|| client).clone())
    }

    /// The client for a place that an endpoint sends us to (its tokens' server): with the endpoint's certificates.
    pub(crate) fn http_elsewhere(&self, endpoint: &Endpoint, url: &Url) -> Result<reqwest::Client, reqwest::Error> {
        let host = url.host_str().unwrap_or_default().to_owned();
        self.http(&Endpoint { host, plain_http: url.scheme() == "http", ..endpoint.clone() })
    }
}

/// A client with certificates of its own. It is made for each pull: the files may change.
fn build_tls(endpoint: &Endpoint) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = builder();
    if is_loopback(&endpoint.host) {
        builder = builder.no_proxy();
    }
    let Some(tls) = &endpoint.tls else { return builder.build() };
    let roots: Vec<Vec<reqwest::Certificate>> =
        tls.roots.iter().map(|pem| reqwest::Certificate::from_pem_bundle(pem)).collect::<Result<_, _>>()?;
    builder = builder.tls_certs_merge(roots.into_iter().flatten());
    if let Some(identity) = &tls.identity {
        builder = builder.identity(reqwest::Identity::from_pem(identity)?);
    }
    if tls.skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder.build()
}

fn builder() -> reqwest::ClientBuilder {
    install_crypto_provider();
    reqwest::Client::builder()
        .user_agent(user_agent())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
}

/// Plain HTTP is for this machine and its laboratory: no certificates to read, no proxy in between.
fn build_http(plain: bool) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = builder();
    if plain {
        builder = builder.tls_certs_only([]).no_proxy();
    }
    builder.build()
}

/// rustls takes its cryptography from a process-wide default; whoever comes first sets it, and it is
/// *ring* in all of this program.
pub(crate) fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race against another thread leaves the same provider in place.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn user_agent() -> &'static str {
    concat!("coracle/", env!("CARGO_PKG_VERSION"))
}

/// Whether `host`, with or without port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split(':').next().unwrap_or(host),
    };
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, plain_http: bool) -> Endpoint {
        Endpoint::new(host, plain_http)
    }

    #[test]
    fn loopback_is_plain_and_everything_else_is_tls() {
        let registries = Registries::new();
        for (name, expected) in [
            ("127.0.0.1:5000", endpoint("127.0.0.1:5000", true)),
            ("127.8.9.1", endpoint("127.8.9.1", true)),
            ("localhost:5000", endpoint("localhost:5000", true)),
            ("[::1]:5000", endpoint("[::1]:5000", true)),
            ("ghcr.io", endpoint("ghcr.io", false)),
            ("10.0.0.1:5000", endpoint("10.0.0.1:5000", false)),
            ("docker.io", endpoint("registry-1.docker.io", false)),
        ] {
            assert_eq!(registries.endpoints(name).unwrap(), [expected], "{name}");
        }
    }

    #[test]
    fn aliases_are_tried_in_order_and_replaced_by_host() {
        let registries = Registries::new();
        registries.add_alias("r.internal", "127.0.0.1:1", false);
        registries.add_alias("r.internal", "127.0.0.1:2", true);
        registries.add_alias("r.internal", "127.0.0.1:1", true);
        let expected = [endpoint("127.0.0.1:1", true), endpoint("127.0.0.1:2", true)];
        assert_eq!(registries.endpoints("r.internal").unwrap(), expected);
    }
}
