//! Services as people write them: without a selector, with endpoints of their own, with a memory for clients.

use std::collections::HashSet;

use crate::harness::{Cluster, eventually, get};

/// The address of the first pod of the sample.
fn pod_address(cluster: &Cluster) -> String {
    cluster.kubectl("get pods -l app=hello -o jsonpath={.items[0].status.podIP}").ok()
}

fn without_selector(cluster: &Cluster, name: &str) -> String {
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 8000, targetPort: 8080}}]}}\n"
    ));
    let address = cluster.kubectl(&format!("get svc {name} -o jsonpath={{.spec.clusterIP}}")).ok();
    format!("http://{address}:8000")
}

fn answers(url: &str) {
    eventually("an answer", || get(url).map_err(|error| error.to_string()));
}

fn expect(cluster: &Cluster, query: &str, wanted: &str) {
    eventually(query, || {
        let found = cluster.kubectl(query).result()?;
        if found == wanted { Ok(()) } else { Err(format!("{found:?} is not {wanted:?}")) }
    });
}

#[test]
fn endpoints_written_by_hand_are_mirrored_and_answer() {
    let cluster = Cluster::with_sample("hello");
    let (pod, url) = (pod_address(&cluster), without_selector(&cluster, "mine"));
    let endpoints = |metadata: &str, address: &str| {
        let manifest = format!(
            "apiVersion: v1\nkind: Endpoints\nmetadata: {{name: mine{metadata}}}\n\
             subsets: [{{addresses: [{{ip: {address}}}], ports: [{{port: 8080}}]}}]\n"
        );
        cluster.kubectl_with_input("apply -f -", &manifest).ok();
    };
    let slices = "get endpointslices -l kubernetes.io/service-name=mine -o jsonpath=";
    let addresses = format!("{slices}{{.items[*].endpoints[*].addresses}}");
    endpoints("", "127.0.0.9");
    expect(&cluster, &addresses, "[\"127.0.0.9\"]");
    let manager = format!("{slices}{{.items[*].metadata.labels.endpointslice\\.kubernetes\\.io/managed-by}}");
    expect(&cluster, &manager, "endpointslicemirroring-controller.k8s.io");
    endpoints(", labels: {team: a}", &pod);
    expect(&cluster, &addresses, &format!("[\"{pod}\"]"));
    expect(&cluster, &format!("{slices}{{.items[*].metadata.labels.team}}"), "a");
    answers(&url);
    endpoints(", labels: {endpointslice.kubernetes.io/skip-mirror: 'true'}", &pod);
    expect(&cluster, &addresses, "");
    endpoints("", &pod);
    expect(&cluster, &addresses, &format!("[\"{pod}\"]"));
    cluster.kubectl("delete ep mine").ok();
    expect(&cluster, &addresses, "");
}

#[test]
fn a_slice_written_by_hand_answers_and_stays() {
    let cluster = Cluster::with_sample("hello");
    let (pod, url) = (pod_address(&cluster), without_selector(&cluster, "mine"));
    cluster.apply(&format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: by-hand, labels: {{kubernetes.io/service-name: mine}}}}\naddressType: IPv4\n\
         ports: [{{name: '', port: 8080}}]\nendpoints: [{{addresses: [{pod}]}}]\n"
    ));
    answers(&url);
    // Whoever mirrors or manages slices has looked at this Service when another one's are there.
    cluster.kubectl("create service clusterip other --tcp=8000:8080").ok();
    let others = "get endpointslices -l kubernetes.io/service-name=other -o name";
    eventually("the other's slice", || {
        let found = cluster.kubectl(others).ok();
        if found.is_empty() { Err("none") } else { Ok(()) }.map_err(str::to_owned)
    });
    assert_eq!(cluster.kubectl("get endpointslice by-hand -o jsonpath={.endpoints[0].addresses[0]}").ok(), pod);
}

#[test]
fn a_client_keeps_its_pod_with_session_affinity() {
    let cluster = Cluster::with_sample("hello");
    let service = |name: &str, affinity: &str| {
        cluster.apply(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: hello}}, \
             sessionAffinity: {affinity}, ports: [{{port: 8000, targetPort: 8080}}]}}\n"
        ));
        let address = cluster.kubectl(&format!("get svc {name} -o jsonpath={{.spec.clusterIP}}")).ok();
        let url = format!("http://{address}:8000");
        answers(&url);
        url
    };
    let who = |url: &str, times: usize| -> HashSet<String> { (0..times).map(|_| get(url).unwrap()).collect() };
    let (sticky, free) = (service("sticky", "ClientIP"), service("free", "None"));
    eventually("both pods behind the free service", || {
        if who(&free, 20).len() == 2 { Ok(()) } else { Err("one only".to_owned()) }
    });
    let first = who(&sticky, 20);
    assert_eq!(first.len(), 1, "{first:?}");
    let pod = first.iter().next().unwrap().split([' ', ',']).nth(2).unwrap().to_owned();
    cluster.kubectl(&format!("delete pod {pod}")).ok();
    eventually("another pod", || {
        let now = get(&sticky)?;
        if now.contains(&pod) { Err(now) } else { Ok(()) }
    });
}
