//! One cluster for the tests that run at the same time, and a namespace for each.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};

use crate::harness::guests::{TOOLBOX, push_toolbox};
use crate::harness::{Cluster, Finished, eventually};

/// Goes when the last test that uses it ends: a static one would outlive the tests.
static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static NAMESPACES: AtomicUsize = AtomicUsize::new(0);

/// A test's own namespace in the shared cluster.
pub struct Site {
    cluster: Arc<Cluster>,
    pub namespace: String,
}

fn shared() -> Arc<Cluster> {
    // A test that failed to start the cluster left nothing behind.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::start());
        push_toolbox(&cluster);
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

impl Site {
    pub fn new() -> Self {
        let namespace = format!("node-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed));
        let site = Self { cluster: shared(), namespace };
        site.cluster.kubectl(&format!("create namespace {}", site.namespace)).ok();
        eventually("the default service account", || {
            let found = site.kubectl("get serviceaccounts -o name").ok();
            if found.contains("default") { Ok(()) } else { Err(found) }
        });
        site
    }

    /// The cluster, for programs and for what is in no namespace.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// kubectl in the namespace of the test.
    pub fn kubectl(&self, line: &str) -> Finished {
        self.cluster.kubectl(&format!("--namespace={} {line}", self.namespace))
    }

    /// The same for a command that reads `input`.
    pub fn kubectl_with_input(&self, line: &str, input: &str) -> Finished {
        self.cluster.kubectl_with_input(&format!("--namespace={} {line}", self.namespace), input)
    }

    /// Applies objects that must be accepted.
    pub fn apply(&self, object: &Value) {
        self.kubectl_with_input("apply -f -", &object.to_string()).ok();
    }

    /// A ConfigMap or a Secret whose values are text.
    pub fn data(&self, kind: &str, name: &str, data: &Value) {
        let field = if kind == "Secret" { "stringData" } else { "data" };
        self.apply(&json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: data}));
    }

    /// Runs a pod to its successful end and returns what its first container said.
    pub fn output(&self, pod: &Value) -> String {
        self.apply(pod);
        let name = pod["metadata"]["name"].as_str().expect("a pod has a name");
        self.phase(name, "Succeeded");
        let container = pod["spec"]["containers"][0]["name"].as_str().expect("a container has a name");
        self.kubectl(&format!("logs {name} -c {container}")).ok()
    }

    /// Runs a pod's command in it, which must print this; the pod itself waits: the volumes of one that is over are gone.
    pub fn prints(&self, pod: &Value, wanted: &str) {
        let mut pod = pod.clone();
        let command = pod["spec"]["containers"][0]["command"].take();
        let words: Vec<&str> = command.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        pod["spec"]["containers"][0]["command"] = json!(["sleep", "600"]);
        self.apply(&pod);
        let name = pod["metadata"]["name"].as_str().expect("a pod has a name");
        self.phase(name, "Running");
        assert_eq!(self.kubectl(&format!("exec {name} -- {}", words.join(" "))).ok(), wanted);
    }

    /// Waits for a phase of a pod.
    pub fn phase(&self, name: &str, phase: &str) {
        eventually(phase, || {
            let status = self.field(name, "{.status}");
            if self.field(name, "{.status.phase}") == phase { Ok(()) } else { Err(status) }
        });
    }

    /// Waits until the log of a container has a text.
    pub fn says(&self, pod: &str, container: &str, text: &str) {
        eventually(text, || {
            let log = self.kubectl(&format!("logs {pod} -c {container}")).result()?;
            if log.contains(text) { Ok(()) } else { Err(log) }
        });
    }

    /// Where the node has a volume of a pod.
    pub fn volume(&self, pod: &str, volume: &str) -> PathBuf {
        let uid = self.field(pod, "{.metadata.uid}");
        self.cluster.data_dir().join(format!("node/pods/{}_{pod}_{uid}/volumes/{volume}", self.namespace))
    }

    /// The mode of a place in a volume of a pod. A guest sees none: this is what other readers of the volume would see.
    pub fn mode(&self, pod: &str, volume: &str, path: &str) -> u32 {
        let at = self.volume(pod, volume).join(path);
        let found = std::fs::metadata(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        found.permissions().mode() & 0o7777
    }

    /// Part of a pod, as a JSONPath says.
    pub fn field(&self, pod: &str, path: &str) -> String {
        self.kubectl(&format!("get pod {pod} -o jsonpath={path}")).ok()
    }
}

/// A pod of one container that runs a tool once; `more` is merged into the container.
pub fn pod(name: &str, command: &[&str], more: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container("main", command, more)]},
    })
}

/// A container of the toolbox.
pub fn container(name: &str, command: &[&str], more: &Value) -> Value {
    let mut container = json!({"name": name, "image": TOOLBOX, "command": command});
    for (field, value) in more.as_object().into_iter().flatten() {
        container[field] = value.clone();
    }
    container
}

/// A pod that prints files of its volumes, each mounted at `/mnt/` and its name.
pub fn reader(volumes: &[Value], files: &[&str]) -> Value {
    let command: Vec<&str> = std::iter::once("cat").chain(files.iter().copied()).collect();
    let mounts: Vec<Value> = volumes
        .iter()
        .map(
            |volume| json!({"name": volume["name"], "mountPath": format!("/mnt/{}", volume["name"].as_str().unwrap())}),
        )
        .collect();
    let mut pod = pod("reader", &command, &json!({"volumeMounts": mounts}));
    pod["spec"]["volumes"] = json!(volumes);
    pod
}
