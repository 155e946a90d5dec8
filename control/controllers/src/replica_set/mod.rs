//! ReplicaSet and ReplicationController: as many pods of a template as the object asks for.

mod controller;
mod kinds;
mod status;

pub use controller::ReplicaSetController;
