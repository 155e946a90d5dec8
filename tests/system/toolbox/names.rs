//! What a pod is called, and which names it knows.

use super::{cluster, output, pod, ready};
use crate::harness::{Cluster, eventually};

/// Everything that says what the pod is called.
const NAMES: &str = "[sh, -c, 'hostname; cat /etc/hostname /etc/hosts']";

/// The beginning of every pod's `/etc/hosts`.
const HOSTS: &str = "# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
";

/// What a pod with `spec` says it is called, with `IP` in place of its address.
fn names(cluster: &Cluster, name: &str, spec: &str) -> String {
    let said = output(cluster, &pod(name, NAMES, "", spec), name);
    let ip = cluster.kubectl(&format!("get pod {name} -o jsonpath={{.status.podIP}}")).ok();
    said.replace(&format!("\n{ip}\t"), "\nIP\t")
}

/// `HOSTNAME`, `/etc/hostname` and `/etc/hosts` have the pod's own name, the one it is given, the full one if that is
/// wanted, or the one that overrides all others.
#[test]
fn a_pod_knows_what_it_is_called() {
    let cluster = cluster();
    let named = |called: &str, own: &str| format!("{called}\n{called}\n{HOSTS}{own}\n");
    assert_eq!(names(&cluster, "plain", ""), named("plain", "IP\tplain"));
    let full = "web-0.db.default.svc.cluster.local";
    let spec = "hostname: web-0\nsubdomain: db";
    assert_eq!(names(&cluster, "named", spec), named("web-0", &format!("IP\t{full}\tweb-0")));
    let spec = format!("{spec}\nsetHostnameAsFQDN: true");
    assert_eq!(names(&cluster, "full", &spec), named(full, &format!("IP\t{full}\tweb-0")));
    assert_eq!(names(&cluster, "alone", "setHostnameAsFQDN: true"), named("alone", "IP\talone"));
    let spec = "hostname: web-0\nsubdomain: db\nhostnameOverride: other.example.org";
    assert_eq!(names(&cluster, "other", spec), named("other.example.org", "IP\tother.example.org"));

    let spec = format!("hostname: {}\nsubdomain: db\nsetHostnameAsFQDN: true", "w".repeat(40));
    cluster.apply(&pod("long", NAMES, "", &spec));
    eventually("the name is too long", || {
        let events = cluster.kubectl("get events --field-selector reason=FailedCreatePodSandBox").ok();
        let name = format!("{}.db.default.svc.cluster.local", "w".repeat(40));
        let why = format!("FQDN {name} is too long (64 characters is the max, 69 characters requested)");
        let told = format!(
            "Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, {why}"
        );
        if events.contains(&told) { Ok(()) } else { Err(events) }
    });
}

/// A pod of a headless Service's subdomain has a name that others find, and knows it itself, like its aliases.
#[test]
fn a_pod_is_found_by_its_name_in_a_headless_service() {
    let cluster = cluster();
    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: { name: db }\nspec: { clusterIP: None, selector: { app: box }, ports: \
         [{ port: 80 }] }\n",
    );
    let spec = "hostname: web-0\nsubdomain: db\nhostAliases: [{ ip: 192.0.2.7, hostnames: [foo, bar.example] }]";
    cluster.apply(&pod("box", "[sleep, '1000']", "", spec));
    cluster.apply(&pod("asks", "[sleep, '1000']", "", ""));
    ready(&cluster, "box");
    ready(&cluster, "asks");
    let ip = cluster.kubectl("get pod box -o jsonpath={.status.podIP}").ok();
    let full = "web-0.db.default.svc.cluster.local";
    eventually("another pod finds it", || {
        let found = cluster.kubectl(&format!("exec asks -- resolve {full} web-0.db")).result()?;
        if found == format!("{ip}\n{ip}\n") { Ok(()) } else { Err(found) }
    });
    let own = cluster.kubectl(&format!("exec box -- resolve {full} web-0 foo bar.example")).ok();
    assert_eq!(own, format!("{ip}\n{ip}\n192.0.2.7\n192.0.2.7\n"));
    cluster.kubectl("exec asks -- resolve foo").failed();
    let hosts = cluster.kubectl("exec box -- cat /etc/hosts").ok();
    let aliases = "\n# Entries added by HostAliases.\n192.0.2.7\tfoo\tbar.example\n";
    assert_eq!(hosts, format!("{HOSTS}{ip}\t{full}\tweb-0\n{aliases}"));
}

/// `/etc/resolv.conf` is what `dnsConfig` says where the policy is `None`, and otherwise begins with the cluster's
/// searches; what is added to the options takes the place of what they were.
#[test]
fn resolvers_are_those_of_the_pods_policy() {
    let cluster = cluster();
    let config = "dnsConfig:
  nameservers: [192.0.2.9]
  searches: [a.example, b.example]
  options: [{ name: ndots, value: '2' }, { name: edns0 }]";
    let read = |name: &str, policy: &str| {
        let spec = format!("dnsPolicy: {policy}\n{config}");
        output(&cluster, &pod(name, "[cat, /etc/resolv.conf]", "", &spec), name)
    };
    let none = "search a.example b.example\nnameserver 192.0.2.9\noptions ndots:2 edns0\n";
    assert_eq!(read("none", "None"), none);
    let first = read("first", "ClusterFirst");
    let lines: Vec<&str> = first.lines().collect();
    let (search, options) = (lines.first().copied().unwrap_or_default(), lines.last().copied().unwrap_or_default());
    assert!(search.starts_with("search default.svc.cluster.local svc.cluster.local cluster.local"), "{first}");
    assert!(search.ends_with(" a.example b.example") && options == "options ndots:2 edns0", "{first}");
}
