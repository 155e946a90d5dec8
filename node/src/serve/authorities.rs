//! Who certifies clients: the authorities in a file, or those that the cluster publishes for servers like this one.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use parking_lot::{Mutex, RwLock};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio_util::sync::CancellationToken;

use super::{ServeError, user::User};
use crate::link::Link;

/// Where a cluster publishes the authority of its client certificates, and under which key.
const NAMESPACE: &str = "kube-system";
const CONFIG_MAP: &str = "extension-apiserver-authentication";
const KEY: &str = "client-ca-file";
/// How often it is looked at, and how soon again after that failed.
const PERIOD: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(5);

/// The authorities.
#[derive(Default)]
pub struct Authorities {
    /// None until some are known.
    verifier: RwLock<Option<Arc<dyn ClientCertVerifier>>>,
    /// What was last published.
    published: Mutex<String>,
    of_file: bool,
    /// Whether the log says already that they are not known.
    told: AtomicBool,
}

impl Authorities {
    /// Those in a file.
    pub fn of_file(file: &Path) -> Result<Authorities, ServeError> {
        let wrong = |why: String| ServeError::File { path: file.to_owned(), why };
        let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let verifier = RwLock::new(Some(verifier(&pem).map_err(wrong)?));
        Ok(Authorities { verifier, of_file: true, ..Authorities::default() })
    }

    /// The user that a client's certificates prove, if an authority here certifies them for that use.
    pub fn user(&self, chain: &[CertificateDer<'_>]) -> Option<User> {
        let (end, intermediates) = chain.split_first()?;
        let verifier = self.verifier.read().clone()?;
        verifier.verify_client_cert(end, intermediates, UnixTime::now()).ok()?;
        User::of_certificate(end)
    }

    /// Looks at what the cluster publishes, unless a file says who counts. The log says why that failed.
    pub async fn look(&self, client: &Client) -> bool {
        if self.of_file {
            return true;
        }
        let Err(why) = self.read(client).await else { return true };
        // Once is enough: while the server is away it is looked for again and again.
        if self.told.swap(true, Ordering::Relaxed) {
            tracing::debug!(why, "nobody says who certifies clients of the node API");
        } else {
            tracing::warn!(why, "nobody says who certifies clients of the node API; asking again");
        }
        false
    }

    /// Goes on looking.
    pub async fn follow(&self, client: Client, link: &Link, shutdown: CancellationToken) {
        if self.of_file {
            return;
        }
        let mut known = !self.published.lock().is_empty();
        loop {
            let pause = pause(known, link);
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
            known = self.look(&client).await;
        }
    }

    async fn read(&self, client: &Client) -> Result<(), String> {
        let published: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
        let found = published.get(CONFIG_MAP).await.map_err(|error| error.to_string())?;
        let pem = found.data.and_then(|mut data| data.remove(KEY));
        let pem = pem.ok_or_else(|| format!("the ConfigMap {NAMESPACE}/{CONFIG_MAP} has no {KEY}"))?;
        let mut known = self.published.lock();
        if pem != *known {
            *self.verifier.write() = Some(verifier(pem.as_bytes())?);
            *known = pem;
        }
        Ok(())
    }
}

/// Until the next look. Who knows nobody turns everybody away: so as soon as the server is back.
async fn pause(known: bool, link: &Link) {
    if known {
        tokio::time::sleep(PERIOD).await;
    } else if link.is_up() {
        tokio::time::sleep(RETRY).await;
    } else {
        link.up().await;
    }
}

fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

    use super::*;

    fn authority() -> (String, Issuer<'static, KeyPair>) {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        (parameters.self_signed(&key).unwrap().pem(), Issuer::new(parameters, key))
    }

    fn signed(by: &Issuer<'static, KeyPair>, usage: ExtendedKeyUsagePurpose) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "jane");
        parameters.extended_key_usages = vec![usage];
        parameters.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
    }

    #[test]
    fn only_client_certificates_of_the_authority_name_somebody() {
        let ((pem, ours), (_, others)) = (authority(), authority());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.crt");
        std::fs::write(&file, pem).unwrap();
        let authorities = Authorities::of_file(&file).unwrap();
        let client = || ExtendedKeyUsagePurpose::ClientAuth;
        let name = |certificate| authorities.user(&[certificate]).map(|user| user.name);
        assert_eq!(name(signed(&ours, client())).as_deref(), Some("jane"));
        assert_eq!(name(signed(&others, client())), None);
        assert_eq!(name(signed(&ours, ExtendedKeyUsagePurpose::ServerAuth)), None);
        assert_eq!(authorities.user(&[]), None);
        assert_eq!(Authorities::default().user(&[signed(&ours, client())]), None);
    }

    #[tokio::test]
    async fn who_knows_nobody_looks_as_soon_as_the_server_is_back() {
        let link = Link::new();
        link.give_up();
        // The first of the two is asked first: it waits when the server comes back.
        let both = async { tokio::join!(pause(false, &link), link.probe(async { Ok(()) })) };
        let ((), answer) = tokio::time::timeout(RETRY / 2, both).await.expect("it does not wait for its time");
        answer.unwrap();
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.crt");
        std::fs::write(&file, "nothing").unwrap();
        assert!(matches!(Authorities::of_file(&file), Err(ServeError::File { .. })));
    }
}
