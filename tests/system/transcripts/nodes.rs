//! `cordon`, `drain`, `uncordon`, `taint`.

use expect_test::expect_file;

use crate::harness::{Cluster, Transcript, guests};

#[test]
fn drain_evicts_what_it_may_and_says_what_it_may_not() {
    let cluster = Cluster::start();
    guests::push(&cluster, "ticker", guests::TICKER);
    let image = guests::image("ticker");
    cluster.apply(&guests::pod("ticker", "Always", ""));
    for name in ["guarded", "free"] {
        let template = format!(
            "    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      \
             containers: [{{name: main, image: '{image}'}}]\n"
        );
        cluster.apply(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  \
             selector: {{matchLabels: {{app: {name}}}}}\n  template:\n{template}"
        ));
        cluster.kubectl(&format!("rollout status deploy/{name} --timeout=60s")).ok();
    }
    // Nothing counts healthy pods yet, so the test says how many there are.
    cluster.kubectl("create pdb guard --selector=app=guarded --min-available=1").ok();
    let counted = |allowed: u8| {
        let status = format!("\"observedGeneration\":1,\"currentHealthy\":1,\"disruptionsAllowed\":{allowed}");
        let patch = format!("patch pdb guard --subresource=status --type=merge -p {{\"status\":{{{status}}}}}");
        cluster.kubectl(&patch).ok();
    };
    counted(0);
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("cordon node")
        .kubectl("cordon node")
        .kubectl("get nodes")
        .kubectl("drain node --dry-run=server")
        .kubectl("drain node")
        // Neither the lone pod is evicted nor anything else.
        .kubectl("get pods --no-headers -o custom-columns=STATUS:.status.phase")
        .kubectl("drain node --pod-selector=app=free --timeout=60s")
        .kubectl("drain node --force --pod-selector=!app --timeout=60s")
        .kubectl("get pods -l app=guarded --no-headers -o custom-columns=STATUS:.status.phase");
    expect_file!["../golden/drain.txt"].assert_eq(&transcript.normalised());

    // The budget holds for as long as drain tries.
    let refused = cluster.kubectl("drain node --pod-selector=app=guarded --timeout=2s");
    assert_ne!(refused.code, 0);
    let why = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    counted(1);
    cluster.kubectl("drain node --pod-selector=app=guarded --timeout=60s").ok();

    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("uncordon node")
        .kubectl("uncordon node")
        .kubectl("taint node node key=value:NoSchedule")
        .kubectl("taint node node key=value:NoSchedule")
        .kubectl("taint node node key=other:NoSchedule --overwrite")
        .kubectl("get node node -o jsonpath={.spec.taints}")
        .kubectl("taint node node key-")
        .kubectl("taint node node key=value:Sometimes")
        .kubectl("label node node disk=fast")
        .kubectl("label node node disk=slow")
        .kubectl("label node node disk-")
        .kubectl("drain nobody");
    expect_file!["../golden/nodes.txt"].assert_eq(&transcript.normalised());
}
