//! What the conformance suite of Kubernetes names of pods, volumes and configuration, one test each: its doc comment is
//! the name of the spec. Upstream's Linux images are replaced by `samples/toolbox`. WASI shows no permission
//! bits and no users: where a spec looks at a mode, the test looks at the file that the node has; where it looks at an
//! identity, reading or writing the file stands for it.

mod config;
mod downward;
mod empty_dir;
mod env;
mod etc_hosts;
mod image_defaults;
mod image_volume;
mod kubectl;
mod lifecycle;
mod optional;
mod pods;
mod probes;
mod projected;
pub mod site;
mod sub_path;
mod termination;
