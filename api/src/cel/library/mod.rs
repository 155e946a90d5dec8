//! The functions that expressions can call, by library: CEL's own, its extensions, and those of Kubernetes
//! (`k8s.io/apiserver/pkg/cel/library`).

mod access;
mod convert;
mod core;
mod formats;
mod json_patch;
mod lists;
mod net;
mod quantity;
mod regexes;
mod semver;
mod sets;
mod strings;
mod text_format;
mod time;
mod url;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::function::Overload;
pub use formats::NamedFormat;
pub(super) use json_patch::ESCAPE_KEY;
pub(in crate::cel) use regexes::compile as compile_pattern;
pub use semver::Semver;
pub(super) use text_format::display;
pub use time::Moment;
pub(in crate::cel) use time::parse_moment;
pub(crate) use time::{parse_duration, parse_timestamp};
pub use url::Url;

static FUNCTIONS: LazyLock<HashMap<&'static str, Vec<&'static Overload>>> = LazyLock::new(|| {
    let libraries: [&'static [Overload]; 14] = [
        core::FUNCTIONS,
        convert::FUNCTIONS,
        time::FUNCTIONS,
        strings::FUNCTIONS,
        lists::FUNCTIONS,
        regexes::FUNCTIONS,
        url::FUNCTIONS,
        net::FUNCTIONS,
        quantity::FUNCTIONS,
        formats::FUNCTIONS,
        semver::FUNCTIONS,
        sets::FUNCTIONS,
        json_patch::FUNCTIONS,
        access::FUNCTIONS,
    ];
    let mut by_name: HashMap<&'static str, Vec<&'static Overload>> = HashMap::new();
    for overload in libraries.into_iter().flatten() {
        by_name.entry(overload.name).or_default().push(overload);
    }
    by_name
});

/// All signatures of a function.
pub(super) fn overloads(name: &str) -> &'static [&'static Overload] {
    FUNCTIONS.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// Whether there is a function of that name.
pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains_key(name)
}
