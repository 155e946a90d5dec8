//! ReplicaSet: as many pods of a template as the object asks for.

mod controller;
mod status;

pub use controller::ReplicaSetController;
