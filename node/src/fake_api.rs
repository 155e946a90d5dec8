//! A small API server for tests: objects in a map, watches with history, patches merged field by field. It knows no
//! kind; what the node asks of a server beyond that is tested against the real one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Query, State},
    http::{Method, Request, StatusCode},
    response::{IntoResponse, Response},
};
use futures::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

/// Resources that are served, by their path's last part.
const RESOURCES: [&str; 9] = [
    "pods",
    "nodes",
    "leases",
    "events",
    "services",
    "endpointslices",
    "configmaps",
    "secrets",
    "certificatesigningrequests",
];

/// The server.
#[derive(Clone, Default)]
pub struct FakeApi {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<Objects>,
    changed: Notify,
    mode: watch::Sender<Mode>,
}

/// How the server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It answers.
    #[default]
    Here,
    /// It takes requests and answers when it is here again, like a process that was stopped.
    Hanging,
    /// Nobody listens, and what was connected is cut.
    Dead,
}

#[derive(Default)]
struct Objects {
    by_path: BTreeMap<String, Value>,
    /// How often each path was written.
    writes: HashMap<String, usize>,
    /// Revision, resource, line of the watch.
    history: Vec<(u64, String, String)>,
}

impl FakeApi {
    /// A client of the server.
    pub fn client(&self) -> kube::Client {
        let api = self.clone();
        let router = Router::new().fallback(serve).with_state(self.clone());
        let serve = move |request: Request<kube::client::Body>| {
            let (api, router) = (api.clone(), router.clone());
            async move {
                match api.settled().await {
                    Mode::Dead => Err("connection refused".to_owned()),
                    _ => router.oneshot(request).await.map_err(|never| never.to_string()),
                }
            }
        };
        kube::Client::new(tower::service_fn(serve), "default")
    }

    /// From now on the server is like this.
    pub fn set(&self, mode: Mode) {
        self.inner.mode.send_replace(mode);
    }

    /// How it is, once it doesn't hang.
    async fn settled(&self) -> Mode {
        *self.inner.mode.subscribe().wait_for(|mode| *mode != Mode::Hanging).await.unwrap()
    }

    /// An object by its path, such as `pods/default/x`.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.inner.state.lock().by_path.get(path).cloned()
    }

    /// How often an object was written.
    pub fn writes(&self, path: &str) -> usize {
        self.inner.state.lock().writes.get(path).copied().unwrap_or_default()
    }

    /// All objects of a resource.
    pub fn list(&self, resource: &str) -> Vec<Value> {
        let state = self.inner.state.lock();
        let prefix = format!("{resource}/");
        state.by_path.iter().filter(|(path, _)| path.starts_with(&prefix)).map(|(_, object)| object.clone()).collect()
    }

    /// Stores an object, as whoever writes it.
    pub fn put(&self, path: &str, mut object: Value) -> Value {
        let mut state = self.inner.state.lock();
        let kind = if state.by_path.contains_key(path) { "MODIFIED" } else { "ADDED" };
        let metadata = &mut object["metadata"];
        if metadata["uid"].is_null() {
            metadata["uid"] = uuid::Uuid::new_v4().to_string().into();
        }
        state.by_path.insert(path.to_owned(), object.clone());
        state.note(kind, path, &mut object);
        state.by_path.insert(path.to_owned(), object.clone());
        self.inner.changed.notify_waiters();
        object
    }

    /// Removes an object.
    pub fn remove(&self, path: &str) -> Option<Value> {
        let mut state = self.inner.state.lock();
        let mut object = state.by_path.remove(path)?;
        state.note("DELETED", path, &mut object);
        self.inner.changed.notify_waiters();
        Some(object)
    }

    /// Waits until `look` finds something in the object, or fails with what is there.
    pub async fn wait_for<T>(&self, path: &str, look: impl Fn(&Value) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let object = self.get(path).unwrap_or_default();
            if let Some(found) = look(&object) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited in vain for {path}: {object:#}");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

impl Objects {
    fn note(&mut self, kind: &str, path: &str, object: &mut Value) {
        *self.writes.entry(path.to_owned()).or_default() += 1;
        let revision = self.history.len() as u64 + 1;
        object["metadata"]["resourceVersion"] = revision.to_string().into();
        let line = json!({"type": kind, "object": object}).to_string() + "\n";
        self.history.push((revision, path.split('/').next().unwrap_or_default().to_owned(), line));
    }
}

async fn serve(
    State(api): State<FakeApi>,
    Query(query): Query<HashMap<String, String>>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let words: Vec<&str> = parts.uri.path().split('/').collect();
    let Some(at) = words.iter().position(|word| RESOURCES.contains(word)) else { return missing(parts.uri.path()) };
    let (resource, name) = (words[at], words.get(at + 1).copied());
    let namespace = words.iter().position(|word| *word == "namespaces").map_or("", |at| words[at + 1]);
    let path = |name: &str| format!("{resource}/{namespace}/{name}");
    match (parts.method, name) {
        (Method::GET, None) if query.contains_key("watch") => {
            let since = query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
            watch(api, resource.to_owned(), since)
        }
        (Method::GET, None) => {
            let items = api.list(resource);
            let revision = api.inner.state.lock().history.len().to_string();
            Json(json!({"metadata": {"resourceVersion": revision}, "items": items})).into_response()
        }
        (Method::GET, Some(name)) => {
            api.get(&path(name)).map_or_else(|| missing(name), |object| Json(object).into_response())
        }
        (Method::POST, None) => {
            let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if api.get(&path(&name)).is_some() {
                return status(StatusCode::CONFLICT, "AlreadyExists");
            }
            (StatusCode::CREATED, Json(api.put(&path(&name), body))).into_response()
        }
        (Method::PATCH, Some(name)) => match api.get(&path(name)) {
            // A patch that says which object it means is not for another one of that name.
            Some(object)
                if body["metadata"]["uid"].is_string() && body["metadata"]["uid"] != object["metadata"]["uid"] =>
            {
                status(StatusCode::CONFLICT, "Conflict")
            }
            Some(mut object) => {
                merge(&mut object, body);
                Json(api.put(&path(name), object)).into_response()
            }
            None => missing(name),
        },
        (Method::DELETE, Some(name)) => {
            api.remove(&path(name)).map_or_else(|| missing(name), |object| Json(object).into_response())
        }
        _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

fn missing(name: &str) -> Response {
    tracing::trace!(name, "not found");
    status(StatusCode::NOT_FOUND, "NotFound")
}

fn status(code: StatusCode, reason: &str) -> Response {
    let body =
        json!({"kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": code.as_u16()});
    (code, Json(body)).into_response()
}

fn watch(api: FakeApi, resource: String, since: u64) -> Response {
    let lines = stream::unfold(since, move |since| {
        let (api, resource) = (api.clone(), resource.clone());
        async move {
            loop {
                let (changed, mut mode) = (api.inner.changed.notified(), api.inner.mode.subscribe());
                tokio::pin!(changed);
                changed.as_mut().enable();
                if api.settled().await == Mode::Dead {
                    return None;
                }
                let next = {
                    let state = api.inner.state.lock();
                    state.history.iter().find(|(revision, of, _)| *revision > since && *of == resource).cloned()
                };
                match next {
                    Some((revision, _, line)) => return Some((Ok::<_, std::io::Error>(line), revision)),
                    None => tokio::select! {
                        () = changed => {}
                        _ = mode.changed() => {}
                    },
                }
            }
        }
    });
    Body::from_stream(lines).into_response()
}

fn merge(object: &mut Value, patch: Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    object.remove(&key);
                } else {
                    merge(object.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (object, Value::Array(mut list)) => {
            // Lists are replaced whole, so what says how they would be merged means nothing.
            list.retain(|item| item.get("$patch").is_none());
            *object = list.into();
        }
        (object, patch) => *object = patch,
    }
}
