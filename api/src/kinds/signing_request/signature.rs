//! Whether a signing request is one, and signed with the key that it asks a certificate for.
//!
//! Texts are those of Go's `crypto/x509`, which are what clients see. P-521 keys, which ring does not know, are refused
//! as an algorithm that is not implemented: what can't be verified is not let through.

use x509_parser::oid_registry::{
    OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS,
    OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ED25519, Oid,
};
use x509_parser::prelude::{X509CertificationRequest, X509Error};

use super::reading;

const UNIMPLEMENTED: &str = "x509: cannot verify signature: algorithm unimplemented";

/// Kinds of keys, each with a way of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    Ecdsa,
    Ed25519,
}

impl Family {
    fn of_key(algorithm: &Oid<'_>) -> Option<Self> {
        match algorithm {
            oid if *oid == OID_PKCS1_RSAENCRYPTION => Some(Self::Rsa),
            oid if *oid == OID_KEY_TYPE_EC_PUBLIC_KEY => Some(Self::Ecdsa),
            oid if *oid == OID_SIG_ED25519 => Some(Self::Ed25519),
            _ => None,
        }
    }

    fn of_signature(algorithm: &Oid<'_>) -> Option<Self> {
        const RSA: [Oid<'static>; 5] = [
            OID_PKCS1_SHA1WITHRSA,
            OID_PKCS1_SHA256WITHRSA,
            OID_PKCS1_SHA384WITHRSA,
            OID_PKCS1_SHA512WITHRSA,
            OID_PKCS1_RSASSAPSS,
        ];
        match algorithm {
            oid if RSA.contains(oid) => Some(Self::Rsa),
            oid if *oid == OID_SIG_ECDSA_WITH_SHA256 || *oid == OID_SIG_ECDSA_WITH_SHA384 => Some(Self::Ecdsa),
            oid if *oid == OID_SIG_ED25519 => Some(Self::Ed25519),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    fn key_type(self) -> &'static str {
        match self {
            Self::Rsa => "*rsa.PublicKey",
            Self::Ecdsa => "*ecdsa.PublicKey",
            Self::Ed25519 => "ed25519.PublicKey",
        }
    }

    fn failure(self) -> &'static str {
        match self {
            Self::Rsa => "crypto/rsa: verification error",
            Self::Ecdsa => "x509: ECDSA verification failure",
            Self::Ed25519 => "x509: Ed25519 verification failure",
        }
    }
}

/// What is wrong with a request in PEM, if anything.
pub(super) fn error(pem: &[u8]) -> Option<String> {
    let der = match reading::der(pem) {
        Ok(der) => der,
        Err(why) => return Some(why),
    };
    match reading::parse(&der) {
        Ok(request) => unverified(&request),
        Err(why) => Some(why),
    }
}

fn unverified(request: &X509CertificationRequest<'_>) -> Option<String> {
    let algorithm = &request.signature_algorithm.algorithm;
    if *algorithm == OID_PKCS1_MD5WITHRSAENC {
        return Some("x509: cannot verify signature: insecure algorithm MD5-RSA".into());
    }
    let key = Family::of_key(&request.certification_request_info.subject_pki.algorithm.algorithm);
    let (Some(wanted), Some(key)) = (Family::of_signature(algorithm), key) else {
        return Some(UNIMPLEMENTED.into());
    };
    if wanted != key {
        let (name, found) = (wanted.name(), key.key_type());
        return Some(format!(
            "x509: signature algorithm specifies an {name} public key, but have public key of type {found}"
        ));
    }
    match request.verify_signature() {
        Ok(()) => None,
        Err(X509Error::SignatureUnsupportedAlgorithm) => Some(UNIMPLEMENTED.into()),
        Err(_) => Some(key.failure().into()),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::reading::{MALFORMED, TRAILING, WRONG_BLOCK};
    use super::*;

    const RSA: &str = "MIICUTCCATkCAQAwDDEKMAgGA1UEAwwBcjCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAKqho/NayNcFvzXcyaaIYt1l\
        N6n3EVQF4UJwCM+GfEnr3bRaFrd6lM9DyMQ5HqawJExDY7Mejql8CM64ciwLR0TgmYS+ZW0Bf1Sb3KNSbgoFZZh68H/iUjfCCKyA\
        kx/vTNJV3eiDBoOw6jP00wgRj+ds3EjtOCUfzLU8UtpBmpGSIzuItoEuGW2WBDv4mS/eSWMQkOR55+ZC8KfXEiNvYHq3WoAQQpx4\
        P3eUQsyg9U8phTAj6qFvLrUz51YMCwgh3rzbnaT5YS6UQhoGVebA4FT1WdySOiNemDiEgp8k2h/e5h2PBm4qr7QJDho/UAWP42ZB\
        tA9qwVTwzLmK1VesXXMCAwEAAaAAMA0GCSqGSIb3DQEBCwUAA4IBAQCeAS6swMMjXRkYsXjDgHO/Xdn/N6o+f443Bohh0X/wLYcl\
        rgCNPS0jFDsa3xNPU1rY4Be/S8ID1btPirasisF3bS2YPnY+9S/oocEVZGld7jBjMeRY+JBJxampTZt29cP2xDBUxUyv0GDTNviz\
        s2+lWFVGLB3QPctHNPS1kjBVN1J1g/dPeYZRbBFlus2Nf+qOkos1QnnEZKIg/gOih7wjGsFQ/v3f/pkjOOn4a+uucLKJvRld09EJ\
        dmLM/W1J+8FKMQAdeHfaQn/ZL1EaaLWX4vdmOdeLW85EDKaiYG0wMi4dOjTWm+W/UuaKaTNuU/eYeGEmdV5UTEpQ0tq0i+ik";
    const P256: &str = "MIHFMG4CAQAwDDEKMAgGA1UEAwwBZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABD8Poxg8GTgHoYntrjDy41oHs/OjTWZkQ58F\
        3OtlkGRETrntEZO1PfoTKaGnvD6wLAVMOwhmA2Np/4Q23mtCkJugADAKBggqhkjOPQQDAgNHADBEAiA58pTDWjWeNpToo6cXe+3L\
        0Ip7iLdns+kC/92t3NzLiwIgAgmdHNN2bNCaIHpPBDSsQzSesNSOrKe7qWzupAVgo7M=";
    const P384: &str = "MIIBBDCBiwIBADAMMQowCAYDVQQDDAFlMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAExEzcsBl/vmSFZM5yA+lor2IX/PWcgbwJdIwX\
        4FkB6QC+ULeow4bgjI45PCP3hGgG6IOLyZ+kJvhF8UJmg0+84NBzaxAWD+tJ0LYQ/i+9UTYJzWSK+HSqEYwSRnIrmsiqoAAwCgYI\
        KoZIzj0EAwMDaAAwZQIwf7bqXfl1U8EFx3avNVF8NJc85li/kU7m1DgaqqQ4a1n1RwUYAQUqzHrCc3ZOZQ+RAjEArL3ggTKJz9U5\
        gM8IVsmwYbumlk+wSuZUBVHm6HtlWnbS9SBeKP/DxasDBFQ6H2FM";
    const P521: &str = "MIIBTjCBsQIBADAMMQowCAYDVQQDDAFlMIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAr6HX2wodOCKvVWnPLEIVWvT6X2zixPFB\
        4+o3O/FnsUCKHcFduRqiCV7L0RJyIMsKg7QvbxNjwwkTwDG5Fr/birIAvKpukz48tdIIAP3f0o+MB4Fm6ytkkd1CtfJ8ux8P0Z+y\
        9x0Ob8JaTKwnFX4NdElENOurRsuJUz8iqW0MeYuEPjmgADAKBggqhkjOPQQDBAOBiwAwgYcCQgHdpzjWkqctlHgupKZQ0lyAkECN\
        t3nWzSEGbXA9n6J/6JFTWmYTHtfNkX9rK3NonAfzghdSImSesY4+wMqRP0ssGQJBcogVKJFxcpALuQlQbiyf/ygiebM4Mcs+6q2r\
        YLfcnjzx4iwwoypVkB0v8It8gOHYhtgBFWpqUp11gJ+FUWvuDSg=";
    const ED25519: &str = "MIGLMD8CAQAwDDEKMAgGA1UEAwwBZDAqMAUGAytlcAMhALwkpybG8lL6csao3rchy+NQdb13zJMkeTnQzEgpYYstoAAwBQYDK2Vw\
        A0EAgjd+0HYxheftNpPnWqdwav1YU7DC8qeVNYYnspWG5pc0WhPKP36KGUCqfa05WRzM/n9/Vz8G7842/ZqB6PzqCA==";

    fn pem(der: &[u8]) -> Vec<u8> {
        let body = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n").into_bytes()
    }

    fn der(base64: &str) -> Vec<u8> {
        STANDARD.decode(base64).unwrap()
    }

    #[test]
    fn requests_are_signed_with_their_own_key() {
        for good in [RSA, P256, P384, ED25519] {
            assert_eq!(error(&pem(&der(good))), None);
        }
        assert_eq!(error(&pem(&der(P521))).as_deref(), Some(UNIMPLEMENTED));
    }

    #[test]
    fn a_signature_of_something_else_is_refused() {
        for (request, failure) in [
            (RSA, "crypto/rsa: verification error"),
            (P256, "x509: ECDSA verification failure"),
            (P384, "x509: ECDSA verification failure"),
            (ED25519, "x509: Ed25519 verification failure"),
        ] {
            let mut der = der(request);
            // A letter of the common name.
            let at = der.windows(3).position(|bytes| bytes == [0x55, 0x04, 0x03]).unwrap() + 5;
            der[at] ^= 1;
            assert_eq!(error(&pem(&der)).as_deref(), Some(failure));
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let mut long = der(P256);
        long.push(0);
        assert_eq!(error(&pem(&long)).as_deref(), Some(TRAILING));
        assert_eq!(error(&pem(&der("MAA="))).as_deref(), Some(MALFORMED));
        assert_eq!(error(&pem(&der(P256)[..50])).as_deref(), Some(MALFORMED));
        let certificate = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for wrong in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE REQUEST-----", certificate, &[0xff, 0xfe]] {
            assert_eq!(error(wrong).as_deref(), Some(WRONG_BLOCK));
        }
    }
}
