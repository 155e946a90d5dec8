//! Events: what happened to an object, in the words users search for.
//!
//! Telling never delays doing: a bounded queue takes the note, and what the queue does not hold is dropped and counted.
//! What happens again is counted on the same Event, many similar events become one, and an object that has too much to
//! say is cut short, as by client-go's event correlator.
//!
//! Invariant: the events of one object are written in the order in which they were told.

mod correlator;
mod recorder;
mod writer;

pub use recorder::{EventRecorder, Note, Severity, Subject, about};
