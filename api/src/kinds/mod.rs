//! What is particular to a kind: its defaults, validation, strategy, selectable fields and table columns.
//!
//! One module per kind (or per family of small ones); each exports the [`Rules`](crate::catalog::Rules) that its
//! catalogue row points at.

pub mod admission;
mod amount;
pub mod api_service;
pub mod autoscaler;
mod check;
pub mod component_status;
mod conditions;
pub mod config;
pub mod controller_revision;
pub mod cron_job;
pub mod custom_definition;
pub mod daemon_set;
pub mod deployment;
pub mod devices;
pub mod disruption_budget;
pub mod event;
pub mod flow_control;
mod generation;
mod ip;
pub mod job;
mod json;
pub mod lease;
pub mod limit_range;
pub mod namespace;
pub mod network;
pub mod node;
pub mod persistent_volume;
pub mod pod;
pub mod pod_template;
pub mod priority_class;
pub mod rbac;
pub mod replica_set;
pub mod replication_controller;
mod resource_names;
pub mod resource_quota;
pub mod review;
pub mod runtime_class;
pub mod scale;
pub mod service;
pub mod signing_request;
pub mod stateful_set;
pub mod storage;
mod table;
pub mod usage;
pub mod volume_claim;
mod warnings;
mod webhook_client;
mod workload;

#[cfg(test)]
mod tests;
