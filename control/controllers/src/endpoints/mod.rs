//! EndpointSlices, and the older Endpoints, of Services that select pods; slices that mirror Endpoints
//! written by hand.

mod controller;
mod legacy;
mod mirror;
mod mirrored;
mod ports;
mod slices;
mod source;

pub use controller::EndpointsController;
pub use mirror::MirrorController;
