//! Golden transcripts of kubectl against the whole API: built-in and custom kinds, with what a person sees.

mod access;
mod apply;
mod connections;
mod creating;
mod credentials;
mod custom;
mod debugging;
mod explaining;
mod logs;
mod nodes;
mod refusals;
mod verbs;

/// A Deployment that runs nothing, and its Service.
const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web, tier: front}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: x:1
        env:
        - {name: A, value: \"1\"}
        - {name: B, value: \"2\"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
  - port: 80
";

/// A Site, the custom kind of the operator's tests.
const SITE: &str = "\
apiVersion: demo.example.com/v1
kind: Site
metadata: {name: blog}
spec: {domain: blog.example, replicas: 2, pages: {index: hello}}
";

/// A cluster that knows Sites.
fn with_sites() -> crate::harness::Cluster {
    let cluster = crate::harness::Cluster::start();
    cluster.apply(crate::operator::site::DEFINITION);
    cluster.kubectl("wait --for=condition=established crd/sites.demo.example.com --timeout=30s").ok();
    cluster
}

/// A cluster that has the toolbox in its registry.
fn with_toolbox() -> crate::harness::Cluster {
    let cluster = crate::harness::Cluster::start();
    crate::harness::guests::push_toolbox(&cluster);
    cluster
}

/// A pod that runs a tool (`command`, a YAML list) and is labelled with its name; `more` are further lines of its container.
fn toolbox(name: &str, command: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec:\n  restartPolicy: Never\n  \
         terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: {}\n    command: {command}\n{more}",
        crate::harness::guests::TOOLBOX
    )
}
