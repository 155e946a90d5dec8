use expect_test::expect;
use serde_json::json;

use super::*;

#[test]
fn a_minimal_pod() {
    let pod = defaulted("pods", pod(json!({ "containers": [{ "name": "a", "image": "x" }] })));
    expect![[r#"
        {
          "containers": [
            {
              "image": "x",
              "imagePullPolicy": "Always",
              "name": "a",
              "resources": {},
              "terminationMessagePath": "/dev/termination-log",
              "terminationMessagePolicy": "File"
            }
          ],
          "dnsPolicy": "ClusterFirst",
          "enableServiceLinks": true,
          "restartPolicy": "Always",
          "schedulerName": "default-scheduler",
          "securityContext": {},
          "terminationGracePeriodSeconds": 30
        }"#]]
    .assert_eq(&pretty(&pod["spec"]));
}

#[test]
fn a_pod_with_everything_that_is_defaulted() {
    let pod = defaulted(
        "pods",
        pod(json!({
            "serviceAccount": "builder",
            "hostNetwork": true,
            "overhead": { "cpu": "0.0001" },
            "containers": [{
                "name": "a",
                "image": "localhost:5000/x:v1@sha256:abc",
                "ports": [{ "containerPort": 80 }],
                "env": [
                    { "name": "N", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                    { "name": "M", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory" } } },
                ],
                "resources": { "limits": { "cpu": "1000m", "memory": "1024Mi" }, "requests": { "cpu": 0.5 } },
                "livenessProbe": { "httpGet": { "port": 80 } },
                "readinessProbe": { "grpc": { "port": 80 }, "periodSeconds": 3 },
                "lifecycle": { "preStop": { "httpGet": { "port": 80 } } },
            }],
            "volumes": [
                { "name": "e" },
                { "name": "c", "configMap": { "name": "c" } },
                { "name": "h", "hostPath": { "path": "/x" } },
                { "name": "d", "downwardAPI": { "items": [{ "path": "l", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
                { "name": "p", "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } }] } },
                { "name": "s", "emptyDir": { "sizeLimit": "2048Mi" } },
            ],
        })),
    );
    expect![[r#"
        {
          "containers": [
            {
              "env": [
                {
                  "name": "N",
                  "valueFrom": {
                    "fieldRef": {
                      "apiVersion": "v1",
                      "fieldPath": "metadata.name"
                    }
                  }
                },
                {
                  "name": "M",
                  "valueFrom": {
                    "resourceFieldRef": {
                      "divisor": "0",
                      "resource": "limits.memory"
                    }
                  }
                }
              ],
              "image": "localhost:5000/x:v1@sha256:abc",
              "imagePullPolicy": "IfNotPresent",
              "lifecycle": {
                "preStop": {
                  "httpGet": {
                    "path": "/",
                    "port": 80,
                    "scheme": "HTTP"
                  }
                }
              },
              "livenessProbe": {
                "failureThreshold": 3,
                "httpGet": {
                  "path": "/",
                  "port": 80,
                  "scheme": "HTTP"
                },
                "periodSeconds": 10,
                "successThreshold": 1,
                "timeoutSeconds": 1
              },
              "name": "a",
              "ports": [
                {
                  "containerPort": 80,
                  "hostPort": 80,
                  "protocol": "TCP"
                }
              ],
              "readinessProbe": {
                "failureThreshold": 3,
                "grpc": {
                  "port": 80,
                  "service": ""
                },
                "periodSeconds": 3,
                "successThreshold": 1,
                "timeoutSeconds": 1
              },
              "resources": {
                "limits": {
                  "cpu": "1",
                  "memory": "1Gi"
                },
                "requests": {
                  "cpu": "500m",
                  "memory": "1Gi"
                }
              },
              "terminationMessagePath": "/dev/termination-log",
              "terminationMessagePolicy": "File"
            }
          ],
          "dnsPolicy": "ClusterFirst",
          "enableServiceLinks": true,
          "hostNetwork": true,
          "overhead": {
            "cpu": "1m"
          },
          "restartPolicy": "Always",
          "schedulerName": "default-scheduler",
          "securityContext": {},
          "serviceAccount": "builder",
          "serviceAccountName": "builder",
          "terminationGracePeriodSeconds": 30,
          "volumes": [
            {
              "emptyDir": {},
              "name": "e"
            },
            {
              "configMap": {
                "defaultMode": 420,
                "name": "c"
              },
              "name": "c"
            },
            {
              "hostPath": {
                "path": "/x",
                "type": ""
              },
              "name": "h"
            },
            {
              "downwardAPI": {
                "defaultMode": 420,
                "items": [
                  {
                    "fieldRef": {
                      "apiVersion": "v1",
                      "fieldPath": "metadata.labels"
                    },
                    "path": "l"
                  }
                ]
              },
              "name": "d"
            },
            {
              "name": "p",
              "projected": {
                "defaultMode": 420,
                "sources": [
                  {
                    "serviceAccountToken": {
                      "expirationSeconds": 3600,
                      "path": "t"
                    }
                  }
                ]
              }
            },
            {
              "emptyDir": {
                "sizeLimit": "2Gi"
              },
              "name": "s"
            }
          ]
        }"#]]
    .assert_eq(&pretty(&pod["spec"]));
}

#[test]
fn pod_level_requests() {
    let spec = json!({
        "containers": [{ "name": "a", "image": "x", "resources": { "requests": { "cpu": "250m" } } }],
        "resources": { "limits": { "cpu": "1", "memory": "1Gi" } },
    });
    let pod = defaulted("pods", pod(spec));
    assert_eq!(pod["spec"]["resources"]["requests"], json!({ "cpu": "250m", "memory": "1Gi" }));
}

#[test]
fn the_pull_policy_follows_the_tag() {
    for (image, policy) in [
        ("x", "Always"),
        ("x:latest", "Always"),
        ("reg:5000/x", "Always"),
        ("reg:5000/x:v1", "IfNotPresent"),
        ("x@sha256:00", "IfNotPresent"),
        ("x:latest@sha256:00", "Always"),
    ] {
        let pod = defaulted("pods", pod(json!({ "containers": [{ "name": "a", "image": image }] })));
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
    }
}
