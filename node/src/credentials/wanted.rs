//! What a node asks a certificate for.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use sha2::{Digest as _, Sha512_256};

use super::pair::{NODE, NODES, Pair};

/// The signer of nodes' client certificates.
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signer of nodes' serving certificates.
const SERVING_SIGNER: &str = "kubernetes.io/kubelet-serving";

/// A certificate that a node wants: whose, for what, for which names.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who signs it.
    pub signer: &'static str,
    /// What it is used for. No `key encipherment`: keys of elliptic curves encipher nothing.
    pub usages: [&'static str; 2],
    common_name: String,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Wanted {
    /// By which the node speaks to the API server.
    pub fn client(node: &str) -> Wanted {
        Wanted {
            signer: CLIENT_SIGNER,
            usages: ["digital signature", "client auth"],
            common_name: format!("{NODE}{node}"),
            names: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// Which the node's own port shows, at these addresses and by the node's name.
    pub fn serving(node: &str, addresses: &[IpAddr]) -> Wanted {
        let mut addresses = addresses.to_vec();
        let names = match node.parse() {
            Ok(address) => {
                addresses.push(address);
                Vec::new()
            }
            Err(_) => vec![node.to_owned()],
        };
        addresses.sort();
        addresses.dedup();
        let usages = ["digital signature", "server auth"];
        Wanted { signer: SERVING_SIGNER, usages, common_name: format!("{NODE}{node}"), names, addresses }
    }

    /// The request, PEM (RFC 2986), signed with the key that it is for.
    ///
    /// # Errors
    /// When a name can't stand in a certificate.
    pub fn request_pem(&self, key: &KeyPair) -> Result<String, rcgen::Error> {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        let mut parameters = CertificateParams::new(self.names.iter().cloned().chain(addresses).collect::<Vec<_>>())?;
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, NODES);
        parameters.distinguished_name.push(DnType::CommonName, self.common_name.clone());
        parameters.serialize_request(key)?.pem()
    }

    /// The name of the request object: a digest of everything in it, so that whoever asks again with the same key finds
    /// what it has asked before (kubelet's `digestedName`; names and addresses are added to what it digests).
    pub fn name(&self, key: &KeyPair) -> String {
        let mut hash = Sha512_256::new();
        // What stands between two parts is no letter of their alphabet: none can run into the next.
        let mut write = |part: &[u8]| {
            hash.update(URL_SAFE_NO_PAD.encode(part));
            hash.update(b"|");
        };
        write(&key.subject_public_key_info());
        write(self.common_name.as_bytes());
        write(NODES.as_bytes());
        self.usages.iter().for_each(|usage| write(usage.as_bytes()));
        self.names.iter().for_each(|name| write(name.as_bytes()));
        self.addresses.iter().for_each(|address| write(address.to_string().as_bytes()));
        format!("node-csr-{}", URL_SAFE_NO_PAD.encode(hash.finalize()))
    }

    /// Whether a certificate is what is wanted; it may be more.
    pub fn is_met_by(&self, pair: &Pair) -> bool {
        pair.common_name == self.common_name
            && pair.groups.iter().any(|group| group == NODES)
            && self.names.iter().all(|name| pair.names.contains(name))
            && self.addresses.iter().all(|address| pair.addresses.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::{
        extensions::{GeneralName, ParsedExtension},
        prelude::{FromDer, X509CertificationRequest},
    };

    use super::*;

    /// Common name, organizations, names and addresses, as a signer reads them.
    fn parsed(pem: &str) -> (String, Vec<String>, Vec<String>) {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        assert_eq!(pem.label, "CERTIFICATE REQUEST");
        let (rest, request) = X509CertificationRequest::from_der(&pem.contents).unwrap();
        assert!(rest.is_empty());
        request.verify_signature().unwrap();
        let subject = &request.certification_request_info.subject;
        let mut names = Vec::new();
        for extension in request.requested_extensions().into_iter().flatten() {
            let ParsedExtension::SubjectAlternativeName(found) = extension else { panic!("{extension:?}") };
            for name in &found.general_names {
                names.push(match name {
                    GeneralName::DNSName(name) => format!("dns {name}"),
                    GeneralName::IPAddress(octets) => format!("ip {octets:?}"),
                    other => panic!("{other:?}"),
                });
            }
        }
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().unwrap().to_owned();
        let common_names: Vec<_> = subject.iter_common_name().map(text).collect();
        assert_eq!(common_names.len(), 1);
        (common_names[0].clone(), subject.iter_organization().map(text).collect(), names)
    }

    #[test]
    fn a_client_is_a_node_and_has_no_other_names() {
        let key = KeyPair::generate().unwrap();
        let wanted = Wanted::client("n1");
        let expected = ("system:node:n1".to_owned(), vec!["system:nodes".to_owned()], Vec::new());
        assert_eq!(parsed(&wanted.request_pem(&key).unwrap()), expected);
        assert_eq!(wanted.signer, "kubernetes.io/kube-apiserver-client-kubelet");
        assert_eq!(wanted.usages, ["digital signature", "client auth"]);
    }

    #[test]
    fn a_port_has_the_names_and_addresses_of_its_node() {
        let key = KeyPair::generate().unwrap();
        let wanted = Wanted::serving("n1", &["192.0.2.7".parse().unwrap(), "192.0.2.7".parse().unwrap()]);
        let (common_name, _, names) = parsed(&wanted.request_pem(&key).unwrap());
        assert_eq!(
            (common_name.as_str(), names),
            ("system:node:n1", vec!["dns n1".into(), "ip [192, 0, 2, 7]".into()])
        );
        assert_eq!(wanted.usages, ["digital signature", "server auth"]);
        // A name that is an address is none for DNS.
        let (_, _, names) = parsed(&Wanted::serving("192.0.2.9", &[]).request_pem(&key).unwrap());
        assert_eq!(names, ["ip [192, 0, 2, 9]"]);
    }

    #[test]
    fn the_same_question_has_the_same_name() {
        let key = KeyPair::generate().unwrap();
        let name = Wanted::client("n1").name(&key);
        assert_eq!(name, Wanted::client("n1").name(&KeyPair::from_pem(&key.serialize_pem()).unwrap()));
        // Nine letters, and 256 bits in letters of six.
        assert!(name.starts_with("node-csr-") && name.len() == 9 + 43, "{name}");
        let others = [
            Wanted::client("n2").name(&key),
            Wanted::client("n1").name(&KeyPair::generate().unwrap()),
            Wanted::serving("n1", &[]).name(&key),
            Wanted::serving("n1", &["192.0.2.7".parse().unwrap()]).name(&key),
        ];
        assert!(!others.contains(&name));
        assert_ne!(others[2], others[3]);
    }
}
