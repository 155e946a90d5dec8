//! A node's own credentials: how it gets its first certificate, keeps it, and has another one before that ends.
//!
//! kubelet's TLS bootstrapping: with a bootstrap kubeconfig the node asks for a certificate of its own by
//! CertificateSigningRequest ([`asking`]), keeps it as kubelet does ([`store`]) and writes the kubeconfig that points to
//! it ([`kubeconfig`]). Certificates of its clients and, if that is wanted, of its own port are replaced in time
//! ([`renewal`]); the client changes over without a restart ([`transport`]).
//!
//! Invariant: a private key leaves neither this process nor its directory; what is sent is a request signed with it.

mod asking;
mod error;
mod kubeconfig;
mod pair;
mod renewal;
mod rotation;
mod sign_in;
mod store;
mod transport;
mod wanted;

#[cfg(test)]
mod test_authority;
#[cfg(test)]
mod tests;

pub use error::CredentialError;
pub use pair::Pair;
pub use renewal::{Holder, Renewal};
pub use rotation::ClientRotation;
pub use sign_in::{SignIn, SignedIn};
pub use store::PairStore;
pub use wanted::Wanted;
