//! Who asks, as Kubernetes describes users.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The group of everybody who is known.
const AUTHENTICATED: &str = "system:authenticated";

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    /// Name.
    pub name: String,
    /// Unique identifier, often empty.
    pub uid: String,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// What else is known.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The user that a certificate names: its common name, and its organizations as groups. The chain must have been
    /// verified already.
    pub fn of_certificate(der: &[u8]) -> Option<User> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
        if name.is_empty() {
            return None;
        }
        let organizations = subject.iter_organization().filter_map(|name| name.as_str().ok());
        let groups = organizations.chain([AUTHENTICATED]).map(str::to_owned).collect();
        Some(User { name, uid: String::new(), groups, extra: BTreeMap::new() })
    }

    /// The user that the API server names.
    pub fn of_review(info: UserInfo) -> Option<User> {
        let name = info.username.filter(|name| !name.is_empty())?;
        let (uid, groups) = (info.uid.unwrap_or_default(), info.groups.unwrap_or_default());
        Some(User { name, uid, groups, extra: info.extra.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_subject_is_name_and_groups() {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "system:masters");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "kube-apiserver-kubelet-client");
        let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let user = User::of_certificate(certificate.der()).unwrap();
        assert_eq!(user.name, "kube-apiserver-kubelet-client");
        assert_eq!(user.groups, ["system:masters", "system:authenticated"]);
        assert_eq!(User::of_certificate(b"nothing"), None);
    }

    #[test]
    fn a_review_without_a_name_names_nobody() {
        assert_eq!(User::of_review(UserInfo::default()), None);
    }
}
