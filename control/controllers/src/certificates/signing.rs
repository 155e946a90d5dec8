//! Signs what has been approved.

use super::request::{add_condition, condition, is_approved, is_issued, pem, subject};
use super::signers;
use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use kube::api::PostParams;
use std::sync::Arc;
use std::time::Duration;

/// The shortest that somebody may ask for.
const SHORTEST: Duration = Duration::from_secs(600);

/// See the module's documentation.
pub struct SigningController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl SigningController {
    /// The controller, listening to the informer it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<SigningController> {
        let controller = Arc::new(SigningController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.signing_requests.enqueue_for(&controller);
        controller
    }

    /// The certificate of a request.
    fn certificate(&self, csr: &CertificateSigningRequest) -> Result<String, String> {
        let Some(signer) = &self.cluster.config.signer else { return Err("there is no signer".to_owned()) };
        let (request, usages) = (pem(csr), csr.spec.usages.clone().unwrap_or_default());
        signers::check(&csr.spec.signer_name, &subject(&request)?, &usages)?;
        let longest = self.cluster.config.signing_duration;
        signer.0.sign(&request, &usages, lifetime(csr.spec.expiration_seconds, longest))
    }
}

/// As long as is asked for: no longer than `longest`, nor, if anything is asked for, shorter than the shortest.
fn lifetime(asked: Option<i32>, longest: Duration) -> Duration {
    let asked = asked.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    match asked {
        Some(asked) if asked <= longest => asked.max(SHORTEST),
        _ => longest,
    }
}

/// The request with its certificate, or with why there will be none.
fn answered(csr: &CertificateSigningRequest, outcome: Result<String, String>) -> CertificateSigningRequest {
    let mut csr = csr.clone();
    match outcome {
        Ok(certificate) => {
            csr.status.get_or_insert_default().certificate = Some(ByteString(certificate.into_bytes()));
        }
        Err(why) => add_condition(&mut csr, "Failed", "SignerValidationFailure", why),
    }
    csr
}

#[async_trait]
impl Reconcile for SigningController {
    fn name(&self) -> &'static str {
        "csrsigning"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(csr) = self.cluster.signing_requests.store().get(key) else { return Ok(None) };
        let is_over = is_issued(&csr) || condition(&csr, "Failed").is_some();
        if self.cluster.config.signer.is_none()
            || is_over
            || !is_approved(&csr)
            || !signers::is_own(&csr.spec.signer_name)
        {
            return Ok(None);
        }
        let answered = answered(&csr, self.certificate(&csr));
        let api: Api<CertificateSigningRequest> = Api::all(self.cluster.client.clone());
        api.replace_status(&key.name, &PostParams::default(), &answered).await?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_says_for_how_long_within_bounds() {
        let year = Duration::from_secs(365 * 86_400);
        assert_eq!(lifetime(None, year), year);
        assert_eq!(lifetime(Some(3600), year), Duration::from_secs(3600));
        assert_eq!(lifetime(Some(1), year), SHORTEST);
        assert_eq!(lifetime(Some(-1), year), year);
        assert_eq!(lifetime(Some(i32::MAX), year), year);
        let minute = Duration::from_secs(60);
        assert_eq!((lifetime(None, minute), lifetime(Some(3600), minute)), (minute, minute));
    }

    #[test]
    fn a_request_that_is_not_signed_says_why() {
        let failed = answered(&CertificateSigningRequest::default(), Err("no".to_owned()));
        let condition = condition(&failed, "Failed").unwrap();
        assert_eq!(
            (condition.reason.as_deref(), condition.message.as_deref()),
            (Some("SignerValidationFailure"), Some("no"))
        );
        assert!(!is_issued(&failed));
        assert!(is_issued(&answered(&CertificateSigningRequest::default(), Ok("pem".to_owned()))));
    }
}
