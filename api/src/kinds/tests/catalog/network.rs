use expect_test::expect;

use super::*;

pub(super) fn ingress() -> Value {
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    json!({ "metadata": { "name": "i" }, "spec": { "ingressClassName": "nginx", "tls": [{ "hosts": ["a.example.com"] }], "rules": [
        { "host": "a.example.com", "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] } }] } })
}

#[test]
fn ingresses() {
    expect![[r#"
        {"metadata":{"generation":1,"name":"i"},"spec":{"ingressClassName":"nginx","rules":[{"host":"a.example.com","http":{"paths":[{"backend":{"service":{"name":"web","port":{"number":80}}},"path":"/","pathType":"Prefix"}]}}],"tls":[{"hosts":["a.example.com"]}]},"status":{"loadBalancer":{}}}
        Class="nginx" Hosts="a.example.com" Address="" Ports="80, 443" Age="5m3s"
    "#]].assert_eq(&story("ingresses", ingress()));
    let bad = json!({ "metadata": { "name": "x", "annotations": { "kubernetes.io/ingress.class": "a" } }, "spec": { "ingressClassName": "A_b",
        "defaultBackend": {}, "tls": [{ "hosts": ["*bad"] }], "rules": [
        { "host": "10.0.0.1", "http": { "paths": [
            { "path": "a", "pathType": "Exact", "backend": { "service": { "name": "", "port": {} } } },
            { "path": "/a//b/..", "pathType": "Prefix", "backend": { "service": { "name": "w", "port": { "name": "http", "number": 1 } } } },
            { "pathType": "Regex", "backend": { "resource": {} } }, { "backend": { "service": { "name": "w", "port": { "number": 70000 } } } },
        ] } }, { "http": { "paths": [] } }] } });
    expect![[r#"
        spec.defaultBackend: Invalid value: "": resource or service backend is required
        spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address
        spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path
        spec.rules[0].http.paths[0].backend.service.name: Required value
        spec.rules[0].http.paths[0].backend.service: Required value: port name or number is required
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/..": must not contain '//'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/..": cannot end with '/..'
        spec.rules[0].http.paths[1].backend.service: Invalid value: "": cannot set both port name & port number
        spec.rules[0].http.paths[2].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"
        spec.rules[0].http.paths[2].backend.resource.kind: Required value
        spec.rules[0].http.paths[2].backend.resource.name: Required value
        spec.rules[0].http.paths[3].pathType: Required value: pathType must be specified
        spec.rules[0].http.paths[3].backend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive
        spec.rules[1].http.paths: Required value
        spec.tls[0].hosts[0]: Invalid value: "*bad": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.ingressClassName: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        metadata.annotations.kubernetes.io/ingress.class: Invalid value: "a": can not be set when the class field is also set
    "#]].assert_eq(&complaints("ingresses", bad));
    assert_eq!(
        complaints("ingresses", json!({ "spec": {} })),
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified\n"
    );
}

#[test]
fn ingress_classes() {
    let class = json!({ "metadata": { "name": "nginx" }, "spec": { "controller": "example.com/nginx", "parameters": { "apiGroup": "k.example.com", "kind": "Config", "name": "c" } } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"nginx"},"spec":{"controller":"example.com/nginx","parameters":{"apiGroup":"k.example.com","kind":"Config","name":"c","scope":"Cluster"}}}
        Controller="example.com/nginx" Parameters="Config.k.example.com/c" Age="5m3s"
    "#]].assert_eq(&story("ingressclasses", class.clone()));
    let bad =
        json!({ "spec": { "controller": "nginx", "parameters": { "kind": "", "name": "a", "scope": "Namespace" } } });
    expect![[r#"
        spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")
        spec.parameters.kind: Required value
        spec.parameters.namespace: Required value: parameters.scope is set to 'Namespace'
    "#]]
    .assert_eq(&complaints("ingressclasses", bad));
    expect![[r#"
        spec.controller: Invalid value: "b.c/d": field is immutable
    "#]]
    .assert_eq(&refused("ingressclasses", class, json!({ "spec": { "controller": "b.c/d" } })));
}

#[test]
fn network_policies() {
    let policy = json!({ "metadata": { "name": "p" }, "spec": { "podSelector": { "matchLabels": { "app": "web" } }, "egress": [{ "ports": [{ "port": 53 }] }] } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"p"},"spec":{"egress":[{"ports":[{"port":53,"protocol":"TCP"}]}],"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Ingress","Egress"]}}
        Pod-Selector="app=web" Age="5m3s"
    "#]].assert_eq(&story("networkpolicies", policy));
    let bad = json!({ "spec": { "policyTypes": ["Ingress", "Egress", "Both"], "ingress": [{
        "ports": [{ "port": 70000 }, { "port": "Bad_", "endPort": 3 }, { "endPort": 3 }, { "port": 10, "endPort": 5 }, { "protocol": "ICMP" }],
        "from": [{}, { "ipBlock": { "cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "x"] }, "podSelector": {} }, { "ipBlock": { "cidr": "no" } }] }] } });
    expect![[r#"
        spec.ingress[0].ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive
        spec.ingress[0].ports[1].endPort: Invalid value: 3: may not be specified when `port` is non-numeric
        spec.ingress[0].ports[1].port: Invalid value: "Bad_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        spec.ingress[0].ports[2].endPort: Invalid value: 3: may not be specified when `port` is not specified
        spec.ingress[0].ports[3].endPort: Invalid value: 5: must be greater than or equal to `port`
        spec.ingress[0].ports[4].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"
        spec.ingress[0].from[0]: Required value: must specify a peer
        spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`
        spec.ingress[0].from[1].ipBlock.except[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
        spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer
        spec.ingress[0].from[2].ipBlock.cidr: Invalid value: "no": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
        spec.policyTypes: Invalid value: ["Ingress","Egress","Both"]: may not specify more than two policyTypes
    "#]].assert_eq(&complaints("networkpolicies", bad));
}

#[test]
fn addresses() {
    let address = json!({ "metadata": { "name": "10.0.0.1" }, "spec": { "parentRef": { "resource": "services", "namespace": "default", "name": "kubernetes" } } });
    expect![[r#"
        {"metadata":{"name":"10.0.0.1"},"spec":{"parentRef":{"name":"kubernetes","namespace":"default","resource":"services"}}}
        ParentRef="services/default/kubernetes"
    "#]].assert_eq(&story("ipaddresses", address.clone()));
    expect![[r#"
        spec.parentRef.resource: Required value
        spec.parentRef.name: Invalid value: "a/b": may not contain '/'
    "#]]
    .assert_eq(&complaints("ipaddresses", json!({ "spec": { "parentRef": { "name": "a/b" } } })));
    expect![[r#"
        spec.parentRef: Invalid value: {"name":"other","namespace":"default","resource":"services"}: field is immutable
    "#]]
    .assert_eq(&refused("ipaddresses", address, json!({ "spec": { "parentRef": { "name": "other" } } })));
    let names = row("ipaddresses").rules.name_errors;
    assert_eq!(names("10.0.0.1", false), Vec::<String>::new());
    assert_eq!(names("2001:DB8::1", false), ["must be in canonical form (\"2001:db8::1\")"]);
    let range = json!({ "metadata": { "name": "r" }, "spec": { "cidrs": ["10.96.0.0/12"] } });
    expect![[r#"
        {"metadata":{"name":"r"},"spec":{"cidrs":["10.96.0.0/12"]},"status":{}}
        CIDRs="10.96.0.0/12" Age="5m3s"
    "#]]
    .assert_eq(&story("servicecidrs", range.clone()));
    expect![[r#"
        spec.cidrs: Invalid value: ["10.0.0.1/8","x","10.0.0.0/8"]: may only hold up to 2 values
        spec.cidrs[0]: Invalid value: "10.0.0.1/8": must be in canonical form ("10.0.0.0/8")
        spec.cidrs[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
    "#]]
    .assert_eq(&complaints("servicecidrs", json!({ "spec": { "cidrs": ["10.0.0.1/8", "x", "10.0.0.0/8"] } })));
    expect![[r#"
        spec.cidrs: Required value: at least one CIDR required
    "#]]
    .assert_eq(&complaints("servicecidrs", json!({ "spec": {} })));
    expect![[r#"
        spec.cidrs: Invalid value: ["10.0.0.0/8"]: field is immutable
    "#]]
    .assert_eq(&refused("servicecidrs", range, json!({ "spec": { "cidrs": ["10.0.0.0/8"] } })));
}
