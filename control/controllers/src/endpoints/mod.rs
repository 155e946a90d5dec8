//! EndpointSlices, and the older Endpoints, of Services that select pods.

mod controller;
mod legacy;
mod ports;
mod slices;
mod source;

pub use controller::EndpointsController;
