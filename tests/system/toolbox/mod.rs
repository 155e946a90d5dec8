//! Pods that behave like pods, seen from outside: the toolbox sample in every place a container can be in. Tests that
//! cover a spec of Kubernetes' conformance suite have its name as their doc comment.

mod configuration;
mod connections;
mod endings;
mod lifecycle;
mod memory;
mod names;
mod resize;
mod together;

use crate::harness::boxes::{cluster, ended, output, pod, ready, shows};
