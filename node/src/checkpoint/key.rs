//! Names of what is kept.

use std::sync::Arc;

/// A pod.
pub const POD: &str = "pod";
/// The status that its worker has told last, or would if it could.
pub const STATUS: &str = "status";
/// A Service.
pub const SERVICE: &str = "service";
/// An EndpointSlice.
pub const SLICE: &str = "slice";
/// A token that the pod was given.
const TOKEN: &str = "token";

/// The name of something that is kept: its kind, and what tells it from others of its kind. Names in the API have no
/// slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// An object of a namespace.
    pub fn namespaced(kind: &str, namespace: &str, name: &str) -> Key {
        Key(format!("{kind}/{namespace}/{name}").into())
    }

    /// An object of the cluster.
    pub fn cluster(kind: &str, name: &str) -> Key {
        Key(format!("{kind}/{name}").into())
    }

    /// The pod of this UID.
    pub fn pod(uid: &str) -> Key {
        Key::cluster(POD, uid)
    }

    /// Its status.
    pub fn status(uid: &str) -> Key {
        Key::cluster(STATUS, uid)
    }

    /// Its token for somebody.
    pub fn token(uid: &str, audience: Option<&str>, seconds: Option<i64>) -> Key {
        let seconds = seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        Key(format!("{TOKEN}/{uid}/{seconds}/{}", audience.unwrap_or_default()).into())
    }

    /// A Service, by its key in the table of Services.
    pub fn service(key: &str) -> Key {
        Key::cluster(SERVICE, key)
    }

    /// An EndpointSlice, by its key in the table of Services.
    pub fn slice(key: &str) -> Key {
        Key::cluster(SLICE, key)
    }

    /// As it stands in the file.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The UID of the pod that it is about.
    pub fn uid(&self) -> Option<&str> {
        let (kind, rest) = self.0.split_once('/')?;
        matches!(kind, POD | STATUS | TOKEN).then(|| rest.split('/').next().unwrap_or_default())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        Key(text.into())
    }
}
