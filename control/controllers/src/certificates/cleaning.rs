//! Removes old requests (`pkg/controller/certificates/cleaner`): nobody does it who has made one.

use super::request::{condition, is_issued};
use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::is_code;
use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use kube::api::DeleteParams;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long a request is kept that is answered, or nobody's business.
const ANSWERED: Duration = Duration::from_secs(3600);
const PENDING: Duration = Duration::from_secs(24 * 3600);

/// See the module's documentation.
pub struct CleaningController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl CleaningController {
    /// The controller, listening to the informer it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<CleaningController> {
        let controller = Arc::new(CleaningController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.signing_requests.enqueue_for(&controller);
        controller
    }
}

/// When the request has had its time.
fn end(csr: &CertificateSigningRequest) -> Option<Timestamp> {
    let created = csr.metadata.creation_timestamp.as_ref()?.0;
    let decided = ["Denied", "Failed", "Approved"].iter().find_map(|kind| condition(csr, kind));
    let (since, kept) = match decided {
        Some(decided) => (decided.last_update_time.as_ref().map_or(created, |time| time.0), ANSWERED),
        None => (created, PENDING),
    };
    // Approved by somebody, and signed by nobody yet.
    let waits = condition(csr, "Approved").is_some() && !is_issued(csr) && condition(csr, "Failed").is_none();
    let by_age = since.saturating_add(if waits { PENDING } else { kept }).ok()?;
    Some(expiry(csr).map_or(by_age, |expiry| expiry.min(by_age)))
}

/// The end of the certificate that came of it.
fn expiry(csr: &CertificateSigningRequest) -> Option<Timestamp> {
    let bytes = &csr.status.as_ref()?.certificate.as_ref()?.0;
    let (_, pem) = x509_parser::pem::parse_x509_pem(bytes).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[async_trait]
impl Reconcile for CleaningController {
    fn name(&self) -> &'static str {
        "csrcleaner"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(csr) = self.cluster.signing_requests.store().get(key) else { return Ok(None) };
        let Some(end) = end(&csr) else { return Ok(None) };
        let left = end.duration_since(Timestamp::now());
        if left.is_positive() {
            return Ok(Some(left.unsigned_abs()));
        }
        let api: Api<CertificateSigningRequest> = Api::all(self.cluster.client.clone());
        match api.delete(&key.name, &DeleteParams::default()).await {
            Err(error) if !is_code(&error, 404) => Err(error.into()),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::certificates::v1::{CertificateSigningRequestCondition, CertificateSigningRequestStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn csr(kind: Option<&str>, certificate: bool) -> CertificateSigningRequest {
        let at = |second| Some(Time(Timestamp::from_second(second).unwrap()));
        let mut csr = CertificateSigningRequest::default();
        csr.metadata.creation_timestamp = at(1_000);
        let condition = |kind: &str| CertificateSigningRequestCondition {
            type_: kind.to_owned(),
            last_update_time: at(2_000),
            ..CertificateSigningRequestCondition::default()
        };
        csr.status = Some(CertificateSigningRequestStatus {
            conditions: kind.map(|kind| vec![condition(kind)]),
            certificate: certificate.then(|| k8s_openapi::ByteString(b"none".to_vec())),
        });
        csr
    }

    #[test]
    fn what_is_answered_is_kept_for_an_hour_and_what_waits_for_a_day() {
        let second = |csr: &CertificateSigningRequest| end(csr).unwrap().as_second();
        assert_eq!(second(&csr(None, false)), 1_000 + 24 * 3600);
        assert_eq!(second(&csr(Some("Denied"), false)), 2_000 + 3600);
        assert_eq!(second(&csr(Some("Approved"), true)), 2_000 + 3600);
        assert_eq!(second(&csr(Some("Approved"), false)), 2_000 + 24 * 3600);
    }
}
