//! `CertificateApproval`, `CertificateSigning`, `CertificateSubjectRestriction`: who asks for a certificate is written
//! down by the server, and who says yes or signs must be allowed to for that signer.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_api::ApiResult;
use coracle_api::kinds::signing_request;
use serde_json::{Value, json};

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
        let refused = |why: String| Err(write.forbidden(&why));
        if write.action == Action::Create && signer == CLIENT_SIGNER {
            return restriction(spec).map_or(Ok(()), refused);
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

/// What only a signer may change: the certificate, and what is said about it.
fn signing(csr: &Value) -> (&str, &[Value]) {
    let status = &csr["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice);
    (status["certificate"].as_str().unwrap_or_default(), conditions.unwrap_or_default())
}

/// Allowed for the signer itself, or for all signers of its domain.
fn may(hub: &Hub, write: &Admitted<'_>, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    [signer.to_string(), format!("{domain}/*")].iter().any(|name| {
        let target = Subject::Resource { group: GROUP, resource: "signers", subresource: "", namespace: "", name };
        hub.authorizer.allows(write.user, &Attributes::new(verb, target))
    })
}

/// Why the signer of clients may not be asked for this: nobody gets the group that may do everything.
fn restriction(spec: &Value) -> Option<String> {
    match organizations(spec) {
        Err(why) => Some(format!("failed to parse CSR: {why}")),
        Ok(groups) if groups.iter().any(|group| group == MASTERS) => {
            Some(format!("use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"))
        }
        Ok(_) => None,
    }
}

/// The organizations in the request of a spec. One in a coding that is not read here could be any.
fn organizations(spec: &Value) -> Result<Vec<String>, String> {
    let pem = spec["request"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let der = signing_request::der(&pem)?;
    let request = signing_request::parse(&der)?;
    let found = request.certification_request_info.subject.iter_organization();
    found.map(|name| name.as_str().map(str::to_string).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::string::{BmpString, TeletexString};
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn request(organization: impl Into<DnValue>) -> String {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, organization);
        parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
    }

    fn asked(pem: &str) -> Option<String> {
        restriction(&json!({ "request": STANDARD.encode(pem) }))
    }

    #[test]
    fn what_cannot_be_read_is_not_allowed() {
        assert_eq!(asked(&request("team")), None);
        let masters =
            Some("use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
        assert_eq!(asked(&request(MASTERS)).as_deref(), masters);
        let wrong = Some("failed to parse CSR: PEM block type must be CERTIFICATE REQUEST");
        for unread in [json!({}), json!({ "request": "?" }), json!({ "request": "" })] {
            assert_eq!(restriction(&unread).as_deref(), wrong);
        }
        let twice = request("team") + &request(MASTERS);
        assert_eq!(asked(&twice).as_deref(), Some("failed to parse CSR: must contain exactly one PEM block"));
        let broken = request("team").replace("\r\n", "\n").replacen('\n', "\r", 1);
        assert_eq!(asked(&broken).as_deref(), Some("failed to parse CSR: PEM lines must end with LF or CRLF"));
    }

    #[test]
    fn another_coding_is_no_way_out() {
        let bmp = DnValue::BmpString(BmpString::try_from(MASTERS).unwrap());
        let teletex = DnValue::TeletexString(TeletexString::try_from(MASTERS).unwrap());
        for coded in [bmp, teletex] {
            assert!(asked(&request(coded)).is_some());
        }
    }

    #[test]
    fn every_condition_is_the_signers() {
        let csr = |status: Value| json!({ "status": status });
        let old = csr(json!({ "conditions": [{ "type": "Approved", "status": "True" }] }));
        let more = csr(json!({ "conditions": [{ "type": "Approved", "status": "True" }, { "type": "Seen" }] }));
        let other = csr(json!({ "conditions": [{ "type": "Approved", "status": "True", "reason": "R" }] }));
        for new in [more, other] {
            assert_ne!(signing(&new), signing(&old), "{new}");
        }
        assert_eq!(signing(&csr(json!({}))), signing(&csr(json!({ "conditions": [], "certificate": null }))));
    }
}
