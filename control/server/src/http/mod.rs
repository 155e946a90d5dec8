//! The HTTP side of a request: where its path leads, what its query and `Accept` ask for, its body, its answer.
//! Nothing in here touches the store.

mod accept;
mod body;
mod headers;
mod params;
mod path;
mod respond;

pub(crate) use accept::{Accept, Format, Include, Shape};
pub(crate) use body::{Encoding, drain, read_bytes, read_json};
pub(crate) use headers::{list, names};
pub(crate) use params::{Params, dry_run_error};
pub(crate) use path::{Place, Target, Verb, resolve};
pub(crate) use respond::{
    COMPRESS_ABOVE_BYTES, Compressible, error, error_in, framed, no_such_path, object, status_success, streamed, text,
    value, warn,
};
