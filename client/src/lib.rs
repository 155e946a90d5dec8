//! What every component that speaks to an API server needs besides `kube`: events, watches that never give up, and
//! a look into the server's answers.
//!
//! Nothing here knows what any one component does, nor whose API server it is.
#![forbid(unsafe_code)]

mod answer;
mod changes;
mod events;
mod recent;

pub use answer::{is_code, is_namespace_terminating, is_unreachable, message};
pub use changes::changes;
pub use events::{EventRecorder, Note, Severity, Subject, about};
pub use recent::RecentMap;
