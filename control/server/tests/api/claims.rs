//! Claims that grow.

use serde_json::{Value, json};

use crate::support::{Answer, Cluster};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

async fn with_classes() -> Cluster {
    let cluster = Cluster::new().await;
    for (name, grows) in [("rigid", false), ("elastic", true)] {
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": name },
            "provisioner": "example.com/p", "allowVolumeExpansion": grows,
        });
        cluster.post("/apis/storage.k8s.io/v1/storageclasses", class).await.ok();
    }
    cluster
}

/// A claim that is bound, of a class or of one that is named in the old way.
async fn bound(cluster: &Cluster, name: &str, class: Option<&str>, annotated: Option<&str>) {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
        "spec": {
            "volumeName": "v", "storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    if let Some(class) = annotated {
        claim["metadata"]["annotations"] = json!({ "volume.beta.kubernetes.io/storage-class": class });
        claim["spec"].as_object_mut().unwrap().remove("storageClassName");
    }
    cluster.post(CLAIMS, claim).await.ok();
    let status = json!({ "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } } });
    cluster.merge(&format!("{CLAIMS}/{name}/status"), status).await.ok();
}

async fn grow(cluster: &Cluster, name: &str, size: &str) -> Answer {
    let more: Value = json!({ "spec": { "resources": { "requests": { "storage": size } } } });
    cluster.merge(&format!("{CLAIMS}/{name}"), more).await
}

#[tokio::test]
async fn a_claim_grows_when_its_class_lets_it() {
    let cluster = with_classes().await;
    bound(&cluster, "elastic", Some("elastic"), None).await;
    assert_eq!(grow(&cluster, "elastic", "2Gi").await.ok()["spec"]["resources"]["requests"]["storage"], "2Gi");
    bound(&cluster, "old", None, Some("elastic")).await;
    grow(&cluster, "old", "2Gi").await.ok();
    for (name, class) in [("rigid", "rigid"), ("static", ""), ("lost", "none")] {
        bound(&cluster, name, Some(class), None).await;
        grow(&cluster, name, "2Gi").await.fails(
            403,
            &format!(
                "persistentvolumeclaims \"{name}\" is forbidden: only dynamically provisioned pvc can be resized and the \
                 storageclass that provisions the pvc must support resize"
            ),
        );
        // As large as before is no growth.
        grow(&cluster, name, "1024Mi").await.ok();
    }
}

#[tokio::test]
async fn a_claim_without_a_volume_does_not_grow() {
    let cluster = with_classes().await;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "c" },
        "spec": {
            "storageClassName": "elastic", "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    cluster.post(CLAIMS, claim).await.ok();
    let refused = grow(&cluster, "c", "2Gi").await;
    let text =
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    assert!(refused.code == 422 && refused.message().contains(text), "{}", refused.message());
}
