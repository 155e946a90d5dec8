//! An operator as people write them: kube's `Controller` over a custom kind with finalizer, owned children by server-side
//! apply, status by server-side apply, events and retries. It runs over HTTPS with the cluster's kubeconfig.

mod program;
pub mod site;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::client;
use crate::harness::{Cluster, eventually, guests};

/// A cluster that knows Sites, and the operator when it runs.
struct Stage {
    runtime: Runtime,
    cluster: Cluster,
    operator: Option<(JoinHandle<()>, oneshot::Sender<()>)>,
}

impl Stage {
    fn new() -> Self {
        let cluster = Cluster::start();
        guests::push(&cluster, "site", guests::TICKER);
        cluster.apply(site::DEFINITION);
        cluster.kubectl("wait --for=condition=established crd/sites.demo.example.com --timeout=30s").ok();
        let mut stage = Self { runtime: Runtime::new().unwrap(), cluster, operator: None };
        stage.start_operator();
        stage
    }

    fn start_operator(&mut self) {
        let (stop, stopped) = oneshot::channel();
        let client = self.runtime.block_on(client(&self.cluster));
        let until = async move { drop(stopped.await) };
        let running = self.runtime.spawn(program::run(client, guests::image("site"), until));
        self.operator = Some((running, stop));
    }

    fn stop_operator(&mut self) {
        let (running, stop) = self.operator.take().expect("it runs");
        stop.send(()).expect("it listens");
        self.runtime.block_on(running).expect("it ends without a panic");
    }

    /// Applies the Site `blog`.
    fn blog(&self, spec: &str) -> Result<String, String> {
        let manifest = format!(
            "apiVersion: demo.example.com/v1\nkind: Site\nmetadata: {{name: blog}}\nspec: {{domain: blog.example, {spec}}}\n"
        );
        self.cluster.kubectl_with_input("apply -f -", &manifest).result()
    }

    /// Waits until a field has a value.
    fn expect(&self, object: &str, path: &str, wanted: &str) {
        eventually(&format!("{path} of {object}"), || {
            let found = self.cluster.kubectl(&format!("get {object} -o jsonpath={{{path}}}")).result()?;
            if found == wanted { Ok(()) } else { Err(format!("{found:?} is not {wanted:?}")) }
        });
    }

    /// Waits until an object is gone.
    fn expect_none(&self, object: &str) {
        eventually(&format!("no {object}"), || {
            let found = self.cluster.kubectl(&format!("get {object} --ignore-not-found -o name")).result()?;
            if found.is_empty() { Ok(()) } else { Err(found) }
        });
    }
}

#[test]
fn children_and_status_follow_the_object() {
    let stage = Stage::new();
    stage.blog("replicas: 2, pages: {index: hello}").unwrap();
    stage.expect("site blog", ".status.phase", "Ready");
    stage.expect("deploy blog", ".status.readyReplicas", "2");
    stage.expect("cm blog-pages", ".data.index", "hello");
    stage.expect("cm blog-pages", ".metadata.ownerReferences[0].kind", "Site");
    stage.expect("site blog", ".metadata.finalizers[0]", "demo.example.com/farewell");
    let table = stage.cluster.kubectl("get st").ok();
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words, [["NAME", "DOMAIN", "REPLICAS", "PHASE"], ["blog", "blog.example", "2", "Ready"]]);

    stage.blog("replicas: 1, pages: {index: bye, more: text}").unwrap();
    stage.expect("deploy blog", ".spec.replicas", "1");
    stage.expect("cm blog-pages", ".data", r#"{"index":"bye","more":"text"}"#);
    stage.expect("site blog", ".status", r#"{"observedGeneration":2,"phase":"Ready","replicas":1}"#);
    stage.cluster.kubectl("scale site blog --replicas=3").ok();
    stage.expect("deploy blog", ".spec.replicas", "3");

    // What somebody takes away comes back.
    stage.cluster.kubectl("delete cm blog-pages").ok();
    stage.expect("cm blog-pages", ".data.more", "text");
    stage.cluster.kubectl("delete deploy blog").ok();
    stage.expect("deploy blog", ".status.readyReplicas", "3");
    let events = "events -n default --for site/blog --no-headers";
    eventually("the events", || {
        let told = stage.cluster.kubectl(events).ok();
        if told.contains("Ready") && told.contains("Progressing") { Ok(()) } else { Err(told) }
    });
}

#[test]
fn rules_of_the_definition_are_kept() {
    let stage = Stage::new();
    stage.blog("replicas: 1").unwrap();
    let too_many = stage.blog("replicas: 4").unwrap_err();
    assert_eq!(
        too_many.lines().last().unwrap(),
        "The Site \"blog\" is invalid: spec.replicas: Invalid value: \"object\": no more replicas than the limit"
    );
    let moved = stage.cluster.kubectl("patch site blog --type=merge -p {\"spec\":{\"domain\":\"other\"}}").failed();
    assert_eq!(
        moved,
        "The Site \"blog\" is invalid: spec.domain: Invalid value: \"string\": a site keeps its domain\n"
    );
    stage.expect("site blog", ".status.phase", "Ready");
}

#[test]
fn an_error_is_tried_again_until_somebody_mends_it() {
    let stage = Stage::new();
    stage.blog("secret: key").unwrap();
    stage.expect("site blog", ".status.phase", "Failed");
    stage.expect("site blog", ".status.message", "secret \"key\" is missing");
    stage.expect_none("deploy blog");
    stage.cluster.kubectl("create secret generic key --from-literal=a=b").ok();
    stage.expect("site blog", ".status.phase", "Ready");
    // The message was the operator's alone: not applied again, it is gone.
    stage.expect("site blog", ".status.message", "");
    stage.expect("deploy blog", ".spec.replicas", "1");
}

#[test]
fn a_conflict_with_another_manager_is_told_and_ends_with_its_claim() {
    let stage = Stage::new();
    stage.blog("replicas: 1").unwrap();
    stage.expect("site blog", ".status.phase", "Ready");
    let apply = |spec: &str| {
        let manifest = format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: blog}}\n{spec}");
        let line = "apply --server-side --force-conflicts --field-manager=person -f -";
        stage.cluster.kubectl_with_input(line, &manifest).ok()
    };
    apply("spec: {replicas: 2}\n");
    stage.expect("site blog", ".status.phase", "Conflict");
    let text = "Apply failed with 1 conflict: conflict with \"person\": .spec.replicas";
    stage.expect("site blog", ".status.message", text);
    stage.expect("deploy blog", ".spec.replicas", "2");
    apply("");
    stage.expect("site blog", ".status.phase", "Ready");
    stage.expect("deploy blog", ".spec.replicas", "1");
}

#[test]
fn work_goes_on_after_restarts_of_the_operator_and_of_the_server() {
    let mut stage = Stage::new();
    stage.blog("replicas: 1, pages: {index: one}").unwrap();
    stage.expect("site blog", ".status.phase", "Ready");
    stage.stop_operator();
    stage.blog("replicas: 2, pages: {index: two}").unwrap();
    stage.cluster.kubectl("delete deploy blog").ok();
    stage.start_operator();
    stage.expect("deploy blog", ".status.readyReplicas", "2");
    stage.expect("cm blog-pages", ".data.index", "two");

    // The operator keeps running, with its watches torn.
    stage.blog("replicas: 3, pages: {index: three}").unwrap();
    stage.cluster.kill();
    stage.cluster.boot();
    stage.expect("deploy blog", ".status.readyReplicas", "3");
    stage.blog("replicas: 1, pages: {index: four}").unwrap();
    stage.expect("cm blog-pages", ".data.index", "four");
    stage.expect("site blog", ".status.observedGeneration", "4");
}

#[test]
fn deleting_cleans_up_before_the_children_go() {
    let mut stage = Stage::new();
    stage.blog("replicas: 1").unwrap();
    stage.expect("site blog", ".status.phase", "Ready");
    stage.stop_operator();
    stage.cluster.kubectl("delete site blog --wait=false").ok();
    // Nobody is there to take the finalizer away.
    assert!(stage.cluster.kubectl("get site blog -o jsonpath={.metadata.deletionTimestamp}").ok().ends_with('Z'));
    stage.cluster.kubectl("get deploy/blog cm/blog-pages").ok();
    stage.start_operator();
    for object in ["site blog", "deploy blog", "cm blog-pages", "pods -l site=blog"] {
        stage.expect_none(object);
    }
    stage.expect("cm farewell-blog", ".data.domain", "blog.example");
    stage.cluster.kubectl("delete crd sites.demo.example.com --timeout=30s").ok();
    let gone = stage.cluster.kubectl("get --raw /apis/demo.example.com/v1").failed();
    assert_eq!(gone, "Error from server (NotFound): the server could not find the requested resource\n");
}
