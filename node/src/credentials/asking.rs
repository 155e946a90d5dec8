//! Asks for a certificate by CertificateSigningRequest, and waits for the answer (`client-go/util/certificate/csr`).

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::certificates::v1::{
        CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
    },
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
    runtime::{WatchStreamExt as _, watcher::watch_object},
};
use rcgen::KeyPair;

use super::{CredentialError, Pair, PairStore, Wanted};

/// The pair that is wanted: asked for now, or before by somebody with the same pending key. Waits for as long as it takes;
/// the pending key stays until [`PairStore::forget_pending`], whatever comes of it.
pub async fn ask(client: &Client, wanted: &Wanted, store: &PairStore) -> Result<Pair, CredentialError> {
    let key = store.pending_key()?;
    let requests: Api<CertificateSigningRequest> = Api::all(client.clone());
    let name = wanted.name(&key);
    let request = find_or_create(&requests, &name, wanted, &key).await?;
    let certificate = answer(&requests, &name, request.metadata.uid.as_deref()).await?;
    let issued = |why: String| CredentialError::Issued { name: name.clone(), why };
    let pair = usable(&certificate, &key, wanted).map_err(issued);
    if pair.is_err() {
        // The same answer would come again and again.
        store.forget_pending();
    }
    pair
}

async fn find_or_create(
    requests: &Api<CertificateSigningRequest>,
    name: &str,
    wanted: &Wanted,
    key: &KeyPair,
) -> Result<CertificateSigningRequest, CredentialError> {
    let request = CertificateSigningRequest {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        spec: CertificateSigningRequestSpec {
            request: ByteString(wanted.request_pem(key)?.into_bytes()),
            signer_name: wanted.signer.to_owned(),
            usages: Some(wanted.usages.map(str::to_owned).to_vec()),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    };
    match requests.create(&PostParams::default(), &request).await {
        Ok(created) => {
            tracing::info!(name, signer = wanted.signer, "asked for a certificate; waiting for it to be issued");
            Ok(created)
        }
        Err(error) if coracle_client::is_code(&error, 409) => {
            tracing::info!(name, signer = wanted.signer, "a certificate has been asked for before; waiting for it");
            requests.get(name).await.map_err(|error| CredentialError::Retrieve(Box::new(error)))
        }
        Err(error) => Err(CredentialError::Create(Box::new(error))),
    }
}

/// The certificate, PEM, as soon as there is one.
async fn answer(
    requests: &Api<CertificateSigningRequest>,
    name: &str,
    uid: Option<&str>,
) -> Result<String, CredentialError> {
    let mut changes = std::pin::pin!(watch_object(requests.clone(), name).default_backoff());
    while let Some(change) = changes.next().await {
        match change {
            Ok(Some(request)) if request.metadata.name.as_deref() != Some(name) => {}
            Ok(Some(request)) if request.metadata.uid.as_deref() != uid => {
                return Err(CredentialError::Replaced(name.to_owned()));
            }
            Ok(Some(request)) => match verdict(&request, name)? {
                Some(certificate) => return Ok(certificate),
                None => tracing::debug!(name, "the request for a certificate waits for its answer"),
            },
            Ok(None) => return Err(CredentialError::Deleted(name.to_owned())),
            Err(error) => {
                tracing::debug!(name, %error, "the request for a certificate cannot be watched; trying again")
            }
        }
    }
    Err(CredentialError::Deleted(name.to_owned()))
}

/// What has become of a request: a certificate, nothing yet, or a no.
fn verdict(request: &CertificateSigningRequest, name: &str) -> Result<Option<String>, CredentialError> {
    let Some(status) = &request.status else { return Ok(None) };
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let why = |condition: &CertificateSigningRequestCondition| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (name.to_owned(), text(&condition.reason), text(&condition.message))
    };
    if let Some((name, reason, message)) = condition("Denied").map(why) {
        return Err(CredentialError::Denied { name, reason, message });
    }
    if let Some((name, reason, message)) = condition("Failed").map(why) {
        return Err(CredentialError::Failed { name, reason, message });
    }
    let certificate = status.certificate.as_ref().filter(|bytes| !bytes.0.is_empty());
    match certificate.filter(|_| condition("Approved").is_some()) {
        Some(bytes) => Ok(Some(String::from_utf8_lossy(&bytes.0).into_owned())),
        None => Ok(None),
    }
}

/// The pair, if the certificate is for this key, holds, and is what was asked for.
fn usable(certificate: &str, key: &KeyPair, wanted: &Wanted) -> Result<Pair, String> {
    let pair = Pair::new(certificate, &key.serialize_pem())?;
    if !pair.is_valid(Timestamp::now()) {
        return Err(format!("it has expired: {}", pair.not_after));
    }
    if !wanted.is_met_by(&pair) {
        return Err("it is for other names than were asked for".to_owned());
    }
    Ok(pair)
}
