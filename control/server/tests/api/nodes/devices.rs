//! Accounts, attachments and devices: what a node reads of them, and what it tells.

use http::Method;
use serde_json::{Value, json};

use super::{CORE, UNRELATED, get, object, own, pod, two_nodes};

#[tokio::test]
async fn a_node_reads_the_accounts_of_its_pods() {
    let cluster = two_nodes().await;
    get(&cluster, &format!("{CORE}/serviceaccounts/default")).await.ok();
    cluster.post(&format!("{CORE}/serviceaccounts"), object("ServiceAccount", "other")).await.ok();
    for (path, why) in [
        (format!("{CORE}/serviceaccounts/other"), UNRELATED),
        (format!("{CORE}/serviceaccounts"), "can only create tokens for individual service accounts"),
    ] {
        let refused = get(&cluster, &path).await;
        assert!(refused.code == 403 && refused.message().ends_with(why), "{path}: {}", refused.message());
    }
}

#[tokio::test]
async fn a_node_reads_what_is_attached_to_it() {
    let cluster = two_nodes().await;
    let attachments = "/apis/storage.k8s.io/v1/volumeattachments";
    for (name, node) in [("mine", "n1"), ("theirs", "n2")] {
        let attachment = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": { "name": name },
            "spec": { "attacher": "example.com", "nodeName": node, "source": { "persistentVolumeName": "v" } },
        });
        cluster.post(attachments, attachment).await.ok();
    }
    get(&cluster, &format!("{attachments}/mine")).await.ok();
    for (path, why) in [
        (format!("{attachments}/theirs"), UNRELATED),
        (attachments.to_string(), "can only get individual resources of this type"),
    ] {
        let refused = get(&cluster, &path).await;
        assert!(refused.code == 403 && refused.message().ends_with(why), "{path}: {}", refused.message());
    }
}

#[tokio::test]
async fn a_node_reads_the_device_claims_of_its_pods_and_gives_them_none() {
    let cluster = two_nodes().await;
    let claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    for name in ["of-mine", "made", "of-theirs"] {
        let claim = json!({
            "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": { "name": name }, "spec": {},
        });
        cluster.post(claims, claim).await.ok();
    }
    let mut pod = pod("with-device", "n1");
    pod["spec"]["resourceClaims"] = json!([
        { "name": "a", "resourceClaimName": "of-mine" }, { "name": "b", "resourceClaimTemplateName": "t" },
    ]);
    cluster.post(&format!("{CORE}/pods"), pod).await.ok();
    get(&cluster, &format!("{claims}/of-mine")).await.ok();
    assert!(get(&cluster, &format!("{claims}/made")).await.message().ends_with(UNRELATED));
    let made =
        |name: &str| json!({ "status": { "resourceClaimStatuses": [{ "name": "b", "resourceClaimName": name }] } });
    let path = format!("{CORE}/pods/with-device/status");
    cluster.merge(&path, made("made")).await.ok();
    get(&cluster, &format!("{claims}/made")).await.ok();
    let mut asked = crate::support::request(Method::PATCH, &path, made("of-theirs"));
    asked.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    asked.extensions_mut().insert(coracle_server::User::new("system:node:n1", ["system:nodes".to_string()]));
    cluster
        .send(asked)
        .await
        .fails(403, "pods \"with-device\" is forbidden: node \"n1\" cannot update resource claim statues");
    assert_eq!(get(&cluster, &format!("{claims}/of-theirs")).await.code, 403);
}

#[tokio::test]
async fn a_node_tells_which_devices_it_has_and_others_have() {
    let cluster = two_nodes().await;
    let slices = "/apis/resource.k8s.io/v1/resourceslices";
    let slice = |name: &str, node: &str| {
        json!({
            "apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": { "name": name },
            "spec": {
                "driver": "example.com", "nodeName": node,
                "pool": { "name": node, "generation": 1, "resourceSliceCount": 1 }, "devices": [],
            },
        })
    };
    own(&cluster, Method::POST, slices, slice("mine", "n1")).await.ok();
    own(&cluster, Method::POST, slices, slice("fake", "n2")).await.fails(
        403,
        "resourceslices.resource.k8s.io \"fake\" is forbidden: can only create ResourceSlice with the same NodeName as the \
         requesting node",
    );
    cluster.post(slices, slice("theirs", "n2")).await.ok();
    get(&cluster, &format!("{slices}/mine")).await.ok();
    get(&cluster, &format!("{slices}?fieldSelector=spec.nodeName%3Dn1")).await.ok();
    let selector = "can only list/watch/deletecollection resourceslices with nodeName field selector";
    for (method, path, why) in [
        (Method::GET, format!("{slices}/theirs"), UNRELATED),
        (Method::DELETE, format!("{slices}/theirs"), UNRELATED),
        (Method::GET, slices.to_string(), selector),
        (Method::GET, format!("{slices}?fieldSelector=spec.nodeName%3Dn2"), selector),
        (Method::DELETE, slices.to_string(), selector),
    ] {
        let refused = own(&cluster, method, &path, Value::Null).await;
        assert!(refused.code == 403 && refused.message().ends_with(why), "{path}: {}", refused.message());
    }
    own(&cluster, Method::DELETE, &format!("{slices}?fieldSelector=spec.nodeName%3Dn1"), Value::Null).await.ok();
    assert_eq!(cluster.get(&format!("{slices}/mine")).await.code, 404);
    cluster.get(&format!("{slices}/theirs")).await.ok();
}
