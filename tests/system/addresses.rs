//! Addresses of pods and Services, as seen from the host and from a network namespace of root's own.

use std::collections::BTreeSet;
use std::process::Command;

use crate::harness::{Cluster, coracle, eventually, get, run, sample, skip};

#[test]
fn every_pod_answers_at_its_own_address_and_services_balance() {
    let cluster = Cluster::with_sample("hello");
    let pods =
        cluster.kubectl("get pods -o jsonpath={range@.items[*]}{.metadata.name}={.status.podIP}{\"\\n\"}{end}").ok();
    let mut seen = BTreeSet::new();
    for line in pods.lines() {
        let (name, address) = line.split_once('=').unwrap();
        assert!(seen.insert(address.to_string()), "{address} was given twice");
        assert!(get(&format!("http://{address}:8080/")).unwrap().contains(name));
    }
    assert_eq!(seen.len(), 2);
    let service = cluster.kubectl("get svc hello -o jsonpath={.spec.clusterIP}").ok();
    for url in [format!("http://{service}:80/"), cluster.line("url")] {
        let mut answers = BTreeSet::new();
        eventually("both pods answer", || {
            answers.extend(get(&url));
            if answers.len() == 2 { Ok(()) } else { Err(format!("{answers:?}")) }
        });
    }
}

#[test]
fn only_ready_endpoints_get_connections() {
    let cluster = Cluster::with_sample("hello");
    let url = cluster.line("url");
    cluster.kubectl("scale deploy/hello --replicas=0").ok();
    eventually("nobody answers", || match get(&url) {
        Err(_) => Ok(()),
        Ok(answer) => Err(answer),
    });
    cluster.kubectl("scale deploy/hello --replicas=1").ok();
    eventually("one answers again", || get(&url));
}

#[test]
fn the_kubernetes_service_leads_to_the_api_server() {
    let cluster = Cluster::start();
    let address = cluster.kubectl("get svc kubernetes -o jsonpath={.spec.clusterIP}").ok();
    eventually("the API server answers at its Service", || {
        run(Command::new("curl").args(["-sk", &format!("https://{address}:443/readyz")]))
            .result()
            .and_then(|text| if text == "ok" { Ok(()) } else { Err(text) })
    });
}

/// As root the default is a routed network. It gets a network namespace of its own, so that the host's routes stay
/// as they are.
#[test]
fn root_gets_a_routed_network() {
    let probe = Command::new("unshare").args(["--net", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip("network namespaces need root and unshare(1)");
    }
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; ip link set lo up; {} up {} --data-dir {} --port 0 --registry-port 0 > {out} & \
         for i in $(seq 600); do grep -q '^export' {out} 2>/dev/null && break; sleep 0.1; done; \
         curl -sf $(sed -n 's/^url: //p' {out}); ip route show table local; kill -INT %1; wait %1; ip route show table local",
        coracle().get_program().to_string_lossy(),
        sample("hello").display(),
        directory.path().join("data").display(),
        out = directory.path().join("out").display(),
    );
    let out = run(Command::new("unshare").args(["--net", "bash", "-m", "-c", &script])).ok();
    assert!(out.starts_with("Hello from hello-"), "{out}");
    let routes = out.lines().filter(|line| line.starts_with("local 10.")).count();
    assert_eq!(routes, 2, "one route for pods and one for Services, and none when it has stopped:\n{out}");
}
