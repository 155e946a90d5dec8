//! The API as its clients see it: the router as a service, over a real store in a temporary directory.

mod creating;
mod deleting;
mod discovering;
mod listing;
mod logs;
mod services;
mod support;
mod tls;
mod updating;
mod watching;
