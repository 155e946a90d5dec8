//! Configurations and what they make of tokens.

mod configurations;
mod signatures;
mod users;
