//! A request as its objects says it, and as its author has signed it.

use coracle_api::kinds::signing_request;
use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use x509_parser::extensions::{GeneralName, ParsedExtension};

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
/// When it is none, or readers of certificates could differ in whom it is for.
pub fn subject(pem: &str) -> Result<Subject, String> {
    let der = signing_request::der(pem.as_bytes())?;
    let request = signing_request::parse(&der)?;
    let name = &request.certification_request_info.subject;
    if name.iter_common_name().nth(1).is_some() {
        return Err("subject has more than one common name".to_owned());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A request for `jane` of `team`, with a name for DNS and an address.
    const REQUEST: &str = "MIHOMIGBAgEAMB4xDTALBgNVBAoMBHRlYW0xDTALBgNVBAMMBGphbmUwKjAFBgMrZXADIQAgrj+cyFSkdQP3Jqy/JYSzmVfAGv89\
        KC9e4F2LvuqKOaAwMC4GCSqGSIb3DQEJDjEhMB8wHQYDVR0RBBYwFIIMamFuZS5leGFtcGxlhwTAAAIHMAUGAytlcANBAM3yZyIX\
        /NoPWFOK24Ez3xlFxMYJfU7U98vWdhCzdYJvX8NzIaQ4SCB7l8mH51QcqL+KxPEj3SK1BNjEeHWMjAA=";
    /// A request for `jane` and for `joe`.
    const TWO_NAMES: &str = "MIGcMFACAQAwHTENMAsGA1UEAwwEamFuZTEMMAoGA1UEAwwDam9lMCowBQYDK2VwAyEAIK4/nMhUpHUD9yasvyWEs5lXwBr/PSgv\
        XuBdi77qijmgADAFBgMrZXADQQDsqVo4UlaZ0FWnFKDU//bv+XcLPFvFXxzL5j1JEIEsV0PPfjnehsNL+GikK8e2e3ErLJjy9I8K\
        Lm78jDPFw3oO";

    fn framed(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
    }

    #[test]
    fn a_request_says_whom_it_is_for() {
        let jane = Subject {
            common_name: "jane".to_owned(),
            organizations: vec!["team".to_owned()],
            dns: 1,
            addresses: 1,
            ..Subject::default()
        };
        assert_eq!(subject(&framed(REQUEST)), Ok(jane));
    }

    #[test]
    fn what_could_be_read_in_two_ways_says_nothing() {
        let two = framed(REQUEST) + &framed(TWO_NAMES);
        assert_eq!(subject(&two), Err("must contain exactly one PEM block".to_owned()));
        let (head, tail) = REQUEST.split_at(64);
        let broken = framed(&format!("{head}\r{tail}"));
        assert_eq!(subject(&broken), Err("PEM lines must end with LF or CRLF".to_owned()));
        assert_eq!(subject(&framed(TWO_NAMES)), Err("subject has more than one common name".to_owned()));
    }
}
