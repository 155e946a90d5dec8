//! Namespaces being deleted: their content goes first, then they do.

mod conditions;
mod content;
mod controller;

pub use controller::NamespaceController;
