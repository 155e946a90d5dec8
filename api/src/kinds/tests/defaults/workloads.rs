use expect_test::expect;
use serde_json::json;

use super::*;

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
