//! Deployment: moves a set of pods from one template to the next, through ReplicaSets.
//!
//! `controller` does the I/O; what is to be done is decided by pure functions in the other modules.

mod annotations;
mod conditions;
mod controller;
mod naming;
mod rollout;
mod scaling;
mod sets;
mod status;
mod strategy;
mod work;

pub use controller::DeploymentController;
