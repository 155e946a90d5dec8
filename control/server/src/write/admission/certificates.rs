//! `CertificateApproval`, `CertificateSigning`, `CertificateSubjectRestriction`: who asks for a certificate is written
//! down by the server, and who says yes or signs must be allowed to for that signer.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509CertificationRequest};

use super::{Action, Admitted, Plugin};
use crate::authz::{Attributes, Subject};
use crate::hub::Hub;
use crate::identity::MASTERS;

const GROUP: &str = "certificates.k8s.io";
const PLURAL: &str = "certificatesigningrequests";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

pub(super) struct Certificates;

#[async_trait]
impl Plugin for Certificates {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.concerns(GROUP, PLURAL) && write.action != Action::Delete
    }

    async fn admit(&self, _: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        if !write.is(Action::Create, GROUP, PLURAL) {
            return Ok(());
        }
        // What the request says about its author does not count.
        let spec = &mut object["spec"];
        spec["username"] = json!(write.user.name);
        spec["groups"] = json!(write.user.groups);
        let fields = spec.as_object_mut();
        fields.into_iter().for_each(|fields| {
            fields.remove("uid");
            fields.remove("extra");
        });
        if !write.user.uid.is_empty() {
            spec["uid"] = json!(write.user.uid);
        }
        if !write.user.extra.is_empty() {
            spec["extra"] = json!(write.user.extra);
        }
        Ok(())
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        let spec = &object["spec"];
        let signer = spec["signerName"].as_str().unwrap_or_default();
        let refused = |why: String| Err(ApiError::forbidden(write.resource, write.name, &why));
        if write.action == Action::Create && signer == CLIENT_SIGNER && asks_for_masters(spec) {
            return refused(format!("use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"));
        }
        let signs = write.subresource == "status" && write.old.is_some_and(|old| signing(old) != signing(object));
        let (verb, deed) = match write.subresource {
            "approval" => ("approve", "approve"),
            "status" if signs => ("sign", "sign"),
            _ => return Ok(()),
        };
        if may(hub, write, verb, signer) {
            return Ok(());
        }
        refused(format!("user not permitted to {deed} requests with signerName {signer:?}"))
    }
}

/// What only a signer may change: the certificate, and that there will be none.
fn signing(csr: &Value) -> (&Value, Vec<&Value>) {
    let conditions = csr["status"]["conditions"].as_array().into_iter().flatten();
    (&csr["status"]["certificate"], conditions.filter(|condition| condition["type"] == "Failed").collect())
}

/// Allowed for the signer itself, or for all signers of its domain.
fn may(hub: &Hub, write: &Admitted<'_>, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    [signer.to_string(), format!("{domain}/*")].iter().any(|name| {
        let target = Subject::Resource { group: GROUP, resource: "signers", subresource: "", namespace: "", name };
        hub.authorizer.allows(write.user, &Attributes::new(verb, target))
    })
}

/// Whether the request in the spec is for a member of the group that may do everything.
fn asks_for_masters(spec: &Value) -> bool {
    let pem = spec["request"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&pem) else { return false };
    let Ok((_, request)) = X509CertificationRequest::from_der(&pem.contents) else { return false };
    let subject = &request.certification_request_info.subject;
    subject.iter_organization().any(|organization| organization.as_str().ok() == Some(MASTERS))
}
