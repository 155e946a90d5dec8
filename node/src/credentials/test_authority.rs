//! An authority for tests: makes pairs, and answers requests that are with the fake API as a cluster's controllers do.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PublicKeyData,
    SignatureAlgorithm,
};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509CertificationRequest};

use super::{Pair, pair::NODES};

/// The authority.
pub struct Authority {
    /// Its certificate.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A key of which only the public half is known.
struct Foreign(Vec<u8>);

impl PublicKeyData for Foreign {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl Authority {
    pub fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "test-ca");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(parameters, key) }
    }

    /// A pair of a node's user (or another's, in the group of nodes), valid from now on.
    pub fn pair(&self, user: &str, lifetime: Duration) -> Pair {
        self.sign_for(user, NODES, lifetime)
    }

    pub fn sign_for(&self, user: &str, group: &str, lifetime: Duration) -> Pair {
        let key = KeyPair::generate().unwrap();
        let parameters = leaf(user, group, Vec::new(), SystemTime::now(), lifetime);
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Pair::new(&certificate.pem(), &key.serialize_pem()).unwrap()
    }

    /// A pair of a server at 127.0.0.1.
    pub fn server(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let parameters = leaf("server", NODES, names, SystemTime::now(), Duration::from_secs(3600));
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Pair::new(&certificate.pem(), &key.serialize_pem()).unwrap()
    }

    /// A pair that ended an hour ago.
    pub fn expired(&self, user: &str) -> Pair {
        let (key, hour) = (KeyPair::generate().unwrap(), Duration::from_secs(3600));
        let parameters = leaf(user, NODES, Vec::new(), SystemTime::now() - hour * 2, hour);
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Pair::new(&certificate.pem(), &key.serialize_pem()).unwrap()
    }

    /// Approves a request object and issues what it asks for, as if that had been done at `from`.
    pub fn issue(&self, mut request: Value, from: SystemTime, lifetime: Duration) -> Value {
        let pem = STANDARD.decode(request["spec"]["request"].as_str().unwrap()).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
        let (_, asked) = X509CertificationRequest::from_der(&pem.contents).unwrap();
        asked.verify_signature().unwrap();
        let info = &asked.certification_request_info;
        let first = |mut values: Vec<String>| values.swap_remove(0);
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().unwrap().to_owned();
        let user = first(info.subject.iter_common_name().map(text).collect());
        let group = first(info.subject.iter_organization().map(text).collect());
        let mut names = Vec::new();
        for extension in asked.requested_extensions().into_iter().flatten() {
            let ParsedExtension::SubjectAlternativeName(found) = extension else { continue };
            names.extend(found.general_names.iter().map(|name| match name {
                GeneralName::DNSName(name) => (*name).to_owned(),
                GeneralName::IPAddress(v4) => {
                    <[u8; 4]>::try_from(*v4).map(std::net::Ipv4Addr::from).unwrap().to_string()
                }
                other => panic!("{other:?}"),
            }));
        }
        let key = Foreign(info.subject_pki.subject_public_key.data.to_vec());
        let certificate = leaf(&user, &group, names, from, lifetime).signed_by(&key, &self.issuer).unwrap();
        request["status"] = json!({
            "conditions": [{ "type": "Approved", "status": "True", "reason": "AutoApproved" }],
            "certificate": STANDARD.encode(certificate.pem()),
        });
        request
    }
}

fn leaf(user: &str, group: &str, names: Vec<String>, from: SystemTime, lifetime: Duration) -> CertificateParams {
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::OrganizationName, group);
    parameters.distinguished_name.push(DnType::CommonName, user);
    (parameters.not_before, parameters.not_after) = (from.into(), (from + lifetime).into());
    parameters
}
