//! What the cluster talks about: the object model, the resource catalogue, schemas, defaults, validation,
//! patches, selectors, quantities and table columns.
//!
//! Everything here is a pure function of its arguments, so that the API server, the controllers, the scheduler
//! and the node agent share one understanding of an object.
//!
//! Invariant: no I/O, no clock, no randomness, no async. Whoever needs "now" or a random suffix passes it in.
#![forbid(unsafe_code)]

pub mod apply;
pub mod catalog;
pub mod cel;
pub mod continue_token;
pub mod custom;
pub mod decode;
pub mod discovery;
pub mod duration;
pub mod error;
pub mod field;
pub mod kinds;
pub mod meta;
pub mod metadata;
pub mod names;
pub mod openapi;
pub mod patch;
pub mod pod;
pub mod protobuf;
pub mod quantity;
pub mod quota;
pub mod schema;
pub mod selector;
pub mod versions;

pub use catalog::{Catalog, Resource, Subresource};
pub use error::{ApiError, ApiResult, Reason};
