//! What the ports of the house have in common: how long a connection is kept on which nothing happens, and which of them
//! makes room when there are too many.
//!
//! Nothing here knows whose port it is, nor what is asked there.
#![forbid(unsafe_code)]

mod idle;
mod places;

pub use idle::{Activity, Busy, Held};
pub use places::{Guest, Place, Places, Users};
