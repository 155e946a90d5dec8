//! Approves the requests of nodes for client certificates, of those who may have them so: newcomers for any node, nodes for
//! themselves (`pkg/controller/certificates/approver`).

use super::request::{Subject, add_condition, condition, pem, subject};
use super::signers;
use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use kube::api::PostParams;
use std::sync::Arc;
use std::time::Duration;

/// See the module's documentation.
pub struct ApprovingController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

/// A right by which a request is approved, and what is said then.
type Right = (&'static str, &'static str);

const SELF: Right = ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.");
const NEW: Right = ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.");

impl ApprovingController {
    /// The controller, listening to the informer it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<ApprovingController> {
        let controller = Arc::new(ApprovingController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.signing_requests.enqueue_for(&controller);
        controller
    }

    /// Whether who asks has the right.
    async fn may(&self, csr: &CertificateSigningRequest, right: &str) -> kube::Result<bool> {
        let spec = &csr.spec;
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: spec.username.clone(),
                uid: spec.uid.clone(),
                groups: spec.groups.clone(),
                extra: spec.extra.clone(),
                resource_attributes: Some(ResourceAttributes {
                    group: Some("certificates.k8s.io".to_owned()),
                    resource: Some("certificatesigningrequests".to_owned()),
                    verb: Some("create".to_owned()),
                    subresource: Some(right.to_owned()),
                    version: Some("*".to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.cluster.client.clone());
        let answer = api.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

/// The rights by which the request could be approved, the narrower first.
fn rights(csr: &CertificateSigningRequest, subject: &Subject) -> Vec<Right> {
    let usages = csr.spec.usages.as_deref().unwrap_or_default();
    if signers::check_kubelet_client(subject, usages).is_err() {
        return Vec::new();
    }
    let is_own = csr.spec.username.as_deref() == Some(subject.common_name.as_str());
    if is_own { vec![SELF, NEW] } else { vec![NEW] }
}

fn approved(csr: &CertificateSigningRequest, message: &str) -> CertificateSigningRequest {
    let mut csr = csr.clone();
    add_condition(&mut csr, "Approved", "AutoApproved", message.to_owned());
    csr
}

#[async_trait]
impl Reconcile for ApprovingController {
    fn name(&self) -> &'static str {
        "csrapproving"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(csr) = self.cluster.signing_requests.store().get(key) else { return Ok(None) };
        let is_decided = condition(&csr, "Approved").is_some() || condition(&csr, "Denied").is_some();
        if is_decided || csr.spec.signer_name != signers::KUBELET_CLIENT {
            return Ok(None);
        }
        let Ok(subject) = subject(&pem(&csr)) else { return Ok(None) };
        for (right, message) in rights(&csr, &subject) {
            if self.may(&csr, right).await? {
                let api: Api<CertificateSigningRequest> = Api::all(self.cluster.client.clone());
                api.replace_subresource("approval", &key.name, &PostParams::default(), &approved(&csr, message))
                    .await?;
                return Ok(None);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csr(user: &str, usages: &[&str]) -> CertificateSigningRequest {
        let mut csr = CertificateSigningRequest::default();
        csr.spec.username = Some(user.to_owned());
        csr.spec.usages = Some(usages.iter().map(|usage| (*usage).to_owned()).collect());
        csr
    }

    #[test]
    fn nodes_ask_for_themselves_and_newcomers_for_any() {
        let subject = Subject {
            common_name: "system:node:n1".into(),
            organizations: vec!["system:nodes".into()],
            ..Subject::default()
        };
        let client = ["digital signature", "client auth"];
        assert_eq!(rights(&csr("system:node:n1", &client), &subject), [SELF, NEW]);
        assert_eq!(rights(&csr("system:bootstrap:abcdef", &client), &subject), [NEW]);
        assert_eq!(rights(&csr("system:node:n1", &["digital signature", "server auth"]), &subject), []);
        let masters = Subject { organizations: vec!["system:masters".into()], ..subject };
        assert_eq!(rights(&csr("system:node:n1", &client), &masters), []);
    }
}
