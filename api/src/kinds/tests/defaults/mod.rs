//! What fields are when nobody sets them.

mod pods;
mod workloads;

use expect_test::expect;
use serde_json::json;

use super::*;

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
