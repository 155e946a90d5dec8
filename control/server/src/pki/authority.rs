//! The authority: loads or makes itself, signs server and client certificates.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{self, Secrecy};
use super::inspect::{covers, der_of, issued_by};
use super::{Identity, PkiError, RENEW_BEFORE_DAYS, parameters};

/// A certificate authority in a directory.
pub struct Authority {
    directory: PathBuf,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The authority in `directory` (`ca.crt`, `ca.key`), made if there is none.
    pub fn load_or_create(directory: impl Into<PathBuf>) -> Result<Self, PkiError> {
        let directory = directory.into();
        std::fs::create_dir_all(&directory).map_err(|source| PkiError::File { path: directory.clone(), source })?;
        let (certificate, key) = (directory.join("ca.crt"), directory.join("ca.key"));
        match (read(&certificate)?, read(&key)?) {
            (Some(certificate_pem), Some(key_pem)) => {
                let pair =
                    KeyPair::from_pem(&key_pem).map_err(|_| PkiError::Malformed { path: key, what: "private key" })?;
                if der_of(&certificate_pem).is_none() {
                    return Err(PkiError::Malformed { path: certificate, what: "certificate" });
                }
                Ok(Self { directory, certificate_pem, issuer: Issuer::new(parameters::authority(), pair) })
            }
            (None, None) => {
                let pair = KeyPair::generate()?;
                // The key first: from it the certificate can be made again, not the other way round.
                write(&key, &pair.serialize_pem(), Secrecy::Private)?;
                Self::certify(directory, &certificate, pair)
            }
            // A first start was interrupted between the two. What the key has signed stays valid: trust is in key and name.
            (None, Some(key_pem)) => {
                let pair =
                    KeyPair::from_pem(&key_pem).map_err(|_| PkiError::Malformed { path: key, what: "private key" })?;
                Self::certify(directory, &certificate, pair)
            }
            (_, None) => Err(PkiError::Incomplete { missing: key, directory }),
        }
    }

    /// The authority of a key, with a new certificate.
    fn certify(directory: PathBuf, certificate: &Path, pair: KeyPair) -> Result<Self, PkiError> {
        let parameters = parameters::authority();
        let certificate_pem = parameters.self_signed(&pair)?.pem();
        write(certificate, &certificate_pem, Secrecy::Public)?;
        Ok(Self { directory, certificate_pem, issuer: Issuer::new(parameters, pair) })
    }

    /// The authority's certificate, PEM: what clients trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The key that it signs with.
    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// A server certificate for these names and addresses, kept as `{file}.crt` and `{file}.key`. One that is there
    /// is used again while it lasts and names everything asked for.
    pub fn server(&self, file: &str, names: &[String]) -> Result<Identity, PkiError> {
        let mut parameters = parameters::leaf(ExtendedKeyUsagePurpose::ServerAuth);
        parameters.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        parameters.distinguished_name.push(DnType::CommonName, "coracle-apiserver");
        self.keep(file, &parameters, |kept| names.iter().all(|name| covers(kept, name)))
    }

    /// A client certificate for `user` in `group` (empty: none), kept as `{file}.crt` and `{file}.key`.
    pub fn client(&self, file: &str, user: &str, group: &str) -> Result<Identity, PkiError> {
        let mut parameters = parameters::leaf(ExtendedKeyUsagePurpose::ClientAuth);
        parameters.distinguished_name.push(DnType::CommonName, user);
        if !group.is_empty() {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        let is_same = |kept: &X509Certificate<'_>| {
            let subject = kept.subject();
            let organization = subject.iter_organization().next().and_then(|o| o.as_str().ok()).unwrap_or_default();
            subject.iter_common_name().next().and_then(|n| n.as_str().ok()) == Some(user) && organization == group
        };
        self.keep(file, &parameters, is_same)
    }

    /// The key that signs tokens of service accounts, PEM, kept as `sa.key`: tokens outlive the process.
    pub fn token_key(&self) -> Result<String, PkiError> {
        let path = self.directory.join("sa.key");
        if let Some(pem) = read(&path)? {
            return match KeyPair::from_pem(&pem) {
                Ok(_) => Ok(pem),
                Err(_) => Err(PkiError::Malformed { path, what: "private key" }),
            };
        }
        let pem = KeyPair::generate()?.serialize_pem();
        write(&path, &pem, Secrecy::Private)?;
        Ok(pem)
    }

    /// The identity in the files if it may go on being used, otherwise a new one.
    fn keep(
        &self,
        file: &str,
        parameters: &CertificateParams,
        suits: impl Fn(&X509Certificate<'_>) -> bool,
    ) -> Result<Identity, PkiError> {
        let certificate = self.directory.join(format!("{file}.crt"));
        let key = self.directory.join(format!("{file}.key"));
        if let (Some(certificate_pem), Some(key_pem)) = (read(&certificate)?, read(&key)?)
            && self.may_go_on(&certificate_pem, &key_pem, suits)
        {
            return Ok(Identity { certificate_pem, key_pem });
        }
        let pair = KeyPair::generate()?;
        let certificate_pem = parameters.signed_by(&pair, &self.issuer)?.pem();
        let identity = Identity { certificate_pem, key_pem: pair.serialize_pem() };
        write(&key, &identity.key_pem, Secrecy::Private)?;
        write(&certificate, &identity.certificate_pem, Secrecy::Public)?;
        Ok(identity)
    }

    /// Whether a kept certificate is ours, fits its key, lasts long enough and says what is wanted.
    fn may_go_on(&self, certificate_pem: &str, key_pem: &str, suits: impl Fn(&X509Certificate<'_>) -> bool) -> bool {
        let (Some(der), Some(authority)) = (der_of(certificate_pem), der_of(&self.certificate_pem)) else {
            return false;
        };
        let (Ok((_, kept)), Ok((_, authority))) =
            (X509Certificate::from_der(&der), X509Certificate::from_der(&authority))
        else {
            return false;
        };
        let Ok(pair) = KeyPair::from_pem(key_pem) else { return false };
        let renew_at = Timestamp::now().as_second() + RENEW_BEFORE_DAYS * 86_400;
        kept.public_key().subject_public_key.data == pair.public_key_raw()
            && kept.validity().not_after.timestamp() > renew_at
            // Cheaper than a signature check and enough against a directory mixed from two clusters: files that an
            // attacker can write are out of scope, the key lies beside them.
            && issued_by(&kept, &authority)
            && suits(&kept)
    }
}

/// Writes a file that only its owner may read, such as a kubeconfig, so that a crash leaves the old one or the new one.
pub fn write_private(path: &Path, text: &str) -> Result<(), PkiError> {
    write(path, text, Secrecy::Private)
}

fn read(path: &Path) -> Result<Option<String>, PkiError> {
    files::read(path).map_err(|source| PkiError::File { path: path.to_path_buf(), source })
}

fn write(path: &Path, text: &str, secrecy: Secrecy) -> Result<(), PkiError> {
    files::write(path, text, secrecy).map_err(|source| PkiError::File { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names() -> Vec<String> {
        vec!["localhost".into(), "127.0.0.1".into()]
    }

    #[test]
    fn what_was_made_is_used_again_and_keys_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authority::load_or_create(directory.path()).unwrap();
        let server = first.server("apiserver", &names()).unwrap();
        let second = Authority::load_or_create(directory.path()).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(server.certificate_pem, second.server("apiserver", &names()).unwrap().certificate_pem);
        for file in ["ca.key", "apiserver.key"] {
            let mode = std::fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        second.tls(&server).unwrap();
        assert_eq!(first.token_key().unwrap(), second.token_key().unwrap());
    }

    #[test]
    fn a_certificate_that_lacks_a_name_or_has_another_user_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let before = authority.server("apiserver", &names()).unwrap();
        let mut more = names();
        more.push("10.96.0.1".into());
        assert_ne!(before.certificate_pem, authority.server("apiserver", &more).unwrap().certificate_pem);
        let admin = authority.client("admin", "admin", "system:masters").unwrap();
        assert_ne!(admin.certificate_pem, authority.client("admin", "jane", "").unwrap().certificate_pem);
        let jane = authority.client("admin", "jane", "").unwrap();
        let user = crate::identity::Proof::of(&der_of(&jane.certificate_pem).unwrap()).unwrap();
        let user = user.user_at(Timestamp::now()).unwrap().clone();
        assert_eq!((user.name.as_str(), user.groups), ("jane", vec!["system:authenticated".to_string()]));
    }

    #[test]
    fn certificates_of_another_authority_are_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authority::load_or_create(directory.path()).unwrap().server("apiserver", &names()).unwrap();
        std::fs::remove_file(directory.path().join("ca.key")).unwrap();
        assert!(matches!(Authority::load_or_create(directory.path()), Err(PkiError::Incomplete { .. })));
        std::fs::remove_file(directory.path().join("ca.crt")).unwrap();
        let second = Authority::load_or_create(directory.path()).unwrap().server("apiserver", &names()).unwrap();
        assert_ne!(first.certificate_pem, second.certificate_pem);
    }

    #[test]
    fn an_authority_interrupted_between_key_and_certificate_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let before = Authority::load_or_create(directory.path()).unwrap().server("apiserver", &names()).unwrap();
        std::fs::remove_file(directory.path().join("ca.crt")).unwrap();
        let again = Authority::load_or_create(directory.path()).unwrap();
        let kept = again.server("apiserver", &names()).unwrap();
        assert_eq!(before.certificate_pem, kept.certificate_pem, "what the key signed stays valid");
        assert!(directory.path().join("ca.crt").is_file());
    }
}
