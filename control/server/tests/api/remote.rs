//! Servers that the API server calls: on loopback, with certificates of their own authority, behind a Service.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use base64::Engine as _;
use coracle_store::{Expect, Key, Object, Txn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use crate::support::{Cluster, SERVICES, service};

/// A server that runs for as long as the test.
pub struct Remote {
    pub address: SocketAddr,
    /// `caBundle`: the authority of its certificate, PEM in base64.
    pub bundle: String,
}

impl Remote {
    /// Serves `router` in the name of `host`. With `clients` (an authority, PEM) only those with a certificate of it.
    pub async fn start(host: &str, clients: Option<&str>, router: Router) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([host.to_string()]).unwrap().signed_by(&key, &issuer).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls(&leaf.pem(), &key.serialize_pem(), clients)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let builder = Builder::new(TokioExecutor::new());
                    let service = TowerToHyperService::new(router);
                    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, bundle: base64::engine::general_purpose::STANDARD.encode(pem) }
    }

    /// Makes the Service `default/NAME` lead to it. Written past validation, which knows no endpoints on loopback.
    pub async fn behind(&self, cluster: &Cluster, name: &str) {
        let ports = json!({ "ports": [{ "port": 443, "targetPort": self.address.port() }] });
        cluster.post(SERVICES, service(name, ports)).await.ok();
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": name, "namespace": "default", "uid": "u", "labels": { "kubernetes.io/service-name": name },
            },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [self.address.ip().to_string()], "conditions": { "ready": true } }],
            "ports": [{ "name": "", "port": self.address.port(), "protocol": "TCP" }],
        });
        store(cluster, "endpointslices.discovery.k8s.io", name, &slice).await;
    }
}

async fn store(cluster: &Cluster, resource: &str, name: &str, object: &Value) {
    let key = Key::new(resource, "default", name);
    let object = Object::from_json(object.to_string().into_bytes()).unwrap();
    cluster.store.commit(Txn::put(key, object, Expect::Any)).await.unwrap();
}

fn tls(certificate: &str, key: &str, clients: Option<&str>) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
}
