//! Lists as long as a request can have: no rule may compare each element with each. The old ways of these would be
//! minutes.

use serde_json::json;

use super::*;

const MANY: usize = 30_000;

fn many(one: impl FnMut(usize) -> Value) -> Value {
    (0..MANY).map(one).collect()
}

fn backwards(list: &Value) -> Value {
    list.as_array().unwrap().iter().rev().cloned().collect()
}

fn found(plural: &str, object: &Value) -> usize {
    (row(plural).rules.validate)(object).len()
}

fn found_in_update(plural: &str, new: &Value, old: &Value) -> usize {
    (row(plural).rules.validate_update)(new, old).len()
}

fn found_in_status(plural: &str, new: &Value, old: &Value) -> usize {
    (row(plural).rules.validate_status)(new, old).len()
}

#[test]
fn gates_and_tolerations_of_an_update() {
    let gates = many(|i| json!({ "name": format!("example.com/g{i}") }));
    let tolerations = many(|i| json!({ "key": format!("t{i}"), "operator": "Exists" }));
    let with = |gates: &Value, tolerations: &Value| {
        pod(json!({ "containers": [container()], "schedulingGates": gates, "tolerations": tolerations }))
    };
    let (new, old) = (with(&backwards(&gates), &backwards(&tolerations)), with(&gates, &tolerations));
    assert_eq!(found_in_update("pods", &new, &old), 0);
    let other = many(|i| json!({ "name": format!("example.com/h{i}") }));
    assert_eq!(found_in_update("pods", &with(&other, &tolerations), &old), MANY);
}

#[test]
fn mounts_and_devices() {
    let mut web = container();
    web["volumeMounts"] = many(|i| json!({ "name": format!("m{i}"), "mountPath": format!("/m{i}") }));
    web["volumeDevices"] = many(|i| json!({ "name": format!("d{i}"), "devicePath": format!("/d{i}") }));
    // No volume is there for any of them.
    assert!(found("pods", &pod(json!({ "containers": [web] }))) >= 2 * MANY);
}

#[test]
fn places_of_pods() {
    let keys = |prefix: &str| many(|i| json!(format!("{prefix}{i}")));
    let term = json!({
        "topologyKey": "zone", "labelSelector": {}, "matchLabelKeys": keys("a"), "mismatchLabelKeys": keys("b"),
    });
    let affinity = json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
    let constraints =
        many(|i| json!({ "maxSkew": 1, "topologyKey": format!("k{i}"), "whenUnsatisfiable": "DoNotSchedule" }));
    let spec = json!({ "containers": [container()], "affinity": affinity, "topologySpreadConstraints": constraints });
    let plain = found("pods", &pod(json!({ "containers": [container()] })));
    assert_eq!(found("pods", &pod(spec)), plain);
}

#[test]
fn a_constraint_that_comes_again_later_is_a_duplicate() {
    let one = |key: &str| json!({ "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule" });
    let constraints = json!([one("a"), one("b"), one("a"), one("a")]);
    let lines = errors("pods", pod(json!({ "containers": [container()], "topologySpreadConstraints": constraints })));
    let at =
        |index: usize| lines.contains(&format!("Constraints[{index}].{{topologyKey, whenUnsatisfiable}}: Duplicate"));
    assert_eq!([0, 1, 2, 3].map(at), [true, false, true, false], "{lines}");
}

#[test]
fn variables_from_files_of_volumes() {
    let source = |i: usize| json!({ "fileKeyRef": { "key": "k", "path": "f", "volumeName": format!("v{i}") } });
    let mut web = container();
    web["env"] = many(|i| json!({ "name": format!("A{i}"), "valueFrom": source(i) }));
    let volumes = many(|i| json!({ "name": format!("v{i}"), "emptyDir": {} }));
    let plain = found("pods", &pod(json!({ "containers": [container()] })));
    assert_eq!(found("pods", &pod(json!({ "containers": [web], "volumes": volumes }))), plain);
}

#[test]
fn claims_of_containers() {
    let mut web = container();
    // Each claim of another name, for which all names that there are would be listed.
    web["resources"] = json!({ "claims": many(|i| json!({ "name": format!("x{i}") })) });
    let claims = many(|i| json!({ "name": format!("c{i}"), "resourceClaimName": "c" }));
    let unknown = found("pods", &pod(json!({ "containers": [web], "resourceClaims": claims })));
    assert!((MANY..MANY + 100).contains(&unknown), "{unknown}");
    // Each claim as a whole after parts of another.
    let mut list: Vec<Value> = (0..MANY).map(|i| json!({ "name": "c", "request": format!("r{i}") })).collect();
    list.extend((0..MANY).map(|i| json!({ "name": format!("c{i}") })));
    let mut web = container();
    web["resources"] = json!({ "claims": list });
    let claims = many(|i| json!({ "name": format!("c{i}"), "resourceClaimName": "c" }));
    found("pods", &pod(json!({ "containers": [web], "resourceClaims": claims })));
}

#[test]
fn profiles_by_annotation() {
    let key = |i: usize| format!("container.apparmor.security.beta.kubernetes.io/c{i}");
    let containers = many(|i| json!({ "name": format!("c{i}"), "image": "x" }));
    let mut object = pod(json!({ "containers": containers }));
    object["metadata"]["annotations"] = (0..MANY).rev().map(|i| (key(i), json!("unconfined"))).collect();
    (row("pods").rules.prepare_create)(&mut object);
    let last = &object["spec"]["containers"][MANY - 1];
    assert_eq!(last["securityContext"]["appArmorProfile"]["type"], "Unconfined");
    found("pods", &object);
}

#[test]
fn statuses_of_pods() {
    let ended = |i: usize| json!({ "name": format!("c{i}"), "state": { "terminated": { "exitCode": 0 } } });
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": many(|i| json!({ "name": format!("c{i}"), "restartPolicy": "Always" })),
        "containers": many(|i| json!({ "name": format!("c{i}") })),
        "resourceClaims": many(|i| json!({ "name": format!("r{i}") })),
        "readinessGates": many(|i| json!({ "conditionType": format!("t{i}") })),
    });
    let conditions = many(|i| json!({ "type": format!("t{i}"), "status": "True", "observedGeneration": 7 }));
    let statuses = many(ended);
    let (mut new, mut old) = (pod(spec.clone()), pod(spec));
    old["status"] = json!({
        "conditions": conditions, "containerStatuses": statuses, "initContainerStatuses": statuses,
    });
    new["status"] = json!({
        "conditions": backwards(&many(|i| json!({ "type": format!("t{i}"), "status": "True" }))),
        "containerStatuses": backwards(&many(|i| json!({ "name": format!("c{i}"), "state": { "running": {} } }))),
        "initContainerStatuses": backwards(&statuses),
        "resourceClaimStatuses": backwards(&many(|i| json!({ "name": format!("r{i}") }))),
    });
    (row("pods").rules.prepare_status)(&mut new, &old);
    assert_eq!(new["status"]["conditions"][0]["observedGeneration"], 7);
    assert_eq!(found_in_status("pods", &new, &old), MANY, "each container runs again, which none may");
    let cells = (row("pods").rules.cells)(&new, NOW).cells;
    assert_eq!(cells.last(), Some(&json!(format!("{MANY}/{MANY}"))));
}

#[test]
fn old_conditions_of_a_type_count_once_each() {
    let one = |generation: i64| json!({ "type": "A", "status": "True", "observedGeneration": generation });
    let (mut new, mut old) = (pod(json!({})), pod(json!({})));
    old["status"] = json!({ "conditions": [one(1), one(2)] });
    new["status"] = json!({ "conditions": [one(0), one(0), one(0)] });
    (row("pods").rules.prepare_status)(&mut new, &old);
    let generation = |index: usize| new["status"]["conditions"][index]["observedGeneration"].as_i64();
    assert_eq!([0, 1, 2].map(generation), [Some(1), Some(2), Some(0)]);
}

#[test]
fn ephemeral_containers_that_stay() {
    let list = many(|i| json!({ "name": format!("e{i}"), "image": "x" }));
    let with = |list: Value| pod(json!({ "containers": [container()], "ephemeralContainers": list }));
    let (new, old) = (with(backwards(&list)), with(list));
    let refused = crate::kinds::pod::validate_ephemeral_update(&new, &old);
    assert!(!refused.iter().any(|error| error.body.contains("may not be removed")));
}

#[test]
fn ports_in_each_others_way() {
    let with = |ports: Value| {
        let mut web = container();
        web["ports"] = ports;
        (row("pods").rules.warnings)(&pod(json!({ "containers": [web] })))
    };
    let apart = many(|i| json!({ "containerPort": 80, "hostPort": i + 1 }));
    assert!(with(apart).is_empty());
    let at_addresses =
        many(|i| json!({ "containerPort": 80, "hostPort": 80, "hostIP": format!("10.{}.{}.1", i / 250, i % 250) }));
    assert!(with(at_addresses).is_empty());
    // Each in the way of all before it: 10^9 warnings.
    assert_eq!(with(many(|_| json!({ "containerPort": 80 }))).len(), 1_035);
}

#[test]
fn ports_are_in_the_way_of_those_like_them() {
    let port = |host: i64, address: &str| json!({ "containerPort": 80, "hostPort": host, "hostIP": address });
    let mut web = container();
    web["ports"] =
        json!([port(1, "10.0.0.1"), port(1, "10.0.0.2"), port(0, ""), port(1, "10.0.0.2"), port(1, ""), port(2, "")]);
    let found = (row("pods").rules.warnings)(&pod(json!({ "containers": [web] })));
    let clash = |at: usize, what: &str, other: usize| {
        format!("spec.containers[0].ports[{at}]: {what} port definition with spec.containers[0].ports[{other}]")
    };
    let wanted = [
        clash(2, "overlapping", 0),
        clash(2, "overlapping", 1),
        clash(3, "duplicate", 1),
        clash(3, "overlapping", 2),
        clash(4, "dangerously ambiguous", 0),
        clash(4, "dangerously ambiguous", 1),
        clash(4, "overlapping", 2),
        clash(4, "dangerously ambiguous", 3),
        clash(5, "overlapping", 2),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn rules_about_exit_codes() {
    let on = |i: usize| json!({ "containerName": format!("c{i}"), "operator": "In", "values": [1] });
    let rules = many(|i| json!({ "action": "Ignore", "onExitCodes": on(MANY - 1 - i) }));
    let containers = many(|i| json!({ "name": format!("c{i}") }));
    let job = json!({ "metadata": { "name": "j" }, "spec": {
        "podFailurePolicy": { "rules": rules }, "template": { "spec": { "containers": containers } },
    } });
    found("jobs", &job);
}

#[test]
fn volumes_of_stateful_sets() {
    let mut set = workload("StatefulSet", json!({}));
    set["spec"]["volumeClaimTemplates"] = backwards(&many(|i| json!({ "metadata": { "name": format!("v{i}") } })));
    set["spec"]["template"]["spec"]["volumes"] = many(|i| json!({ "name": format!("v{i}"), "emptyDir": {} }));
    found("statefulsets", &set);
}

#[test]
fn families_and_ports_of_services() {
    let service = |spec: Value| json!({ "metadata": { "name": "s" }, "spec": spec });
    let families = many(|i| json!(format!("f{i}")));
    assert!(found("services", &service(json!({ "type": "ClusterIP", "ipFamilies": families }))) >= MANY);
    let ports = |given: bool| {
        many(|i| json!({ "name": format!("p{i}"), "port": 80, "nodePort": if given { i + 1 } else { 0 } }))
    };
    let old = service(json!({ "type": "NodePort", "clusterIP": "10.0.0.1", "ports": ports(true) }));
    let mut new = service(json!({ "type": "NodePort", "ports": backwards(&ports(false)) }));
    (row("services").rules.prepare_update)(&mut new, &old);
    assert_eq!(new["spec"]["ports"][0]["nodePort"], MANY);
    let mut new = service(json!({ "type": "ClusterIP", "ports": backwards(&ports(true)) }));
    (row("services").rules.prepare_update)(&mut new, &old);
    assert_eq!(new["spec"]["ports"][0].get("nodePort"), None);
}

#[test]
fn drivers_and_addresses_of_nodes() {
    let drivers = many(|i| json!({ "name": format!("d{i}"), "nodeID": "n" }));
    let node = |drivers: Value| json!({ "metadata": { "name": "n" }, "spec": { "drivers": drivers } });
    assert_eq!(found_in_update("csinodes", &node(backwards(&drivers)), &node(drivers)), 0);
    let keys = many(|i| json!(format!("k{i}")));
    assert_eq!(found("csinodes", &node(json!([{ "name": "d", "nodeID": "n", "topologyKeys": keys }]))), 0);
    let addresses = many(|i| json!({ "type": "InternalIP", "address": format!("a{i}") }));
    let node = json!({ "metadata": { "name": "n" }, "status": { "addresses": addresses } });
    assert_eq!(found_in_update("nodes", &node, &node), 0);
    let twice = json!({ "status": { "addresses": [{ "address": "a" }, { "address": "b" }, { "address": "a" }] } });
    assert_eq!(found_in_update("nodes", &twice, &twice), 1);
}

#[test]
fn topologies_of_classes() {
    let term = |i: usize| json!({ "matchLabelExpressions": [{ "key": "zone", "values": [format!("z{i}")] }] });
    let mut terms: Vec<Value> = (0..MANY).map(term).collect();
    terms.push(json!({ "matchLabelExpressions": [{ "key": "zone", "values": many(|i| json!(format!("z{i}"))) }] }));
    let class = json!({
        "metadata": { "name": "c" }, "provisioner": "p", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
        "allowedTopologies": terms,
    });
    assert_eq!(found("storageclasses", &class), 0);
}

#[test]
fn scopes_of_quotas() {
    // Scopes times resources are errors, and each of them shows all scopes.
    let hard: Value = (0..MANY).map(|i| (format!("count/k{i}.example.com"), json!("1"))).collect();
    let scopes = many(|_| json!("BestEffort"));
    let selector = json!({ "matchExpressions": many(|_| json!({ "scopeName": "Terminating", "operator": "Exists" })) });
    let quota = json!({ "metadata": { "name": "q" }, "spec": {
        "hard": hard.clone(), "scopes": scopes, "scopeSelector": selector,
    } });
    found("resourcequotas", &quota);
    let mut native = quota;
    native["spec"]["hard"] = json!({ "services": "1", "secrets": "1", "configmaps": "1" });
    let count = found("resourcequotas", &native);
    assert!((2..=20_000).contains(&count), "{count}");
}

#[test]
fn requests_of_devices() {
    let named = |prefix: &str| many(|i| json!({ "name": format!("{prefix}{i}") }));
    let constraint = json!({ "requests": backwards(&many(|i| json!(format!("r{i}/s")))), "matchAttribute": "a/b" });
    let claim = json!({ "metadata": { "name": "c" }, "spec": {
        "devices": { "requests": named("r"), "constraints": [constraint] },
    } });
    found("resourceclaims", &claim);
}

#[test]
fn actions_of_policy_bindings() {
    let actions = many(|i| json!(format!("a{i}")));
    let binding = json!({ "metadata": { "name": "b" }, "spec": { "policyName": "p", "validationActions": actions } });
    assert_eq!(found("validatingadmissionpolicybindings", &binding), MANY);
}

#[test]
fn versions_of_definitions() {
    let names = many(|i| json!(format!("v{i}")));
    let webhook = json!({ "strategy": "Webhook", "webhook": { "conversionReviewVersions": names } });
    let definition = |spec: Value, stored: Value| json!({ "metadata": { "name": "d" }, "spec": spec, "status": { "storedVersions": stored } });
    let versions = many(|i| json!({ "name": format!("v{i}") }));
    found(
        "customresourcedefinitions",
        &definition(json!({ "versions": versions, "conversion": webhook }), backwards(&names)),
    );
    // Each key is none of the properties, and each error shows all keys.
    let keyed = json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": names,
        "items": { "type": "object", "required": backwards(&names), "properties": {} },
    });
    let schema = json!({ "openAPIV3Schema": { "type": "object", "properties": { "spec": keyed } } });
    let spec = json!({ "versions": [{ "name": "v1", "storage": true, "served": true, "schema": schema }] });
    found("customresourcedefinitions", &definition(spec, json!(["v1"])));
}
