//! Requests for certificates: a node asks for its own (upstream since 1.32, where the gate
//! `AllowInsecureKubeletCertificateSigningRequests` turns this off). Everything else in them is the signer's business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_api::ApiResult;
use coracle_api::kinds::signing_request;
use serde_json::Value;

use super::Deed;
use crate::write::admission::Action;

/// The signers of nodes' certificates.
const SIGNERS: [&str; 2] = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

pub(super) fn check(deed: &Deed<'_>) -> ApiResult<()> {
    if deed.write.action != Action::Create || !deed.write.subresource.is_empty() {
        return Ok(());
    }
    match refusal(&deed.object["spec"], deed.node) {
        Some(why) => deed.refuse(why),
        None => Ok(()),
    }
}

/// Why the node may not ask for this.
fn refusal(spec: &Value, node: &str) -> Option<String> {
    if !spec["signerName"].as_str().is_some_and(|signer| SIGNERS.contains(&signer)) {
        return None;
    }
    let own = format!("system:node:{node}");
    match common_name(spec["request"].as_str().unwrap_or_default()) {
        Err(why) => Some(format!("unable to parse csr: {why}")),
        Ok(name) if name != own => Some(format!("can only create a node CSR with CN={own}")),
        Ok(_) => None,
    }
}

/// The common name in a request, PEM in base64. Readers of certificates differ in which of several counts, so of one that
/// has several it is none.
fn common_name(request: &str) -> Result<String, String> {
    let der = signing_request::der(&STANDARD.decode(request).unwrap_or_default())?;
    let request = signing_request::parse(&der)?;
    let names = request.certification_request_info.subject.iter_common_name();
    let mut names: Vec<&str> = names.map(|name| name.as_str().unwrap_or_default()).collect();
    names.dedup();
    match names.as_slice() {
        [name] => Ok((*name).to_string()),
        _ => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use serde_json::json;

    use super::*;

    fn request(common_name: &str) -> String {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        let pem = parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
        STANDARD.encode(pem)
    }

    fn asked(signer: &str, request: &str) -> Option<String> {
        refusal(&json!({ "signerName": signer, "request": request }), "n1")
    }

    #[test]
    fn a_node_asks_its_signers_for_itself_only() {
        let other = Some("can only create a node CSR with CN=system:node:n1".to_string());
        for signer in SIGNERS {
            assert_eq!(asked(signer, &request("system:node:n1")), None);
            for name in ["system:node:n2", "system:node:", "system:node:n11", "n1", "kubernetes-admin"] {
                assert_eq!(asked(signer, &request(name)), other, "{name}");
            }
        }
        assert_eq!(asked("kubernetes.io/kube-apiserver-client", &request("jane")), None);
        assert_eq!(asked("example.com/own", "nonsense"), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let truncated =
            STANDARD.encode("-----BEGIN CERTIFICATE REQUEST-----\nMIH=\n-----END CERTIFICATE REQUEST-----\n");
        for wrong in ["", "nonsense", &STANDARD.encode("nonsense"), &truncated] {
            let why = asked(SIGNERS[0], wrong).unwrap();
            assert!(why.starts_with("unable to parse csr: "), "{why}");
        }
        let key = KeyPair::generate().unwrap();
        let why = asked(SIGNERS[0], &STANDARD.encode(key.serialize_pem())).unwrap();
        assert_eq!(why, "unable to parse csr: PEM block type must be CERTIFICATE REQUEST");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let pem = STANDARD.decode(request("system:node:n1")).unwrap();
        let odd = String::from_utf8(pem).unwrap().replacen('\n', "\r", 1);
        assert_eq!(
            asked(SIGNERS[1], &STANDARD.encode(odd)).unwrap(),
            "unable to parse csr: PEM lines must end with LF or CRLF"
        );
    }

    #[test]
    fn a_second_name_is_no_way_out() {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        // rcgen keeps one of each type, so the second is given by its number.
        parameters.distinguished_name.push(DnType::CommonName, "system:node:n1");
        parameters.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "system:node:n2");
        let pem = parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
        assert_eq!(
            asked(SIGNERS[1], &STANDARD.encode(pem)).unwrap(),
            "can only create a node CSR with CN=system:node:n1"
        );
    }
}
