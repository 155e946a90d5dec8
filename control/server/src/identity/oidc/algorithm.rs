//! The algorithms that sign ID tokens (RFC 7518, section 3.1).

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters,
};

/// An algorithm. kube-apiserver knows `ES512` as well, for which there is no P-521 here. Nothing with a shared secret is
/// among them, so a public key can't be taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

/// How a signature is verified.
pub(super) enum Method {
    Rsa(&'static RsaParameters),
    Ecdsa(&'static EcdsaVerificationAlgorithm),
}

impl Algorithm {
    /// All of them, with the names that they have in headers.
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
    ];

    /// The algorithm of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, algorithm)| *algorithm)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }

    pub(super) fn method(self) -> Method {
        match self {
            Self::Rs256 => Method::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Method::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Method::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Method::Rsa(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Method::Rsa(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Method::Rsa(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Method::Ecdsa(&ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Method::Ecdsa(&ECDSA_P384_SHA384_FIXED),
        }
    }
}
