//! What certificates say.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::{AUTHORITY_DAYS, CERTIFICATE_DAYS};

/// The authority's common name. It is the same in every cluster: the key tells clusters apart.
const COMMON_NAME: &str = "coracle-ca";

/// What the authority's own certificate says. Made the same way when it is loaded: an issuer needs its subject
/// name, its key usages and how its key identifier is computed.
pub(super) fn authority() -> CertificateParams {
    let mut parameters = dated(AUTHORITY_DAYS);
    parameters.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    parameters
}

/// A certificate that the authority signs, for this use.
pub(super) fn leaf(usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut parameters = dated(CERTIFICATE_DAYS);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![usage];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

/// Valid from yesterday (clocks differ) for so many days.
fn dated(days: i64) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let date = |days: i64| {
        let date = today.saturating_add(days.days());
        // A jiff date has months 1..=12 and days 1..=31.
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    parameters.not_before = date(-1);
    parameters.not_after = date(days);
    parameters
}
