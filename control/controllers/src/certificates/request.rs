//! A request as its objects says it, and as its author has signed it.

use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509CertificationRequest};

/// What a request's author wants to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    pub common_name: String,
    pub organizations: Vec<String>,
    /// Alternative names by their kinds.
    pub dns: usize,
    pub addresses: usize,
    pub emails: usize,
    pub uris: usize,
}

/// The PEM in the object; empty when it is no text.
pub fn pem(csr: &CertificateSigningRequest) -> String {
    String::from_utf8(csr.spec.request.0.clone()).unwrap_or_default()
}

/// The subject of a request, PEM.
///
/// # Errors
/// When it is none.
pub fn subject(pem: &str) -> Result<Subject, String> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).map_err(|error| error.to_string())?;
    let name = &request.certification_request_info.subject;
    let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().unwrap_or_default().to_owned();
    let mut subject = Subject {
        common_name: name.iter_common_name().next().map(text).unwrap_or_default(),
        organizations: name.iter_organization().map(text).collect(),
        ..Subject::default()
    };
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(names) = extension else { continue };
        for name in &names.general_names {
            match name {
                GeneralName::DNSName(_) => subject.dns += 1,
                GeneralName::IPAddress(_) => subject.addresses += 1,
                GeneralName::RFC822Name(_) => subject.emails += 1,
                GeneralName::URI(_) => subject.uris += 1,
                _ => {}
            }
        }
    }
    Ok(subject)
}

/// A condition that a request has.
pub fn condition<'a>(csr: &'a CertificateSigningRequest, kind: &str) -> Option<&'a CertificateSigningRequestCondition> {
    let conditions = csr.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Adds a condition that begins now.
pub fn add_condition(csr: &mut CertificateSigningRequest, kind: &str, reason: &str, message: String) {
    let now = Some(Time(Timestamp::now()));
    let condition = CertificateSigningRequestCondition {
        type_: kind.to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: now.clone(),
        last_transition_time: now,
    };
    csr.status.get_or_insert_default().conditions.get_or_insert_default().push(condition);
}

/// Whether it has been approved, and not denied as well.
pub fn is_approved(csr: &CertificateSigningRequest) -> bool {
    condition(csr, "Approved").is_some() && condition(csr, "Denied").is_none()
}

/// Whether there is a certificate.
pub fn is_issued(csr: &CertificateSigningRequest) -> bool {
    csr.status.as_ref().and_then(|status| status.certificate.as_ref()).is_some_and(|bytes| !bytes.0.is_empty())
}
