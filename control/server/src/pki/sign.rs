//! Signs what others ask for: certificates for the keys and names in requests (RFC 2986), as kube-controller-manager's
//! signers do (`pkg/controller/certificates/authority`).
//!
//! Only subject, alternative names and key are taken from a request; what the certificate may be used for is said by
//! whoever has it signed. What is signed are the very bytes that were verified, read out of the PEM in the one way in
//! which everybody reads them that decides about a request.

use std::time::{Duration, SystemTime};

use coracle_api::kinds::signing_request;
use rcgen::SigningKey;
use x509_cert::der::asn1::{BitString, GeneralizedTime, ObjectIdentifier, UtcTime};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, DecodePem, Encode, EncodePem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{AsExtension, Extension};
use x509_cert::request::CertReq;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate, Version};

use super::Authority;

/// PKCS #9 `extensionRequest`: where a request says which extensions it wants.
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const SUBJECT_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// Certificates are valid from this long before they are made: clocks differ.
const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// Uses of a key by their names in `spec.usages` (`certificates.k8s.io/v1 KeyUsage`).
const KEY_USAGES: [(&str, KeyUsages); 10] = [
    ("signing", KeyUsages::DigitalSignature),
    ("digital signature", KeyUsages::DigitalSignature),
    ("content commitment", KeyUsages::NonRepudiation),
    ("key encipherment", KeyUsages::KeyEncipherment),
    ("key agreement", KeyUsages::KeyAgreement),
    ("data encipherment", KeyUsages::DataEncipherment),
    ("cert sign", KeyUsages::KeyCertSign),
    ("crl sign", KeyUsages::CRLSign),
    ("encipher only", KeyUsages::EncipherOnly),
    ("decipher only", KeyUsages::DecipherOnly),
];

/// Purposes of a certificate by their names in `spec.usages`.
const PURPOSES: [(&str, &str); 13] = [
    ("any", "2.5.29.37.0"),
    ("server auth", "1.3.6.1.5.5.7.3.1"),
    ("client auth", "1.3.6.1.5.5.7.3.2"),
    ("code signing", "1.3.6.1.5.5.7.3.3"),
    ("email protection", "1.3.6.1.5.5.7.3.4"),
    ("s/mime", "1.3.6.1.5.5.7.3.4"),
    ("ipsec end system", "1.3.6.1.5.5.7.3.5"),
    ("ipsec tunnel", "1.3.6.1.5.5.7.3.6"),
    ("ipsec user", "1.3.6.1.5.5.7.3.7"),
    ("timestamping", "1.3.6.1.5.5.7.3.8"),
    ("ocsp signing", "1.3.6.1.5.5.7.3.9"),
    ("microsoft sgc", "1.3.6.1.4.1.311.10.3.3"),
    ("netscape sgc", "2.16.840.1.113730.4.1"),
];

/// Why a request is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It is none, or its signature is not by its own key.
    #[error("unable to parse the certificate request: {0}")]
    Request(String),
    /// It asks for a use that there is none of.
    #[error("unrecognized usage {0:?}")]
    Usage(String),
    /// The certificate could not be made.
    #[error("unable to sign: {0}")]
    Certificate(String),
}

impl From<x509_cert::der::Error> for SignError {
    fn from(error: x509_cert::der::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl Authority {
    /// The certificate, PEM, for a request, PEM, to be used for `usages` and valid for so long, at most as long as the
    /// authority itself.
    ///
    /// # Errors
    /// When the request or a usage makes no sense.
    pub fn sign(&self, request_pem: &str, usages: &[String], lifetime: Duration) -> Result<String, SignError> {
        let request = verified(request_pem)?;
        let authority = Certificate::from_pem(self.certificate_pem())?;
        let serial: [u8; 16] = rand::random();
        let mut extensions = uses(usages, &request)?;
        extensions.extend(key_of(&authority, &request)?);
        extensions.extend(names(&request)?);
        let unsigned = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&serial)?,
            signature: authority.signature_algorithm.clone(),
            issuer: authority.tbs_certificate.subject.clone(),
            validity: validity(&authority, lifetime)?,
            subject: request.info.subject,
            subject_public_key_info: request.info.public_key,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions),
        };
        let signature = self.key().sign(&unsigned.to_der()?).map_err(|e| SignError::Certificate(e.to_string()))?;
        let certificate = Certificate {
            tbs_certificate: unsigned,
            signature_algorithm: authority.signature_algorithm,
            signature: BitString::from_bytes(&signature)?,
        };
        Ok(certificate.to_pem(LineEnding::LF)?)
    }
}

/// The request in a PEM text, of somebody who has the key.
fn verified(request_pem: &str) -> Result<CertReq, SignError> {
    let failed = |why: &dyn std::fmt::Display| SignError::Request(why.to_string());
    let der = signing_request::der(request_pem.as_bytes()).map_err(SignError::Request)?;
    let request = signing_request::parse(&der).map_err(SignError::Request)?;
    request.verify_signature().map_err(|error| failed(&error))?;
    CertReq::from_der(&der).map_err(|error| failed(&error))
}

fn validity(authority: &Certificate, lifetime: Duration) -> Result<Validity, SignError> {
    let now = SystemTime::now();
    let last = authority.tbs_certificate.validity.not_after.to_system_time();
    let until = now.checked_add(lifetime).map_or(last, |until| until.min(last));
    Ok(Validity { not_before: time(now - BACKDATE)?, not_after: time(until)? })
}

/// In the form that dates up to 2049 must have (RFC 5280, 4.1.2.5), or the one for later ones.
fn time(at: SystemTime) -> Result<Time, SignError> {
    UtcTime::from_system_time(at).map(Time::from).or_else(|_| Ok(GeneralizedTime::try_from(at)?.into()))
}

fn uses(usages: &[String], request: &CertReq) -> Result<Vec<Extension>, SignError> {
    let (mut of_key, mut purposes) = (Vec::new(), Vec::new());
    for usage in usages {
        let key_usage = KEY_USAGES.iter().find(|(name, _)| name == usage);
        let purpose = PURPOSES.iter().find(|(name, _)| name == usage);
        match (key_usage, purpose) {
            (Some((_, usage)), _) => of_key.push(*usage),
            (_, Some((_, oid))) => purposes.push(ObjectIdentifier::new_unwrap(oid)),
            _ => return Err(SignError::Usage(usage.clone())),
        }
    }
    let subject = &request.info.subject;
    let mut extensions = vec![BasicConstraints { ca: false, path_len_constraint: None }.to_extension(subject, &[])?];
    if let Some(first) = of_key.first() {
        let all = of_key.iter().fold((*first).into(), |all, usage| all | *usage);
        extensions.push(KeyUsage(all).to_extension(subject, &[])?);
    }
    if !purposes.is_empty() {
        extensions.push(ExtendedKeyUsage(purposes).to_extension(subject, &[])?);
    }
    Ok(extensions)
}

/// Which key the authority signs with, by what its own certificate calls it.
fn key_of(authority: &Certificate, request: &CertReq) -> Result<Option<Extension>, SignError> {
    let own = authority.tbs_certificate.extensions.iter().flatten().find(|own| own.extn_id == SUBJECT_KEY);
    let Some(own) = own else { return Ok(None) };
    let key = SubjectKeyIdentifier::from_der(own.extn_value.as_bytes())?;
    let by = AuthorityKeyIdentifier { key_identifier: Some(key.0), ..AuthorityKeyIdentifier::default() };
    Ok(Some(by.to_extension(&request.info.subject, &[])?))
}

/// The alternative names that a request asks for, of the kinds that signers look at; Go's `crypto/x509`, by which
/// upstream's signers read and write, knows no others.
fn names(request: &CertReq) -> Result<Option<Extension>, SignError> {
    let Some(asked) = requested(request, ALTERNATIVE_NAMES)? else { return Ok(None) };
    let SubjectAltName(mut names) = SubjectAltName::from_der(asked.extn_value.as_bytes())?;
    names.retain(|name| {
        use GeneralName::{DnsName, IpAddress, Rfc822Name, UniformResourceIdentifier};
        matches!(name, DnsName(_) | IpAddress(_) | Rfc822Name(_) | UniformResourceIdentifier(_))
    });
    if names.is_empty() {
        return Ok(None);
    }
    Ok(Some(SubjectAltName(names).to_extension(&request.info.subject, &[])?))
}

/// An extension that a request asks for.
fn requested(request: &CertReq, oid: ObjectIdentifier) -> Result<Option<Extension>, SignError> {
    for attribute in request.info.attributes.iter().filter(|attribute| attribute.oid == EXTENSION_REQUEST) {
        for value in attribute.values.iter() {
            let extensions: Vec<Extension> = value.decode_as()?;
            if let Some(found) = extensions.into_iter().find(|extension| extension.extn_id == oid) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::string::Ia5String;
    use rcgen::{Attribute, CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, SanType};
    use x509_parser::prelude::{FromDer, X509Certificate, X509CertificationRequest};

    use super::*;

    fn request(user: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_string()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, user);
        parameters.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
    }

    fn usages(usages: &[&str]) -> Vec<String> {
        usages.iter().map(|usage| (*usage).to_string()).collect()
    }

    #[test]
    fn a_request_is_signed_for_what_it_may_be_used_for() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let wanted = usages(&["digital signature", "key encipherment", "server auth"]);
        let request = request("system:node:n1", &["n1.example", "192.0.2.7"]);
        let pem = authority.sign(&request, &wanted, Duration::from_secs(3600)).unwrap();
        let der = super::super::inspect::der_of(&pem).unwrap();
        let (_, made) = X509Certificate::from_der(&der).unwrap();
        let ca = super::super::inspect::der_of(authority.certificate_pem()).unwrap();
        let (_, ca) = X509Certificate::from_der(&ca).unwrap();
        made.verify_signature(Some(ca.public_key())).unwrap();
        assert_eq!(made.issuer(), ca.subject());
        let proof = crate::identity::Proof::of(&der).unwrap();
        let user = proof.user_at(jiff::Timestamp::now()).unwrap();
        assert_eq!((user.name.as_str(), user.groups[0].as_str()), ("system:node:n1", "system:nodes"));
        let purposes = made.extended_key_usage().unwrap().unwrap().value;
        assert!(purposes.server_auth && !purposes.client_auth && !purposes.any);
        let of_key = made.key_usage().unwrap().unwrap().value;
        assert!(of_key.digital_signature() && of_key.key_encipherment() && !of_key.key_cert_sign());
        assert_eq!(made.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 2);
        assert!(!made.is_ca());
        let seconds = made.validity().not_after.timestamp() - jiff::Timestamp::now().as_second();
        assert!((3500..=3600).contains(&seconds), "{seconds} s");
    }

    #[test]
    fn nothing_outlives_the_authority() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let long = Duration::from_secs(100 * 365 * 86_400);
        let pem = authority.sign(&request("jane", &[]), &usages(&["client auth"]), long).unwrap();
        let end = |pem: &str| Certificate::from_pem(pem).unwrap().tbs_certificate.validity.not_after;
        assert_eq!(end(&pem).to_system_time(), end(authority.certificate_pem()).to_system_time());
    }

    #[test]
    fn dates_have_the_form_of_their_century() {
        let year = |years: u64| std::time::UNIX_EPOCH + Duration::from_secs(years * 365 * 86_400);
        assert!(matches!(time(year(60)).unwrap(), Time::UtcTime(_)));
        assert!(matches!(time(year(90)).unwrap(), Time::GeneralTime(_)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let hour = Duration::from_secs(3600);
        assert!(matches!(authority.sign("x", &[], hour), Err(SignError::Request(_))));
        let odd = authority.sign(&request("jane", &[]), &usages(&["flying"]), hour);
        assert!(matches!(odd, Err(SignError::Usage(usage)) if usage == "flying"));
        // Another's key with one's own signature.
        let (mine, other) = (request("jane", &[]), request("jane", &[]));
        let (mut mine, other) = (CertReq::from_pem(&mine).unwrap(), CertReq::from_pem(&other).unwrap());
        mine.info.public_key = other.info.public_key;
        let forged = mine.to_pem(LineEnding::LF).unwrap();
        assert!(matches!(authority.sign(&forged, &[], hour), Err(SignError::Request(_))));
    }

    fn parameters(user: &str, group: &str) -> CertificateParams {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, group);
        parameters.distinguished_name.push(DnType::CommonName, user);
        parameters
    }

    /// A request of `system:masters` with a node's inside, which begins a line of its own in base64.
    fn two_in_one() -> (Vec<u8>, usize) {
        let key = KeyPair::generate().unwrap();
        let inner = parameters("system:node:n1", "system:nodes").serialize_request(&key).unwrap();
        // A length that takes another byte skips an offset, but not twice.
        let found = (0..150).find_map(|padding| {
            let content = [vec![0; padding], inner.der().to_vec()].concat();
            let mut outer = parameters("evil", "system:masters");
            outer.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], content)];
            let outer = outer.serialize_request(&key).unwrap().der().to_vec();
            let at = outer.windows(inner.der().len()).position(|window| window == &inner.der()[..]).unwrap();
            (at % 48 == 0).then_some((outer, at))
        });
        found.unwrap()
    }

    #[test]
    fn what_is_verified_is_what_is_signed() {
        let (outer, at) = two_in_one();
        let (head, inner) = outer.split_at(at);
        let (head, inner) = (STANDARD.encode(head), STANDARD.encode(inner));
        let lines = |text: &str, end: &str| {
            let lines = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap());
            lines.collect::<Vec<_>>().join(end)
        };
        let (head, inner) = (lines(&head, "\r"), lines(&inner, "\n"));
        let kind = "CERTIFICATE REQUEST-----";
        let evil = format!("-----BEGIN {kind}\r{head}\n{inner}\n-----END {kind}\n");
        // One reader sees the node's, which is well signed.
        let (_, seen) = x509_parser::pem::parse_x509_pem(evil.as_bytes()).unwrap();
        let (_, seen) = X509CertificationRequest::from_der(&seen.contents).unwrap();
        seen.verify_signature().unwrap();
        assert!(seen.certification_request_info.subject.to_string().contains("system:nodes"));
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let outcome = authority.sign(&evil, &usages(&["client auth"]), Duration::from_secs(3600));
        assert!(matches!(&outcome, Err(SignError::Request(why)) if why == "PEM lines must end with LF or CRLF"));
    }

    #[test]
    fn names_in_a_second_list_are_not_signed() {
        let with_names = CertificateParams::new(vec!["evil.example".to_string()]).unwrap();
        let other = with_names.serialize_request(&KeyPair::generate().unwrap()).unwrap();
        let other = CertReq::from_der(other.der()).unwrap();
        let values = other.info.attributes.iter().next().unwrap().values.to_der().unwrap();
        let mut first = parameters("system:node:n1", "system:nodes");
        first.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0])];
        let second = Attribute { oid: &[1, 2, 840, 113_549, 1, 9, 14], values };
        let key = KeyPair::generate().unwrap();
        let pem = first.serialize_request_with_attributes(&key, vec![second]).unwrap().pem().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let outcome = authority.sign(&pem, &usages(&["client auth"]), Duration::from_secs(3600));
        let expected = "certificate request has more than one list of requested extensions";
        assert!(matches!(&outcome, Err(SignError::Request(why)) if why == expected));
    }

    #[test]
    fn only_names_that_are_looked_at_are_signed() {
        let other = SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "evil@example".into()));
        let dns = SanType::DnsName(Ia5String::try_from("n1.example").unwrap());
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        for (names, expected) in [(vec![other.clone(), dns.clone()], 1), (vec![other], 0)] {
            let mut asked = parameters("jane", "team");
            asked.subject_alt_names = names;
            let pem = asked.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
            let pem = authority.sign(&pem, &usages(&["client auth"]), Duration::from_secs(3600)).unwrap();
            let der = super::super::inspect::der_of(&pem).unwrap();
            let (_, made) = X509Certificate::from_der(&der).unwrap();
            let found = made.subject_alternative_name().unwrap();
            assert_eq!(found.map_or(0, |names| names.value.general_names.len()), expected);
        }
    }
}
