//! What the API says about itself: `explain`, `api-resources`, `get --raw`.

use expect_test::expect_file;

use super::with_sites;
use crate::harness::{Cluster, Transcript};

#[test]
fn explain_knows_built_in_and_custom_fields() {
    let cluster = with_sites();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("explain pods.spec.containers.livenessProbe.httpGet")
        .kubectl("explain cronjob.spec.concurrencyPolicy")
        .kubectl("explain hpa.spec.metrics.resource.target --api-version=autoscaling/v2")
        .kubectl("explain service.spec.ports.targetPort")
        .kubectl("explain pdb.spec --recursive")
        .kubectl("explain role --recursive")
        .kubectl("explain site")
        .kubectl("explain site.spec")
        .kubectl("explain site.spec.replicas")
        .kubectl("explain site.status.phase")
        .kubectl("explain site.status --recursive")
        .kubectl("explain site.spec.nonsense")
        .kubectl("explain nonsense");
    expect_file!["../golden/explain.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn api_resources_list_every_kind_and_new_ones_at_once() {
    let cluster = with_sites();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("api-resources -o wide")
        .kubectl("api-resources --api-group=demo.example.com -o wide")
        .kubectl("api-resources --categories=all -o name")
        .kubectl("api-resources --namespaced=false --verbs=deletecollection -o name");
    let versions = cluster.kubectl("api-versions").ok();
    assert!(versions.lines().any(|version| version == "demo.example.com/v1"), "{versions}");
    cluster.kubectl("delete crd sites.demo.example.com").ok();
    transcript.kubectl("api-resources --api-group=demo.example.com -o wide");
    let versions = cluster.kubectl("api-versions").ok();
    assert!(!versions.contains("demo.example.com"), "{versions}");
    expect_file!["../golden/api_resources.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn raw_paths_answer() {
    let cluster = Cluster::start();
    cluster.kubectl("create cm a --from-literal=x=1").ok();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("get --raw /api")
        .kubectl("get --raw /apis/apps")
        .kubectl("get --raw /apis/batch/v1")
        .kubectl("get --raw /api/v1/namespaces/default/configmaps?fieldSelector=metadata.name=a")
        .kubectl("get --raw /api/v1/namespaces/default/configmaps/none")
        .kubectl("get --raw /apis/no.example.com/v1/things")
        .kubectl("get --raw '/livez?verbose'")
        .kubectl("delete --raw /api/v1/namespaces/default/configmaps/a")
        .kubectl_with_input(
            "create --raw /api/v1/namespaces/default/configmaps -f -",
            "{\"metadata\":{\"name\":\"b\"}}",
        );
    expect_file!["../golden/raw.txt"].assert_eq(&transcript.normalised());
    let groups: serde_json::Value = serde_json::from_str(&cluster.kubectl("get --raw /apis").ok()).unwrap();
    assert_eq!(groups["kind"], "APIGroupList");
    assert!(groups["groups"].as_array().unwrap().iter().any(|group| group["name"] == "apps"), "{groups}");
    let version: serde_json::Value = serde_json::from_str(&cluster.kubectl("get --raw /version").ok()).unwrap();
    assert_eq!((&version["major"], &version["minor"]), (&"1".into(), &"36".into()));
}
