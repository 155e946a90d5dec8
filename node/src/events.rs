//! Who tells events here, and about what.

use std::sync::Arc;

pub use coracle_client::{EventRecorder, Subject};
use k8s_openapi::api::core::v1::{EventSource, ObjectReference};
use kube::Client;

/// Who reports.
const COMPONENT: &str = "kubelet";

/// The node's recorder, and the work of writing what it takes; that ends with the last recorder.
pub fn recorder(client: Client, node: &str) -> (EventRecorder, impl Future<Output = ()> + Send + use<>) {
    let source = EventSource { component: Some(COMPONENT.to_owned()), host: Some(node.to_owned()) };
    EventRecorder::new(client, source)
}

/// The node as the subject of events. Its uid is its name, as kubelet has it, so that a node that registers anew
/// keeps its story.
pub fn of_node(name: &str) -> Subject {
    Arc::new(ObjectReference {
        kind: Some("Node".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(name.to_owned()),
        ..ObjectReference::default()
    })
}
