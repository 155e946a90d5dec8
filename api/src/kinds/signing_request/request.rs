//! What is asked to be signed: base64 of PEM of a PKCS #10 request (RFC 2986), signed with the key that it is about.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

const WRONG_BLOCK: &str = "PEM block type must be CERTIFICATE REQUEST";
const MALFORMED: &str = "asn1: structure error: malformed certificate request";
/// Whoever asks must hold the key.
const WRONG_SIGNATURE: &str = "x509: the signature of the certificate request does not verify with its public key";
const BEGIN: &str = "-----BEGIN CERTIFICATE REQUEST-----";
const END: &str = "-----END CERTIFICATE REQUEST-----";

/// What is wrong with the request, if anything.
pub(super) fn error(request: &str) -> Option<&'static str> {
    let Some(der) = der(request) else { return Some(WRONG_BLOCK) };
    match X509CertificationRequest::from_der(&der) {
        Ok((rest, request)) if rest.is_empty() => request.verify_signature().is_err().then_some(WRONG_SIGNATURE),
        _ => Some(MALFORMED),
    }
}

/// The content of the first PEM block.
fn der(request: &str) -> Option<Vec<u8>> {
    let pem = STANDARD.decode(request).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
    let body = pem.split_once(BEGIN)?.1.split_once(END)?.0;
    // A block whose content is no base64 is no block at all.
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a P-256 key, for `O=testers, CN=jane`.
    const GENUINE: &str = "MIHcMIGDAgEAMCExEDAOBgNVBAoMB3Rlc3RlcnMxDTALBgNVBAMMBGphbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQa3I+QzNctpNkzrGuaSDafKDxxSxD7n2j3Mj80smSbPMKldhi47Vnd+X9/O8lh2OpVKQyJgSAU37reRnKxRRdtoAAwCgYIKoZIzj0EAwIDSAAwRQIgRnqvoJLSIT3J//EtyVxKkOVFiYkygjRzM+UoaBONudYCIQDSRtChN1wroy0q5O/FuKbuaymLBjUGLQgcRRKZApaBrg==";

    fn pem(body: &str) -> String {
        STANDARD.encode(format!("{BEGIN}\n{body}\n{END}\n"))
    }

    #[test]
    fn a_request_is_signed_with_its_own_key() {
        assert_eq!(error(&pem(GENUINE)), None);
        let mut forged = STANDARD.decode(GENUINE).unwrap();
        // A letter of the name, which the signature covers.
        let at = forged.windows(4).position(|part| part == b"jane").unwrap();
        forged[at] = b'k';
        assert_eq!(error(&pem(&STANDARD.encode(forged))), Some(WRONG_SIGNATURE));
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        assert_eq!(error(""), Some(WRONG_BLOCK));
        assert_eq!(error(&STANDARD.encode("hello")), Some(WRONG_BLOCK));
        assert_eq!(error(&pem("MAA=")), Some(MALFORMED));
        assert_eq!(error(&pem("?")), Some(WRONG_BLOCK));
        let mut long = STANDARD.decode(GENUINE).unwrap();
        long.push(0);
        assert_eq!(error(&pem(&STANDARD.encode(long))), Some(MALFORMED));
    }
}
