//! The HTTP side of a request: where its path leads, what its query and `Accept` ask for, its body, its answer.
//! Nothing in here touches the store.

mod accept;
mod body;
mod params;
mod path;
mod protobuf;
mod respond;

pub(crate) use accept::{Accept, Format, Include, Shape};
pub(crate) use body::{Encoding, drain, read_bytes, read_json};
pub(crate) use params::Params;
pub(crate) use path::{Place, Target, Verb, resolve};
pub(crate) use protobuf::read as read_protobuf;
pub(crate) use respond::{Compressible, error, object, status_success, streamed, text, value, warn};
