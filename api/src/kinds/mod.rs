//! What is particular to a kind: its defaults, validation, strategy, selectable fields and table columns.
//!
//! One module per kind (or per family of small ones); each exports the [`Rules`](crate::catalog::Rules) that its
//! catalogue row points at.

mod check;
pub mod config;
pub mod deployment;
pub mod event;
mod generation;
pub mod job;
mod json;
pub mod lease;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod replica_set;
pub mod service;
mod table;
mod workload;

#[cfg(test)]
mod tests;
