//! What this server shows to the servers behind it: a client certificate that they accept user names from.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::pki::{Authority, Identity, PkiError};

/// The name in the certificate, the only one that is allowed to speak for users.
pub(super) const COMMON_NAME: &str = "front-proxy-client";

/// The certificate of the front proxy, and the authority that it is from. The authority signs nothing else: whoever
/// has a certificate of it may say that he is anybody.
#[derive(Debug, Clone)]
pub struct FrontProxy {
    /// The authority's certificate, PEM.
    pub ca_pem: String,
    /// The client certificate.
    pub client: Identity,
}

impl FrontProxy {
    /// The one kept in `directory`, made if there is none.
    ///
    /// # Errors
    /// When files can't be used.
    pub fn load_or_create(directory: impl Into<std::path::PathBuf>) -> Result<Self, PkiError> {
        let authority = Authority::load_or_create(directory)?;
        let client = authority.client("front-proxy-client", COMMON_NAME, "")?;
        Ok(Self { ca_pem: authority.certificate_pem().to_string(), client })
    }

    /// One that lasts as long as the process: the servers behind read the authority from its ConfigMap, and follow.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn ephemeral() -> Result<Self, PkiError> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name = rcgen::DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, "front-proxy-ca");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_key = KeyPair::generate()?;
        let ca_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut client = CertificateParams::default();
        client.distinguished_name = rcgen::DistinguishedName::new();
        client.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        client.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        client.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate_pem = client.signed_by(&key, &issuer)?.pem();
        Ok(Self { ca_pem, client: Identity { certificate_pem, key_pem: key.serialize_pem() } })
    }
}
