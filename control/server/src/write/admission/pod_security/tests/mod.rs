//! Labels, configuration, changes, and the pods that are there already.

mod changes;
mod configuration;
mod existing;
mod labels;
