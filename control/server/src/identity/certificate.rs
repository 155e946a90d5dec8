//! Reads a user out of a verified client certificate: common name is the name, organizations are the groups.

use ring::digest::{SHA256, digest};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::User;

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
