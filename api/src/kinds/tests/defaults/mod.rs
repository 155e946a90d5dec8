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

#[test]
fn a_deployment() {
    let deployment = defaulted("deployments", workload("Deployment", json!({})));
    expect![[r#"
        {
          "progressDeadlineSeconds": 600,
          "replicas": 1,
          "revisionHistoryLimit": 10,
          "selector": {
            "matchLabels": {
              "app": "web"
            }
          },
          "strategy": {
            "rollingUpdate": {
              "maxSurge": "25%",
              "maxUnavailable": "25%"
            },
            "type": "RollingUpdate"
          },
          "template": {
            "metadata": {
              "labels": {
                "app": "web"
              }
            },
            "spec": {
              "containers": [
                {
                  "image": "registry.local/web:v1",
                  "imagePullPolicy": "IfNotPresent",
                  "name": "web",
                  "resources": {},
                  "terminationMessagePath": "/dev/termination-log",
                  "terminationMessagePolicy": "File"
                }
              ],
              "dnsPolicy": "ClusterFirst",
              "restartPolicy": "Always",
              "schedulerName": "default-scheduler",
              "securityContext": {},
              "terminationGracePeriodSeconds": 30
            }
          }
        }"#]]
    .assert_eq(&pretty(&deployment["spec"]));
}

#[test]
fn a_recreated_deployment_has_no_rolling_update() {
    let deployment = defaulted("deployments", workload("Deployment", json!({ "strategy": { "type": "Recreate" } })));
    assert_eq!(deployment["spec"]["strategy"], json!({ "type": "Recreate" }));
}

#[test]
fn a_job() {
    let mut job = workload("Job", json!({ "selector": null, "template": { "spec": { "restartPolicy": "Never" } } }));
    job["spec"]["template"]["metadata"] = json!({ "labels": { "app": "web" } });
    let mut job = defaulted("jobs", job);
    (row("jobs").rules.prepare_create)(&mut job);
    job["spec"]["template"]["spec"] = json!({});
    expect![[r#"
        {
          "kind": "Job",
          "metadata": {
            "generation": 3,
            "labels": {
              "app": "web",
              "batch.kubernetes.io/controller-uid": "u1",
              "batch.kubernetes.io/job-name": "w",
              "controller-uid": "u1",
              "job-name": "w"
            },
            "name": "w",
            "namespace": "default",
            "uid": "u1"
          },
          "spec": {
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "completions": 1,
            "manualSelector": false,
            "parallelism": 1,
            "podReplacementPolicy": "TerminatingOrFailed",
            "selector": {
              "matchLabels": {
                "batch.kubernetes.io/controller-uid": "u1"
              }
            },
            "suspend": false,
            "template": {
              "metadata": {
                "labels": {
                  "app": "web",
                  "batch.kubernetes.io/controller-uid": "u1",
                  "batch.kubernetes.io/job-name": "w",
                  "controller-uid": "u1",
                  "job-name": "w"
                }
              },
              "spec": {}
            }
          },
          "status": {}
        }"#]]
    .assert_eq(&pretty(&job));
}

#[test]
fn completions_of_jobs() {
    for (spec, completions, parallelism) in [
        (json!({}), json!(1), json!(1)),
        (json!({ "parallelism": 3 }), json!(null), json!(3)),
        (json!({ "completions": 5 }), json!(5), json!(1)),
    ] {
        let job = defaulted("jobs", json!({ "metadata": { "name": "j" }, "spec": spec }));
        let found = (job["spec"].get("completions").cloned().unwrap_or_default(), job["spec"]["parallelism"].clone());
        assert_eq!(found, (completions, parallelism), "{spec}");
    }
}

#[test]
fn services() {
    let service =
        json!({ "metadata": { "name": "s" }, "spec": { "selector": { "a": "b" }, "ports": [{ "port": 80 }] } });
    let mut service = defaulted("services", service);
    (row("services").rules.prepare_create)(&mut service);
    expect![[r#"
        {
          "metadata": {
            "name": "s"
          },
          "spec": {
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": [
              "IPv4"
            ],
            "ipFamilyPolicy": "SingleStack",
            "ports": [
              {
                "port": 80,
                "protocol": "TCP",
                "targetPort": 80
              }
            ],
            "selector": {
              "a": "b"
            },
            "sessionAffinity": "None",
            "type": "ClusterIP"
          },
          "status": {
            "loadBalancer": {}
          }
        }"#]]
    .assert_eq(&pretty(&service));

    let mut headless = defaulted("services", json!({ "spec": { "clusterIP": "None" } }));
    (row("services").rules.prepare_create)(&mut headless);
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(headless["spec"]["ipFamilyPolicy"], "RequireDualStack");

    let public = json!({ "spec": { "type": "LoadBalancer", "sessionAffinity": "ClientIP", "ports": [{ "port": 1, "targetPort": "http" }] } });
    expect![[r#"
        {
          "allocateLoadBalancerNodePorts": true,
          "externalTrafficPolicy": "Cluster",
          "internalTrafficPolicy": "Cluster",
          "ports": [
            {
              "port": 1,
              "protocol": "TCP",
              "targetPort": "http"
            }
          ],
          "sessionAffinity": "ClientIP",
          "sessionAffinityConfig": {
            "clientIP": {
              "timeoutSeconds": 10800
            }
          },
          "type": "LoadBalancer"
        }"#]]
    .assert_eq(&pretty(&defaulted("services", public)["spec"]));
}

#[test]
fn small_kinds() {
    let namespace = {
        let mut namespace = defaulted("namespaces", json!({ "metadata": { "name": "n" } }));
        (row("namespaces").rules.prepare_create)(&mut namespace);
        namespace
    };
    let secret = json!({ "data": { "a": "eA==" }, "stringData": { "b": "y", "a": "z" } });
    let slice = json!({ "endpoints": [{ "addresses": ["10.0.0.1"] }], "ports": [{ "port": 80 }] });
    let node =
        json!({ "metadata": { "name": "n" }, "status": { "capacity": { "cpu": "4000m", "memory": "2097152Ki" } } });
    let all = json!([
        namespace,
        defaulted("secrets", secret),
        defaulted("endpointslices", slice),
        defaulted("endpoints", json!({ "subsets": [{ "ports": [{ "port": 80 }] }] })),
        defaulted("nodes", node),
        defaulted("replicasets", json!({ "spec": {} })),
    ]);
    expect![[r#"
        [
          {
            "metadata": {
              "labels": {
                "kubernetes.io/metadata.name": "n"
              },
              "name": "n"
            },
            "spec": {
              "finalizers": [
                "kubernetes"
              ]
            },
            "status": {
              "phase": "Active"
            }
          },
          {
            "data": {
              "a": "eg==",
              "b": "eQ=="
            },
            "type": "Opaque"
          },
          {
            "endpoints": [
              {
                "addresses": [
                  "10.0.0.1"
                ],
                "conditions": {}
              }
            ],
            "ports": [
              {
                "name": "",
                "port": 80,
                "protocol": "TCP"
              }
            ]
          },
          {
            "subsets": [
              {
                "ports": [
                  {
                    "port": 80,
                    "protocol": "TCP"
                  }
                ]
              }
            ]
          },
          {
            "metadata": {
              "name": "n"
            },
            "spec": {},
            "status": {
              "allocatable": {
                "cpu": "4",
                "memory": "2Gi"
              },
              "capacity": {
                "cpu": "4",
                "memory": "2Gi"
              }
            }
          },
          {
            "spec": {
              "replicas": 1,
              "template": {
                "spec": {
                  "dnsPolicy": "ClusterFirst",
                  "restartPolicy": "Always",
                  "schedulerName": "default-scheduler",
                  "securityContext": {},
                  "terminationGracePeriodSeconds": 30
                }
              }
            },
            "status": {}
          }
        ]"#]]
    .assert_eq(&pretty(&all));
}
