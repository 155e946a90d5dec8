//! What certificates say: read, never judged. Judging a chain is rustls' business.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{GeneralName, X509Certificate};

/// Whether the certificate's authority key identifier is the authority's own key identifier.
pub(super) fn issued_by(kept: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    let wanted = authority.extensions().iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    });
    let found = kept.extensions().iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|k| k.0),
        _ => None,
    });
    wanted.is_some() && wanted == found
}

/// Whether the certificate is for this name or address.
pub(super) fn covers(certificate: &X509Certificate<'_>, name: &str) -> bool {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return false };
    let address: Option<Vec<u8>> = name.parse().ok().map(|address| match address {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    });
    alternatives.value.general_names.iter().any(|alternative| match (alternative, &address) {
        (GeneralName::IPAddress(octets), Some(address)) => *octets == address.as_slice(),
        (GeneralName::DNSName(dns), None) => *dns == name,
        _ => false,
    })
}

/// The first certificate in a PEM text.
pub(super) fn der_of(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}
