//! What admission says: quotas, limits, Pod Security, webhooks and policies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect_file;
use serde_json::{Value, json};

use crate::harness::{Cluster, Transcript, Webhook};

/// At most two ConfigMaps (one is there from the start) and half a CPU; a container has between 10m and 200m of it.
const LIMITS: &str = "\
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: team}
spec: {hard: {configmaps: \"2\", requests.cpu: 500m, pods: \"2\"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: range, namespace: team}
spec:
  limits:
  - type: Container
    min: {cpu: 10m}
    max: {cpu: 200m, memory: 1Gi}
    default: {cpu: 100m}
    defaultRequest: {cpu: 50m}
    maxLimitRequestRatio: {cpu: \"4\"}
";

/// A pod in the team's namespace that never starts: its node is none.
fn pod(name: &str, more: &Value) -> String {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "team"},
        "spec": {"nodeSelector": {"none": "none"}, "containers": [{"name": "main", "image": "x:1"}]},
    });
    for (field, value) in more.as_object().unwrap() {
        match field.as_str() {
            "container" => {
                pod["spec"]["containers"][0].as_object_mut().unwrap().extend(value.as_object().unwrap().clone())
            }
            field => pod["spec"][field] = value.clone(),
        }
    }
    pod.to_string()
}

#[test]
fn quotas_and_limits_say_what_is_too_much() {
    let cluster = Cluster::start();
    cluster.kubectl("create namespace team").ok();
    cluster.kubectl("wait --for=create configmap/kube-root-ca.crt -n team --timeout=30s").ok();
    let cpu = |request: &str, limit: &str| json!({"container": {"resources": {"requests": {"cpu": request}, "limits": {"cpu": limit}}}});
    let mut transcript = Transcript::new(&cluster);
    transcript.kubectl_with_input("apply -f -", LIMITS);
    let counted = "wait --for=jsonpath={.status.used.configmaps}=1 resourcequota/quota -n team --timeout=30s";
    cluster.kubectl(counted).ok();
    transcript
        .kubectl("create configmap one --from-literal=a=1 -n team")
        .kubectl("create configmap two --from-literal=a=1 -n team")
        .kubectl_with_input("create -f -", &pod("large", &cpu("100m", "300m")))
        .kubectl_with_input("create -f -", &pod("small", &cpu("1m", "2m")))
        .kubectl_with_input("create -f -", &pod("steep", &cpu("20m", "200m")))
        .kubectl_with_input("create -f -", &pod("usual", &json!({})))
        .kubectl("get pod usual -n team -o jsonpath={.spec.containers[0].resources}{\"\\n\"}")
        .kubectl_with_input("create -f -", &pod("second", &cpu("200m", "200m")))
        .kubectl_with_input("create -f -", &pod("third", &cpu("10m", "10m")))
        .kubectl("describe quota quota -n team")
        // kubectl shows what it has in a map.
        .kubectl_in_any_order("describe limitrange range -n team");
    expect_file!["../golden/quota.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn pod_security_warns_and_refuses() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    let baseline = "pod-security.kubernetes.io/enforce=baseline";
    let good = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "container": {"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}},
    });
    let path = json!({"volumes": [{"name": "root", "hostPath": {"path": "/"}}], "hostNetwork": true});
    transcript
        .kubectl("create namespace team")
        .kubectl_with_input("create -f -", &pod("before", &path))
        .kubectl(&format!("label namespace team {baseline} pod-security.kubernetes.io/warn=restricted"))
        .kubectl_with_input("create -f -", &pod("plain", &json!({})))
        .kubectl_with_input("create -f -", &pod("open", &path))
        .kubectl_with_input(
            "create -f -",
            &pod("privileged", &json!({"container": {"securityContext": {"privileged": true}}})),
        )
        .kubectl_with_input("create -f -", &pod("good", &good))
        .kubectl("create deployment web --image=x:1 --replicas=0 -n team")
        .kubectl("label namespace team pod-security.kubernetes.io/enforce=restricted --overwrite --dry-run=server")
        .kubectl("label namespace team pod-security.kubernetes.io/enforce=strict --overwrite");
    expect_file!["../golden/pod_security.txt"].assert_eq(&transcript.normalised());
}

/// A webhook configuration for ConfigMaps that asks at `url`.
fn asking(kind: &str, name: &str, url: &str, certificate: &str) -> String {
    let webhook = json!({
        "name": format!("{name}.example.com"), "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": url, "caBundle": STANDARD.encode(certificate)},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team"}},
    });
    let api_version = "admissionregistration.k8s.io/v1";
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "webhooks": [webhook]}).to_string()
}

#[test]
fn webhooks_refuse_warn_and_fail() {
    let cluster = Cluster::start();
    cluster.kubectl("create namespace team").ok();
    let refusing = json!({
        "allowed": false, "warnings": ["config maps of this team are counted"],
        "status": {"code": 403, "message": "no more config maps here"},
    });
    let hook = Webhook::start(refusing);
    let mut transcript = Transcript::new(&cluster);
    let configuration = asking("ValidatingWebhookConfiguration", "refuse", &hook.url, &hook.certificate);
    transcript
        .kubectl_with_input("create -f -", &configuration)
        .kubectl("create configmap one --from-literal=a=1 -n team")
        .kubectl("create configmap one --from-literal=a=1 -n team --dry-run=server")
        .kubectl("create configmap one --from-literal=a=1")
        .kubectl("get validatingwebhookconfigurations")
        .kubectl("delete validatingwebhookconfiguration refuse");

    let patch = STANDARD.encode(json!([{"op": "add", "path": "/data/seen", "value": "yes"}]).to_string());
    let hook = Webhook::start(json!({"allowed": true, "patchType": "JSONPatch", "patch": patch}));
    let configuration = asking("MutatingWebhookConfiguration", "change", &hook.url, &hook.certificate);
    transcript
        .kubectl_with_input("create -f -", &configuration)
        .kubectl("create configmap two --from-literal=a=1 -n team")
        .kubectl("get configmap two -n team -o jsonpath={.data}{\"\\n\"}")
        .kubectl("delete mutatingwebhookconfiguration change");

    // Nobody is there: port 1 is nobody's.
    let nobody = asking("ValidatingWebhookConfiguration", "nobody", "https://127.0.0.1:1/", &hook.certificate);
    transcript.kubectl_with_input("create -f -", &nobody).kubectl("create configmap three --from-literal=a=1 -n team");
    expect_file!["../golden/webhooks.txt"].assert_eq(&transcript.normalised());
}

/// No more than three replicas, said in the message which number was asked for; warnings about a missing label.
const POLICIES: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: \"'at most 3 replicas, not ' + string(object.spec.replicas)\"
    reason: Invalid
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few}
spec: {policyName: few, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: owned}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  validations:
  - expression: \"'owner' in object.metadata.labels\"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: owned}
spec: {policyName: owned, validationActions: [Warn, Audit]}
";

#[test]
fn policies_refuse_and_warn() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl_with_input("apply -f -", POLICIES)
        .kubectl("create deployment web --image=x:1 --replicas=4")
        .kubectl("create deployment web --image=x:1 --replicas=0")
        .kubectl("scale deployment web --replicas=3")
        .kubectl("patch deployment web -p {\"spec\":{\"replicas\":5}}")
        .kubectl("get validatingadmissionpolicies,validatingadmissionpolicybindings");
    expect_file!["../golden/policies.txt"].assert_eq(&transcript.normalised());
}
