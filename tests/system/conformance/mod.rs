//! The behaviours that the conformance suite of Kubernetes names, one test each: its doc comment is the name of the spec.

mod api;
mod auth;
mod cli;
mod collector;
mod config;
mod definitions;
mod events;
mod network;
mod pods;
mod publishing;
mod quota;
mod steps;
mod waits;
mod watchers;
mod workloads;
