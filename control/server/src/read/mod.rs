//! GET, LIST and watch: from the store's memory to the wire.
//!
//! Invariant: an object that is shown as it is stored is never parsed on the way out.

mod get;
mod list;
mod list_options;
mod select;
mod table;
mod version;
mod view;
mod watch;
mod watch_line;

pub(crate) use get::get;
pub(crate) use list::{Page, list, page, respond};
pub(crate) use list_options::{ListOptions, Selected};
pub(crate) use select::{Selection, key, scope};
pub(crate) use view::{View, parse};
pub(crate) use watch::watch;
