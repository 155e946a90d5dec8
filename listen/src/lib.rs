//! What the ports of the house have in common: how long a connection is kept on which nothing happens.
//!
//! Nothing here knows whose port it is, nor what is asked there.
#![forbid(unsafe_code)]

mod idle;

pub use idle::{Activity, Busy, Held};
