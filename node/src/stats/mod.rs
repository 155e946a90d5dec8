//! What the node and its pods use, and everything that is told of it: `/stats/summary`, `/metrics/resource`,
//! `/metrics`, `/pods`.

mod disk;
mod reading;
mod resource;
mod routes;
mod sampler;
mod summary;
mod task;
#[cfg(test)]
mod tests;
mod text;

pub use disk::PodDisk;
#[cfg(test)]
pub use disk::{ContainerDisk, DiskUse};
pub use routes::routes;
pub use sampler::Sampler;
pub use task::run_stats;
