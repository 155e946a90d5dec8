//! Deployments that change, fail to change, and go; namespaces that cannot go.

use crate::harness::guests::{self, push};
use crate::harness::{Cluster, Finished, eventually};

/// A Deployment of the guest `name`, its strategy in JSON.
fn deployment(name: &str, replicas: u32, strategy: &str, round: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  \
         progressDeadlineSeconds: 600\n  strategy: {strategy}\n  selector: {{matchLabels: {{app: web}}}}\n  \
         template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      \
         containers: [{{name: main, image: '{}', env: [{{name: ROUND, value: '{round}'}}]}}]\n",
        guests::image(name)
    )
}

fn rollout(cluster: &Cluster) -> Finished {
    cluster.kubectl("rollout status deploy/web --timeout=60s")
}

/// Starts the first round, applies the second, and looks at the pods again and again until it is rolled out. A pod is
/// `ROUND ready` or, when it is being deleted, `ROUND ready DELETED-AT`.
fn observe(cluster: &Cluster, first: &str, second: &str, mut check: impl FnMut(&[Vec<&str>])) {
    cluster.apply(first);
    rollout(cluster).ok();
    cluster.apply(second);
    let pod = "{.spec.containers[0].env[0].value} {.status.containerStatuses[0].ready} {.metadata.deletionTimestamp}";
    let line = format!("get pods -l app=web -o 'jsonpath={{range .items[*]}}{pod}{{\"\\n\"}}{{end}}'");
    eventually("all pods are of the second round", || {
        let found = cluster.kubectl(&line).ok();
        let pods: Vec<Vec<&str>> = found.lines().map(|pod| pod.split_whitespace().collect()).collect();
        check(&pods);
        let new = pods.iter().filter(|pod| pod[..] == ["2", "true"]).count();
        if new == pods.len() && new == 4 { Ok(()) } else { Err(found.clone()) }
    });
    rollout(cluster).ok();
}

#[test]
fn recreate_never_mixes_old_and_new() {
    let cluster = Cluster::start();
    // It does not end when asked, so the old ones are there to be seen for a second.
    push(&cluster, "loop", guests::LOOP);
    let web = |round| deployment("loop", 4, "{type: Recreate}", round);
    let mut old_seen = false;
    observe(&cluster, &web(1), &web(2), |pods| {
        let old = pods.iter().filter(|pod| pod[0] == "1").count();
        old_seen |= old > 0;
        assert!(old == 0 || old == pods.len(), "old and new side by side: {pods:?}");
    });
    assert!(old_seen);
}

#[test]
fn a_rolling_update_keeps_within_its_bounds() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    let strategy = "{type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}";
    let web = |round| deployment("ticker", 4, strategy, round);
    observe(&cluster, &web(1), &web(2), |pods| {
        let staying: Vec<_> = pods.iter().filter(|pod| pod.len() < 3).collect();
        let ready = staying.iter().filter(|pod| pod.get(1) == Some(&"true")).count();
        assert!(ready >= 3, "more than one is unavailable: {pods:?}");
        assert!(staying.len() <= 4, "more than the replicas: {pods:?}");
    });
}

#[test]
fn a_rollout_that_gets_nowhere_says_so_and_leaves_the_old_pods() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    let good = deployment("ticker", 2, "{type: RollingUpdate}", 1);
    cluster.apply(&good);
    rollout(&cluster).ok();
    let bad = good.replace(&guests::image("ticker"), &guests::image("nothing"));
    cluster.apply(&bad.replace("progressDeadlineSeconds: 600", "progressDeadlineSeconds: 2"));
    let error = rollout(&cluster).failed();
    assert!(error.contains("error: deployment \"web\" exceeded its progress deadline"), "{error}");
    let conditions = "{range .status.conditions[*]}{.type}={.status}:{.reason} {end}";
    let found = cluster.kubectl(&format!("get deploy web -o 'jsonpath={conditions}'")).ok();
    assert!(found.contains("Progressing=False:ProgressDeadlineExceeded"), "{found}");
    assert!(found.contains("Available=True:MinimumReplicasAvailable"), "{found}");

    cluster.kubectl("rollout undo deploy/web").ok();
    rollout(&cluster).ok();
}

#[test]
fn orphaned_pods_keep_running() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&deployment("ticker", 2, "{type: RollingUpdate}", 1));
    rollout(&cluster).ok();
    let before = cluster.kubectl("get pods -o name").ok();
    cluster.kubectl("delete deploy web --cascade=orphan").ok();
    cluster.kubectl("delete rs -l app=web --cascade=orphan").ok();
    assert!(cluster.kubectl("get deploy,rs").stderr.contains("No resources found"));
    assert_eq!(cluster.kubectl("get pods -o name").ok(), before);
    let owners = cluster.kubectl("get pods -o 'jsonpath={.items[*].metadata.ownerReferences}'").ok();
    assert_eq!(owners.trim(), "");
    cluster.kubectl("wait --for=condition=Ready pods -l app=web --timeout=10s").ok();
}

#[test]
fn a_namespace_waits_for_what_holds_it() {
    let cluster = Cluster::start();
    cluster.kubectl("create namespace team").ok();
    cluster.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: team, finalizers: [example.com/hold]}\n",
    );
    cluster.kubectl("delete namespace team --wait=false").ok();
    let conditions = "{range .status.conditions[?(@.status==\"True\")]}{.type}: {.message};{end}";
    let line = format!("get namespace team -o 'jsonpath={{.status.phase}} {conditions}'");
    eventually("the conditions", || {
        let found = cluster.kubectl(&line).ok();
        let why = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances";
        let said = found.starts_with("Terminating") && found.contains(why);
        if said && found.contains("configmaps. has 1 resource instances") { Ok(()) } else { Err(found) }
    });
    let error = cluster.kubectl("-n team create configmap late").failed();
    assert!(error.contains("because it is being terminated"), "{error}");
    cluster.kubectl("-n team patch configmap held --type=merge -p {\"metadata\":{\"finalizers\":null}}").ok();
    cluster.kubectl("wait --for=delete namespace/team --timeout=60s").ok();
}
