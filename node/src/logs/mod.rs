//! What containers print: written to files in the CRI's log format, read back for `kubectl logs`.

mod format;
mod open;
mod pace;
mod query;
mod reader;
mod sink;
mod writer;

pub use query::LogQuery;
pub use reader::{LogPlace, NextLog, stream_log};
pub use sink::{LogSink, Tap};
pub use writer::LogWriter;
