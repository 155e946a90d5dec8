//! Reads a user out of a verified client certificate: common name is the name, organizations are the groups.

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::User;

/// Who a connection's client certificate says its client is, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    user: User,
    /// The certificate's `notAfter`, in seconds since 1970.
    until: i64,
}

impl Proof {
    /// Of a certificate (DER) whose chain has been verified, if it names somebody.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self { user: user_of(der)?, until: certificate.validity().not_after.timestamp() })
    }

    /// The user, as long as the certificate is valid: a connection may outlive it, and kube-apiserver verifies it again
    /// with each request (`authentication/request/x509`).
    pub(crate) fn user_at(&self, now: Timestamp) -> Option<&User> {
        (now.as_second() <= self.until).then_some(&self.user)
    }
}

/// The user that a certificate (DER) names, if it has a common name. The chain must have been verified already.
pub(crate) fn user_of(der: &[u8]) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject: &X509Name<'_> = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_string();
    if name.is_empty() {
        return None;
    }
    let groups = subject.iter_organization().filter_map(|o| o.as_str().ok()).map(str::to_string);
    let mut user = User::new(name, groups);
    user.extra.insert("authentication.kubernetes.io/credential-id".into(), vec![fingerprint(der)]);
    Some(user)
}

/// Which certificate it was, as audit logs and `kubectl auth whoami` name it.
fn fingerprint(der: &[u8]) -> String {
    let bytes = digest(&SHA256, der);
    bytes.as_ref().iter().fold("X509SHA256=".to_string(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_proof_ends_with_its_certificate() {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "jane");
        parameters.not_after = date_time_ymd(2030, 1, 1);
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let proof = Proof::of(certificate.der()).unwrap();
        let at = |text: &str| proof.user_at(text.parse().unwrap()).map(|user| user.name.as_str());
        assert_eq!(at("2030-01-01T00:00:00Z"), Some("jane"));
        assert_eq!(at("2030-01-01T00:00:01Z"), None);
    }
}
