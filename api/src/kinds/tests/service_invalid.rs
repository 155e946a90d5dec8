//! What is wrong with Services, nodes, namespaces and events.

use expect_test::expect;

use super::*;

fn service(spec: Value) -> Value {
    let mut object = defaulted("services", json!({ "metadata": { "name": "s" }, "spec": spec }));
    (row("services").rules.prepare_create)(&mut object);
    object
}

fn complaints(spec: Value) -> String {
    lines(&(row("services").rules.validate)(&service(spec)))
}

fn ports() -> Value {
    json!([{ "port": 80 }])
}

#[test]
fn addresses_and_families() {
    let cases = [
        json!({ "ports": ports(), "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"] }),
        json!({ "ports": ports(), "clusterIPs": ["10.0.0.2"] }),
        json!({ "ports": ports(), "clusterIP": "None", "clusterIPs": ["None", "10.0.0.1"], "selector": { "a": "b" } }),
        json!({ "ports": ports(), "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "10.0.0.2"], "ipFamilyPolicy": "PreferDualStack" }),
        json!({ "ports": ports(), "clusterIP": "fd00::1", "clusterIPs": ["fd00::1"], "ipFamilies": ["IPv4"] }),
        json!({ "ports": ports(), "clusterIP": "010.0.0.1" }),
        json!({ "ports": ports(), "ipFamilyPolicy": "RequireDualStack" }),
        json!({ "ports": ports(), "ipFamilies": ["IPv4", "IPv4"] }),
        json!({ "ports": ports(), "externalIPs": ["0.0.0.0", "169.254.1.1", "224.0.0.1", "x"] }),
        json!({ "type": "ExternalName", "clusterIP": "10.0.0.1", "externalName": "a.b." }),
    ];
    expect![[r#"
        spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`
        spec.clusterIPs: Invalid value: ["10.0.0.2"]: must be empty when `clusterIP` is not specified
        spec.clusterIPs: Invalid value: ["None","10.0.0.1"]: 'None' must be the first and only value
        spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family
        spec.clusterIPs[0]: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`
        spec.clusterIPs[0]: Invalid value: "010.0.0.1": must not have leading 0s
        spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services
        spec.ipFamilies[1]: Duplicate value: "IPv4"
        spec.ipFamilyPolicy: Invalid value: "SingleStack": must be RequireDualStack or PreferDualStack when multiple ipFamilies are specified
        spec.externalIPs[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)
        spec.externalIPs[1]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)
        spec.externalIPs[2]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)
        spec.externalIPs[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.clusterIPs: Forbidden: may not be set for ExternalName services
    "#]].assert_eq(&cases.map(complaints).concat());
}

#[test]
fn balancers_and_policies() {
    let cases = [
        json!({ "ports": [{ "port": 10250 }], "type": "LoadBalancer", "loadBalancerClass": "a b", "loadBalancerSourceRanges": [" 10.0.0.0/8 ", "10.0.0.1/8"] }),
        json!({ "ports": ports(), "loadBalancerSourceRanges": ["10.0.0.0/8"], "loadBalancerClass": "a/b", "allocateLoadBalancerNodePorts": true }),
        json!({ "ports": ports(), "externalTrafficPolicy": "Local", "healthCheckNodePort": 30000 }),
        json!({ "ports": ports(), "internalTrafficPolicy": "Near", "trafficDistribution": "Far" }),
        json!({ "ports": ports(), "sessionAffinity": "ClientIP", "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 0 } } }),
    ];
    expect![[r#"
        spec.ports[0].port: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet
        spec.LoadBalancerSourceRanges[1]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length
        spec.loadBalancerClass: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'
        spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'
        spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'
        spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services
        spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'
        spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"
        spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"
        spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400
    "#]].assert_eq(&cases.map(complaints).concat());
}

#[test]
fn what_a_service_keeps() {
    let old =
        service(json!({ "ports": ports(), "type": "LoadBalancer", "clusterIP": "10.0.0.1", "loadBalancerClass": "a/b",
                "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001 }));
    let changes = [
        ("/spec/clusterIPs", json!(["10.0.0.2"])),
        ("/spec/clusterIPs", json!([])),
        ("/spec/clusterIPs", json!(["10.0.0.1", "fd00::1"])),
        ("/spec/ipFamilies", json!(["IPv6"])),
        ("/spec/loadBalancerClass", json!("a/c")),
        ("/spec/healthCheckNodePort", json!(30002)),
    ];
    let mut all = String::new();
    for (path, value) in changes {
        let mut new = old.clone();
        *new.pointer_mut(path).unwrap() = value;
        all += &lines(&(row("services").rules.validate_update)(&new, &old));
    }
    expect![[r#"
        spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set
        spec.clusterIPs[0]: Invalid value: []: primary clusterIP can not be unset
        spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set
        spec.loadBalancerClass: Invalid value: "a/c": may not change once set
        spec.healthCheckNodePort: Forbidden: field is immutable
    "#]]
    .assert_eq(&all);
}

#[test]
fn statuses() {
    let mut balanced = service(json!({ "ports": ports(), "type": "LoadBalancer" }));
    balanced["status"] = json!({ "loadBalancer": { "ingress": [
        { "ip": "1.2.3.4" }, { "ip": "x", "ipMode": "Slow" }, { "hostname": "1.2.3.4", "ipMode": "VIP" }, { "hostname": "a_b", "ports": [{ "port": 0, "protocol": "X" }] }
    ] } });
    let mut plain = service(json!({ "ports": ports() }));
    plain["status"] = balanced["status"].clone();
    let namespace = json!({ "metadata": { "name": "n" }, "status": { "phase": "Terminating" }, "spec": { "finalizers": ["kubernetes", "mine", "a/b/c"] } });
    let node = json!({ "spec": { "podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"] }, "status": { "capacity": { "cpu": "-1", "gpu": "1", "a.b/c": "1500m" } } });
    let rules = |plural: &str| row(plural).rules;
    let all = [
        (rules("services").validate_status)(&balanced, &balanced),
        (rules("services").validate_status)(&plain, &plain),
        (rules("namespaces").validate_status)(&namespace, &namespace),
        (rules("namespaces").validate)(&namespace),
        (rules("nodes").validate)(&node),
    ];
    expect![[r#"
        status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set
        status.loadBalancer.ingress[1].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        status.loadBalancer.ingress[1].ipMode: Unsupported value: "Slow": supported values: "Proxy", "VIP"
        status.loadBalancer.ingress[2].ipMode: Forbidden: may not be specified when `ip` is not set
        status.loadBalancer.ingress[2].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address
        status.loadBalancer.ingress[3].hostname: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        status.loadBalancer.ingress[3].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
        status.loadBalancer.ingress[3].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"
        status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"
        status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty
        spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified
        spec.finalizers: Invalid value: "a/b/c": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')
        status.capacity.a.b/c: Invalid value: "1500m": must be an integer
        status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0
        status.capacity.gpu: Invalid value: "gpu": must be a standard resource type or fully qualified
        spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family
    "#]].assert_eq(&all.map(|errors| lines(&errors)).concat());
}

#[test]
fn events_of_both_groups() {
    let core = json!({ "metadata": { "namespace": "a" }, "involvedObject": { "namespace": "b" } });
    let dated =
        json!({ "metadata": { "namespace": "a" }, "involvedObject": {}, "eventTime": "2026-01-01T00:00:00.000000Z" });
    assert!(lines(&(row("events").rules.validate)(&core)).contains("does not match event.namespace"));
    expect![[r#"
        involvedObject.namespace: Invalid value: "": does not match event.namespace
        reportingComponent: Required value
        reportingComponent: Invalid value: "": name part must be non-empty
        reportingComponent: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        reportingInstance: Required value
        action: Required value
        reason: Required value
    "#]].assert_eq(&lines(&(row("events").rules.validate)(&dated)));
}

#[test]
fn odd_services() {
    let odd = service(
        json!({ "ports": ports(), "clusterIP": "None", "selector": { "a": "b" }, "loadBalancerIP": "01.2.3.4",
        "externalIPs": ["fd00:0::1"], "sessionAffinity": "ClientIP", "externalName": "x", "trafficDistribution": "PreferClose" }),
    );
    expect![[r#"
        spec.loadBalancerIP is ignored for headless services
        spec.externalIPs is ignored for headless services
        spec.SessionAffinity is ignored for headless services
        spec.externalIPs[0]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")
        spec.loadBalancerIP: non-standard IP address "01.2.3.4" will be considered invalid in a future Kubernetes release: use "1.2.3.4"
        spec.externalName is ignored when spec.type is not "ExternalName"
        spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone""#]].assert_eq(&(row("services").rules.warnings)(&odd).join("\n"));
}
