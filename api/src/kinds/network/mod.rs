//! Rules of the kinds of `networking.k8s.io`.

mod addresses;
mod ingress;
mod ingress_class;
mod policy;

pub use addresses::{IP_ADDRESS, SERVICE_CIDR};
pub use ingress::INGRESS;
pub use ingress_class::INGRESS_CLASS;
pub use policy::NETWORK_POLICY;
