//! `kill -9` in the middle of work.

use std::time::Duration;

use crate::harness::{Cluster, eventually_within, get};

#[test]
fn a_rollout_completes_after_kill_9() {
    let mut cluster = Cluster::with_sample("hello");
    cluster.kubectl("scale deploy/hello --replicas=200").ok();
    cluster.kubectl("rollout status deploy/hello --timeout=120s").ok();
    for index in 0..20 {
        cluster.kubectl(&format!("create configmap kept-{index} --from-literal=value={index}")).ok();
    }
    let address = |cluster: &Cluster| cluster.kubectl("get svc hello -o jsonpath={.spec.clusterIP}").ok();
    let (before, url) = (address(&cluster), cluster.line("url"));
    cluster.kubectl("set env deploy/hello ROUND=2").ok();
    cluster.kill();
    // Without the sample's manifests, which would set the replicas back.
    cluster.options.deploy.clear();
    cluster.boot();
    for index in 0..20 {
        let value = cluster.kubectl(&format!("get cm kept-{index} -o jsonpath={{.data.value}}")).ok();
        assert_eq!(value, index.to_string());
    }
    assert_eq!(address(&cluster), before);
    eventually_within(Duration::from_secs(180), "200 replicas of the new template", || {
        let paths = "{.status.updatedReplicas}/{.status.readyReplicas}/{.status.replicas}";
        let status = cluster.kubectl(&format!("get deploy hello -o jsonpath={paths}")).ok();
        if status == "200/200/200" { Ok(()) } else { Err(status) }
    });
    get(&url).unwrap();
}
