//! Secrets of persistent volumes: which of them a node reads that has a pod with the volume.

use serde_json::{Value, json};

use super::{CORE, get, object, two_nodes};

fn volume(name: &str, source: (&str, Value)) -> Value {
    let mut volume = object("PersistentVolume", name);
    let of_mine = json!({ "namespace": "default", "name": "of-mine" });
    volume["spec"] = json!({ "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"], "claimRef": of_mine });
    volume["spec"][source.0] = source.1;
    volume
}

#[tokio::test]
async fn a_node_reads_the_secrets_that_its_volumes_have_for_nodes() {
    let cluster = two_nodes().await;
    let secrets = format!("{CORE}/secrets");
    for name in ["attach", "grow", "mount", "stage", "resize", "share"] {
        cluster.post(&secrets, object("Secret", name)).await.ok();
    }
    let secret = |name: &str| json!({ "namespace": "default", "name": name });
    let csi = json!({
        "driver": "csi.example.com", "volumeHandle": "1",
        "controllerPublishSecretRef": secret("attach"), "controllerExpandSecretRef": secret("grow"),
        "nodePublishSecretRef": secret("mount"), "nodeStageSecretRef": secret("stage"),
        "nodeExpandSecretRef": secret("resize"),
    });
    cluster.post("/api/v1/persistentvolumes", volume("csi", ("csi", csi))).await.ok();
    let share = json!({ "secretName": "share", "shareName": "s" });
    cluster.post("/api/v1/persistentvolumes", volume("azure", ("azureFile", share))).await.ok();
    for (name, code) in
        [("mount", 200), ("stage", 200), ("resize", 200), ("share", 200), ("attach", 403), ("grow", 403)]
    {
        assert_eq!(get(&cluster, &format!("{secrets}/{name}")).await.code, code, "{name}");
    }
}
