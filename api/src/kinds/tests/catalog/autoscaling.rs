use expect_test::expect;

use super::*;

pub(super) fn autoscaler() -> Value {
    json!({ "metadata": { "name": "web" }, "spec": { "maxReplicas": 5,
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" } } })
}

#[test]
fn autoscalers() {
    expect![[r#"
        {"metadata":{"name":"web"},"spec":{"maxReplicas":5,"metrics":[{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}],"minReplicas":1,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}},"status":{"currentMetrics":null,"desiredReplicas":0}}
        Reference="Deployment/web" Targets="cpu: <unknown>/80%" MinPods="1" MaxPods=5 Replicas=0 Age="5m3s"
    "#]].assert_eq(&story("horizontalpodautoscalers", autoscaler()));
    let bad = json!({ "spec": { "minReplicas": 0, "maxReplicas": -1, "scaleTargetRef": { "kind": "a/b" }, "metrics": [
        { "type": "Pods", "pods": { "metric": {}, "target": { "type": "Value" } } },
        { "type": "Resource", "pods": { "metric": { "name": "m" }, "target": { "type": "AverageValue", "averageValue": "-1" } } },
        { "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 0, "averageValue": "1" } } },
    ], "behavior": { "scaleUp": { "stabilizationWindowSeconds": 4000, "selectPolicy": "Any", "policies": [{ "type": "Pods", "value": 0, "periodSeconds": 4000 }] } } } });
    expect![[r#"
        spec.minReplicas: Invalid value: 0: must be greater than or equal to 1
        spec.maxReplicas: Invalid value: -1: must be greater than 0
        spec.maxReplicas: Invalid value: -1: must be greater than or equal to `minReplicas`
        spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain '/'
        spec.scaleTargetRef.name: Required value
        spec.metrics[0].pods.metric.name: Required value: must specify a metric name
        spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue
        spec.metrics[1].pods.target.averageValue: Invalid value: "-1": must be positive
        spec.metrics[1].resource: Required value: must populate information for the given metric source
        spec.metrics[2].resource.target.averageUtilization: Invalid value: 0: must be greater than 0
        spec.metrics[2].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization
        spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600
        spec.behavior.scaleUp.selectPolicy: Unsupported value: "Any": supported values: "Disabled", "Max", "Min"
        spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero
        spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 4000: must be less than or equal to 1800
        spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group
    "#]].assert_eq(&complaints("horizontalpodautoscalers", bad));
}

#[test]
fn autoscalers_convert_both_ways() {
    let catalog = Catalog::builtin();
    let v1 = catalog.find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
    let mut stored = autoscaler();
    stored["spec"]["metrics"] = json!([
        { "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 70 } } },
        { "type": "Pods", "pods": { "metric": { "name": "rps" }, "target": { "type": "AverageValue", "averageValue": "10" } } },
    ]);
    stored["spec"]["behavior"] = json!({ "scaleDown": { "selectPolicy": "Min" } });
    let mut stored = defaulted("horizontalpodautoscalers", stored);
    stored["status"] = json!({ "currentReplicas": 2, "desiredReplicas": 3, "currentMetrics": [
        { "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": 35, "averageValue": "70m" } } }],
        "conditions": [{ "type": "AbleToScale", "status": "True" }] });
    let old = (v1.rules.from_storage.unwrap())(stored.clone());
    expect![[r#"
        {
          "apiVersion": "autoscaling/v1",
          "metadata": {
            "annotations": {
              "autoscaling.alpha.kubernetes.io/behavior": "{\"scaleDown\":{\"policies\":[{\"periodSeconds\":15,\"type\":\"Percent\",\"value\":100}],\"selectPolicy\":\"Min\"},\"scaleUp\":{\"policies\":[{\"periodSeconds\":15,\"type\":\"Pods\",\"value\":4},{\"periodSeconds\":15,\"type\":\"Percent\",\"value\":100}],\"selectPolicy\":\"Max\",\"stabilizationWindowSeconds\":0}}",
              "autoscaling.alpha.kubernetes.io/conditions": "[{\"status\":\"True\",\"type\":\"AbleToScale\"}]",
              "autoscaling.alpha.kubernetes.io/current-metrics": "[{\"resource\":{\"currentAverageUtilization\":35,\"currentAverageValue\":\"70m\",\"name\":\"cpu\"},\"type\":\"Resource\"}]",
              "autoscaling.alpha.kubernetes.io/metrics": "[{\"pods\":{\"metricName\":\"rps\",\"targetAverageValue\":\"10\"},\"type\":\"Pods\"}]"
            },
            "name": "web"
          },
          "spec": {
            "maxReplicas": 5,
            "minReplicas": 1,
            "scaleTargetRef": {
              "apiVersion": "apps/v1",
              "kind": "Deployment",
              "name": "web"
            },
            "targetCPUUtilizationPercentage": 70
          },
          "status": {
            "currentCPUUtilizationPercentage": 35,
            "currentReplicas": 2,
            "desiredReplicas": 3
          }
        }"#]].assert_eq(&pretty(&old));
    let mut back = (v1.rules.to_storage.unwrap())(old);
    let metrics = back["spec"]["metrics"].as_array_mut().unwrap();
    metrics.reverse();
    let mut expected = stored;
    expected["apiVersion"] = json!("autoscaling/v2");
    assert_eq!(back, expected);
    expect![[r#"
        Reference: "Deployment/web"
        Targets: "cpu: 35%/70%, <unknown>/10"
        MinPods: "1"
        MaxPods: 5
        Replicas: 2
        Age: "<unknown>"
    "#]]
    .assert_eq(&table("horizontalpodautoscalers", &back));
}
