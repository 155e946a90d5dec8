//! The one way in which a signing request is read, by whoever validates, admits, approves or signs it.
//!
//! Readers of PEM and of requests differ in what they skip: where two of them read the same text, one may be shown a
//! harmless request and the other be made to sign something else. So there is one, and it refuses what others might
//! read differently. What it refuses together with Go's `encoding/pem` and `crypto/x509` has their texts.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::asn1_rs::{Header, Tag};
use x509_parser::cri_attributes::{ParsedCriAttribute, X509CriAttribute};
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{OID_PKCS9_EXTENSION_REQUEST, OID_X509_EXT_SUBJECT_ALT_NAME};
use x509_parser::prelude::{FromDer, X509CertificationRequest};

const KIND: &str = "CERTIFICATE REQUEST";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

pub(super) const WRONG_BLOCK: &str = "PEM block type must be CERTIFICATE REQUEST";
pub(super) const MALFORMED: &str = "asn1: structure error: malformed certificate request";
pub(super) const TRAILING: &str = "asn1: syntax error: trailing data";
const BARE_RETURN: &str = "PEM lines must end with LF or CRLF";
const SEVERAL_BLOCKS: &str = "must contain exactly one PEM block";
const HEADERS: &str = "no PEM block headers are permitted";
const SEVERAL_LISTS: &str = "certificate request has more than one list of requested extensions";
const DUPLICATE: &str = "x509: certificate request contains duplicate requested extensions";
const NO_NAMES: &str = "x509: invalid subject alternative names";

/// The request (DER) in a PEM text, which has no other block.
///
/// # Errors
/// When there is none, or another reader could find something else: says why.
pub fn der(pem: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(pem).map_err(|_| WRONG_BLOCK)?.replace("\r\n", "\n");
    if text.contains('\r') {
        return Err(BARE_RETURN.into());
    }
    let mut lines = text.split('\n');
    if lines.find_map(|line| label(line, BEGIN)) != Some(KIND) {
        return Err(WRONG_BLOCK.into());
    }
    if text.matches(BEGIN.trim_end()).count() > 1 {
        return Err(SEVERAL_BLOCKS.into());
    }
    let mut body = String::new();
    let closing = lines.find_map(|line| {
        let closing = label(line, END);
        if closing.is_none() {
            body.push_str(line);
        }
        closing
    });
    if closing != Some(KIND) {
        return Err(WRONG_BLOCK.into());
    }
    if body.contains(':') {
        return Err(HEADERS.into());
    }
    STANDARD.decode(body.replace([' ', '\t'], "")).map_err(|_| WRONG_BLOCK.into())
}

/// What the block that begins or ends in this line is said to be; empty when the line is no proper one.
fn label<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(start)?;
    Some(rest.trim_end_matches([' ', '\t']).strip_suffix("-----").unwrap_or_default())
}

/// What a request (DER) says. It has one list of extensions at most, each extension once, and its alternative names
/// are readable.
///
/// # Errors
/// When it is none: says why.
pub fn parse(der: &[u8]) -> Result<X509CertificationRequest<'_>, String> {
    let request = match X509CertificationRequest::from_der(der) {
        Ok(([], request)) => request,
        Ok(_) => return Err(TRAILING.into()),
        Err(_) => return Err(MALFORMED.into()),
    };
    match wrong_extensions(&request) {
        Some(why) => Err(why),
        None => Ok(request),
    }
}

fn wrong_extensions(request: &X509CertificationRequest<'_>) -> Option<String> {
    let attributes = request.certification_request_info.iter_attributes();
    let mut lists = attributes.filter(|attribute| attribute.oid == OID_PKCS9_EXTENSION_REQUEST);
    let list = lists.next()?;
    if lists.next().is_some() || !has_one_value(list) {
        return Some(SEVERAL_LISTS.into());
    }
    let ParsedCriAttribute::ExtensionRequest(requested) = list.parsed_attribute() else {
        return Some(MALFORMED.into());
    };
    let mut seen = HashSet::new();
    if !requested.extensions.iter().all(|extension| seen.insert(&extension.oid)) {
        return Some(DUPLICATE.into());
    }
    requested.extensions.iter().find_map(wrong_names)
}

/// Whether the attribute's set ends where its first value does, which is the only one that is parsed.
fn has_one_value(attribute: &X509CriAttribute<'_>) -> bool {
    let Ok((value, header)) = Header::from_der(attribute.value) else { return false };
    header.length().definite().is_ok_and(|length| length == value.len())
}

fn wrong_names(extension: &X509Extension<'_>) -> Option<String> {
    if extension.oid != OID_X509_EXT_SUBJECT_ALT_NAME {
        return None;
    }
    let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
        return Some(NO_NAMES.into());
    };
    names.general_names.iter().find_map(wrong_name)
}

fn wrong_name(name: &GeneralName<'_>) -> Option<String> {
    let malformed = |kind: &str| Some(format!("x509: SAN {kind} is malformed"));
    match name {
        GeneralName::RFC822Name(text) if !text.is_ascii() => malformed("rfc822Name"),
        GeneralName::DNSName(text) if !text.is_ascii() => malformed("dNSName"),
        GeneralName::URI(text) if !text.is_ascii() => malformed("uniformResourceIdentifier"),
        GeneralName::IPAddress(octets) if ![4, 16].contains(&octets.len()) => {
            Some(format!("x509: cannot parse IP address of length {}", octets.len()))
        }
        GeneralName::Invalid(Tag(1), _) => malformed("rfc822Name"),
        GeneralName::Invalid(Tag(2), _) => malformed("dNSName"),
        GeneralName::Invalid(Tag(6), _) => malformed("uniformResourceIdentifier"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of `system:masters`, with one of `system:nodes` in an extension that begins at its 240th byte.
    const TWO_IN_ONE: &str = "MIICMDCCAdYCAQAwKDEXMBUGA1UECgwOc3lzdGVtOm1hc3RlcnMxDTALBgNVBAMMBGV2aWwwWTATBgcqhkjOPQIBBggqhkjOPQMB\
        BwNCAASvLzd+ipq1ie3kGbu+q+PD99OlarZrqqPnPyHgtIk0SEEfvveF8TllhULXieqL4AllYJnfjKdlfY34k/VJpsWzoIIBSjCC\
        AUYGCSqGSIb3DQEJDjGCATcwggEzMIIBLwYJKwYBBAGGjR8BBIIBIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
        AAAAAAAAAAAAAAAAAAAAMIHrMIGRAgEAMC8xFTATBgNVBAoMDHN5c3RlbTpub2RlczEWMBQGA1UEAwwNc3lzdGVtOm5vZGU6eDBZ\
        MBMGByqGSM49AgEGCCqGSM49AwEHA0IABGEdsk4MYD3P7IMBboBLGOZ6n5mCducN8Wz42T67BBcrgs9DX38bYpwrPcy2FUGkx2UB\
        kFQRGkugPIIJXIZnbH6gADAKBggqhkjOPQQDAgNJADBGAiEA4vWlAO7QBt/rQbtqspPGq+H0x5rLz9rCYUI3BeGauk4CIQCjKrh0\
        JW0Aza6/MUERm+TQSBAXif4anFioB70o4TdMKjAKBggqhkjOPQQDAgNIADBFAiEA+DM0Bu36KHTDcPPcBuk20QwnSaZRjfYSU1vI\
        MsFswM4CIA3MBRCcEX/NSlAs3iqpGlGdwX2XCvttoUob6J78eTQs";
    /// Where the inner request begins in the text above.
    const INNER: usize = 320;

    fn framed(body: &str) -> String {
        format!("{BEGIN}{KIND}-----\n{body}\n{END}{KIND}-----\n")
    }

    fn read(text: &str) -> Result<Vec<u8>, String> {
        der(text.as_bytes())
    }

    fn refused(why: &str) -> Result<Vec<u8>, String> {
        Err(why.to_string())
    }

    fn organizations(request: &X509CertificationRequest<'_>) -> Vec<String> {
        let found = request.certification_request_info.subject.iter_organization();
        found.map(|organization| organization.as_str().unwrap().to_string()).collect()
    }

    #[test]
    fn a_text_that_holds_two_requests_is_refused() {
        let (head, inner) = TWO_IN_ONE.split_at(INNER);
        let evil = format!("{BEGIN}{KIND}-----\r{head}\n{inner}\n{END}{KIND}-----\n");
        // What a reader of LFs sees is another request than what a reader of CRs sees.
        let (_, seen) = x509_parser::pem::parse_x509_pem(evil.as_bytes()).unwrap();
        let (_, seen) = X509CertificationRequest::from_der(&seen.contents).unwrap();
        assert_eq!(organizations(&seen), ["system:nodes"]);
        assert_eq!(read(&evil), refused(BARE_RETURN));
        let der = read(&framed(TWO_IN_ONE)).unwrap();
        assert_eq!(organizations(&parse(&der).unwrap()), ["system:masters"]);
    }

    #[test]
    fn a_block_is_read_as_go_reads_it() {
        let good = framed("MAA=");
        let expected = Ok(vec![0x30, 0]);
        for same in [
            good.clone(),
            good.replace('\n', "\r\n"),
            good.replace("MAA=", "M A\t\nA\n\n="),
            good.replace("-----\n", "----- \t\n"),
            format!("Certificate Request:\n    Data: x\n{good}and more"),
            good.trim_end().to_string(),
        ] {
            assert_eq!(read(&same), expected, "{same:?}");
        }
        for wrong in [
            String::new(),
            "hello".into(),
            format!(" {good}"),
            good.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
            good.replace("BEGIN CERTIFICATE REQUEST", "BEGIN CERTIFICATE"),
            good.replace("END CERTIFICATE REQUEST", "END CERTIFICATE"),
            good.replace(END, " -----END "),
            good.replace("REQUEST-----\nMAA=", "REQUEST-----MAA="),
            good.replace("REQUEST-----\nMAA=", "REQUEST\nMAA="),
            good.replace("MAA=", "MAA"),
            good.replace("MAA=", "MAA=MAA="),
            good.replace("MAA=", "MA*="),
        ] {
            assert_eq!(read(&wrong), refused(WRONG_BLOCK), "{wrong:?}");
        }
    }

    #[test]
    fn what_readers_see_differently_is_refused() {
        let good = framed("MAA=");
        for (odd, why) in [
            (good.replace("MAA=", "M\rAA="), BARE_RETURN),
            (good.replace("MAA=\n", "MAA=\r\r\n"), BARE_RETURN),
            (format!("{good}{good}"), SEVERAL_BLOCKS),
            (format!("text {BEGIN}X-----\n{good}"), SEVERAL_BLOCKS),
            (good.replace("MAA=", "MAA=\n-----BEGIN"), SEVERAL_BLOCKS),
            (good.replace("MAA=", "Proc-Type: x\n\nMAA="), HEADERS),
        ] {
            assert_eq!(read(&odd), refused(why), "{odd:?}");
        }
    }

    /// One element of DER, of less than 64 KiB.
    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length = match (high, low) {
            (0, short @ 0..=127) => vec![short],
            (0, _) => vec![0x81, low],
            _ => vec![0x82, high, low],
        };
        [vec![tag], length, content].concat()
    }

    /// A request that nobody has signed, with these attributes.
    fn request(attributes: &[&[u8]]) -> Vec<u8> {
        let algorithm = tlv(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
        let key = tlv(0x30, &[&algorithm, &tlv(3, &[&[0; 33]])]);
        let info = tlv(0x30, &[&[2, 1, 0], &[0x30, 0], &key, &tlv(0xa0, attributes)]);
        tlv(0x30, &[&info, &algorithm, &tlv(3, &[&[0; 65]])])
    }

    /// The attribute for extensions, with these values.
    fn lists(values: &[&[u8]]) -> Vec<u8> {
        tlv(0x30, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14], &tlv(0x31, values)])
    }

    /// Alternative names, as an extension.
    fn names(names: &[u8]) -> Vec<u8> {
        tlv(0x30, &[&[6, 3, 0x55, 0x1d, 0x11], &tlv(4, &[names])])
    }

    fn dns(name: &[u8]) -> Vec<u8> {
        names(&tlv(0x30, &[&tlv(0x82, &[name])]))
    }

    fn complaint(attributes: &[&[u8]]) -> Option<String> {
        parse(&request(attributes)).err()
    }

    #[test]
    fn extensions_are_asked_for_once() {
        let (mine, other) = (dns(b"a"), dns(b"b"));
        let list = tlv(0x30, &[&mine]);
        let empty = tlv(0x30, &[]);
        assert_eq!(complaint(&[]), None);
        assert_eq!(complaint(&[&lists(&[&list])]), None);
        assert_eq!(complaint(&[&lists(&[&empty]), &lists(&[&list])]).as_deref(), Some(SEVERAL_LISTS));
        assert_eq!(complaint(&[&lists(&[&empty, &list])]).as_deref(), Some(SEVERAL_LISTS));
        assert_eq!(complaint(&[&lists(&[&tlv(0x30, &[&mine, &other])])]).as_deref(), Some(DUPLICATE));
        let hidden = tlv(0x30, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14, 0x31, 0], &list]);
        assert_eq!(complaint(&[&hidden]).as_deref(), Some(SEVERAL_LISTS));
    }

    #[test]
    fn alternative_names_are_readable() {
        let of = |extension: &[u8]| complaint(&[&lists(&[&tlv(0x30, &[extension])])]);
        assert_eq!(of(&dns("n\u{e9}".as_bytes())).as_deref(), Some("x509: SAN dNSName is malformed"));
        assert_eq!(of(&dns(&[0xff])).as_deref(), Some("x509: SAN dNSName is malformed"));
        assert_eq!(of(&names(b"nonsense")).as_deref(), Some(NO_NAMES));
        let address = |octets: &[u8]| of(&names(&tlv(0x30, &[&tlv(0x87, &[octets])])));
        assert_eq!(address(&[192, 0, 2, 7]), None);
        assert_eq!(address(&[1; 5]).as_deref(), Some("x509: cannot parse IP address of length 5"));
    }
}
