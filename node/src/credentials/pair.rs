//! A certificate and its key.

use std::{fmt, fmt::Write as _, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The group of nodes, and how the names of their users begin.
pub const NODES: &str = "system:nodes";
pub const NODE: &str = "system:node:";

/// A certificate, what certifies it, and its key: they belong together.
#[derive(Clone)]
pub struct Pair {
    certificate_pem: String,
    key_pem: String,
    certified: Arc<CertifiedKey>,
    /// From when on it counts.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    pub(super) common_name: String,
    pub(super) groups: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
}

impl Pair {
    /// Of two texts, PEM, each of which may hold other things too: kubelet keeps both in one file.
    ///
    /// # Errors
    /// When something is missing, is not what it should be, or the key is another certificate's: says what.
    pub fn new(certificate: &str, key: &str) -> Result<Pair, String> {
        let certificate_pem = blocks(certificate, |label| label == "CERTIFICATE");
        let key_pem = blocks(key, |label| label.ends_with("PRIVATE KEY"));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect();
        let chain = chain.map_err(|error| error.to_string())?;
        let first = chain.first().cloned().ok_or("there is no certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| "there is no private key")?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = Arc::new(certified.map_err(|error| error.to_string())?);
        let (_, parsed) = X509Certificate::from_der(&first).map_err(|error| error.to_string())?;
        let time =
            |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).map_err(|error| error.to_string());
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().unwrap_or_default().to_owned();
        let subject = parsed.subject();
        let (names, addresses) = alternatives(&parsed);
        Ok(Pair {
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            common_name: subject.iter_common_name().next().map(text).unwrap_or_default(),
            groups: subject.iter_organization().map(text).collect(),
            names,
            addresses,
            certificate_pem,
            key_pem,
            certified,
        })
    }

    /// Both, as kubelet writes them into one file.
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.key_pem)
    }

    /// The certificate, with what certifies it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The key.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Both, for a TLS server.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    /// Whether it has not ended.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now < self.not_after
    }

    /// The node whose client certificate this is, if it is a node's.
    pub fn node(&self) -> Option<&str> {
        self.common_name.strip_prefix(NODE).filter(|_| self.groups.iter().any(|group| group == NODES))
    }
}

/// Never the key.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("common_name", &self.common_name).field("not_after", &self.not_after).finish()
    }
}

fn alternatives(certificate: &X509Certificate<'_>) -> (Vec<String>, Vec<IpAddr>) {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    let found = certificate.subject_alternative_name().ok().flatten();
    for name in found.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => names.push((*name).to_owned()),
            GeneralName::IPAddress(octets) => addresses.extend(address(octets)),
            _ => {}
        }
    }
    (names, addresses)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// The blocks of a PEM text whose labels are wanted.
fn blocks(text: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let (mut found, mut rest) = (String::new(), text);
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((label, _)) = after.split_once("-----") else { break };
        let end = format!("-----END {label}-----");
        let Some(at) = after.find(&end) else { break };
        let (block, behind) = after.split_at(at + end.len());
        if is_wanted(label) {
            let _ = writeln!(found, "-----BEGIN {block}");
        }
        rest = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::test_authority::Authority, *};

    #[test]
    fn a_file_of_both_is_read() {
        let authority = Authority::new();
        let pair = authority.pair("system:node:n1", Duration::from_secs(3600));
        let again = Pair::new(&pair.pem(), &pair.pem()).unwrap();
        assert_eq!((again.certificate_pem(), again.key_pem()), (pair.certificate_pem(), pair.key_pem()));
        assert!(!again.certificate_pem().contains("PRIVATE") && !again.key_pem().contains("CERTIFICATE"));
        assert_eq!(again.node(), Some("n1"));
        assert!(again.is_valid(Timestamp::now()) && !again.is_valid(again.not_after));
        assert!(!format!("{again:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let authority = Authority::new();
        let [one, two] = [(); 2].map(|()| authority.pair("system:node:n1", Duration::from_secs(3600)));
        assert!(Pair::new(one.certificate_pem(), two.key_pem()).is_err());
        assert_eq!(Pair::new("", one.key_pem()).unwrap_err(), "there is no certificate");
        assert_eq!(Pair::new(one.certificate_pem(), "").unwrap_err(), "there is no private key");
        let cut = &one.certificate_pem()[..one.certificate_pem().len() / 2];
        assert!(Pair::new(cut, one.key_pem()).is_err());
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(Pair::new(garbage, one.key_pem()).is_err());
    }

    #[test]
    fn an_administrator_is_no_node() {
        let authority = Authority::new();
        let hour = Duration::from_secs(3600);
        assert_eq!(authority.pair("kubernetes-admin", hour).node(), None);
        assert_eq!(authority.sign_for("system:node:n1", "system:masters", hour).node(), None);
    }
}
