//! The server's side of SPDY/3.1, as far as kubectl's older transport and its tunnelled port-forward use it. As in the
//! library that Kubernetes uses, windows are neither kept nor announced: what is not read waits in the TCP connection.

mod connection;
mod dictionary;
mod frame;
mod headers;

pub use connection::connect;

#[cfg(test)]
mod tests;
