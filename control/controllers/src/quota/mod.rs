//! ResourceQuota: what is used of it, counted again whenever something is gone or the quota has changed. What is added
//! meanwhile is written down by the server as it admits it.

mod changes;
mod controller;

pub use controller::QuotaController;
