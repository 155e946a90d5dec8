//! `[sig-auth]`: certificate signing requests and service accounts.

use futures::{Stream, StreamExt as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt as _};
use serde_json::json;

use super::steps::{self, cluster_with, create, in_time, object};
use crate::client::client;
use crate::harness::Cluster;

/// A request for `e2e.example.com`.
const REQUEST: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBAjCBqQIBADAaMRgwFgYDVQQDDA9lMmUuZXhhbXBsZS5jb20wWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAAQWIw+8qdyjiQABCYk9rbk+CZ4zqJnxQWFmK2bLoOUe
tbAFMG9DyADlrpRus274AVpBhHAiVEeoI/iqBZdDyiDWoC0wKwYJKoZIhvcNAQkO
MR4wHDAaBgNVHREEEzARgg9lMmUuZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDSAAw
RQIhAMNIjbxBW2btBAmAr5Zjtv+aghyBl3X+m3tLe3rj6CkvAiA1eetY9PxZFtFA
nGd36popKXljSHaMmODtHO4oNx4DZA==
-----END CERTIFICATE REQUEST-----
";

/// A certificate for `e2e.example.com` that signed itself.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBpjCCAU2gAwIBAgIUJM4QCSaLcrwlzuw3mlKy02h9ZpMwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPZTJlLmV4YW1wbGUuY29tMCAXDTI2MTEyNzE3NTMzNVoYDzIx
MjYxMTAzMTc1MzM1WjAaMRgwFgYDVQQDDA9lMmUuZXhhbXBsZS5jb20wWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQWIw+8qdyjiQABCYk9rbk+CZ4zqJnxQWFmK2bL
oOUetbAFMG9DyADlrpRus274AVpBhHAiVEeoI/iqBZdDyiDWo28wbTAdBgNVHQ4E
FgQUtlN0tQ6b/s8IgNAsC1H9f2y1Y+UwHwYDVR0jBBgwFoAUtlN0tQ6b/s8IgNAs
C1H9f2y1Y+UwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgg9lMmUuZXhhbXBs
ZS5jb20wCgYIKoZIzj0EAwIDRwAwRAIgLz0Oru+N3gAJ5pDU9IDFQel3T3/tAd29
8gQv4zyMDW8CICHn7opqm/t03K3cQYmXbvxQ8ukltbNXNQMjvck63JUv
-----END CERTIFICATE-----
";

const SIGNER: &str = "example.com/e2e-ours";

fn signing_request() -> CertificateSigningRequest {
    object(json!({
        "metadata": {"generateName": "e2e-example-csr-"},
        "spec": {
            "request": ByteString(REQUEST.into()), "signerName": SIGNER,
            "usages": ["digital signature", "key encipherment", "server auth"],
        },
    }))
}

fn condition(kind: &str) -> CertificateSigningRequestCondition {
    object(json!({"type": kind, "status": "True", "reason": "E2E", "message": "Set from a test"}))
}

fn condition_types(request: &CertificateSigningRequest) -> Vec<&str> {
    let conditions = request.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().map(|condition| condition.type_.as_str()).collect()
}

/// The request with one condition more.
fn with_condition(mut request: CertificateSigningRequest, kind: &str) -> CertificateSigningRequest {
    request.status.get_or_insert_default().conditions.get_or_insert_default().push(condition(kind));
    request
}

/// The subresource shows the request itself, and takes patches and replacements of its conditions.
async fn approve(api: &Api<CertificateSigningRequest>, created: &CertificateSigningRequest) {
    let name = created.name_any();
    assert_eq!(api.get_subresource("approval", &name).await.unwrap().uid(), created.uid());
    let patch = Patch::Merge(json!({
        "metadata": {"annotations": {"patchedapproval": "true"}},
        "status": {"conditions": [{"type": "ApprovalPatch", "status": "True", "reason": "e2e"}]},
    }));
    let patched = api.patch_subresource("approval", &name, &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(condition_types(&patched), ["ApprovalPatch"]);
    assert_eq!(patched.annotations()["patchedapproval"], "true");
    let wanted = with_condition(patched, "Approved");
    let approved = api.replace_subresource("approval", &name, &PostParams::default(), &wanted).await.unwrap();
    assert_eq!(condition_types(&approved), ["ApprovalPatch", "Approved"]);
}

/// The subresource shows the request itself, and takes a certificate and further conditions.
async fn issue(api: &Api<CertificateSigningRequest>, created: &CertificateSigningRequest) {
    let name = created.name_any();
    assert_eq!(api.get_status(&name).await.unwrap().uid(), created.uid());
    let certificate = ByteString(CERTIFICATE.into());
    let annotations = json!({"patchedstatus": "true"});
    let patch = json!({"metadata": {"annotations": annotations}, "status": {"certificate": certificate}});
    let patched = api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    assert_eq!(patched.status.as_ref().unwrap().certificate.as_ref(), Some(&certificate));
    assert_eq!(patched.annotations()["patchedstatus"], "true");
    let wanted = with_condition(patched, "StatusUpdate");
    let updated = api.replace_status(&name, &PostParams::default(), &wanted).await.unwrap();
    assert_eq!(condition_types(&updated), ["ApprovalPatch", "Approved", "StatusUpdate"]);
}

/// `[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]`
#[tokio::test]
async fn certificates_api_should_support_csr_api_operations() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let names =
        ["certificatesigningrequests", "certificatesigningrequests/approval", "certificatesigningrequests/status"];
    steps::discovered(&client, "certificates.k8s.io", &names).await;
    let api: Api<CertificateSigningRequest> = Api::all(client);
    let ours = ListParams::default().fields(&format!("spec.signerName={SIGNER}"));
    let templates = [signing_request(), signing_request(), signing_request()];
    let only = |created: &CertificateSigningRequest| {
        WatchParams::default().fields(&format!("metadata.name={}", created.name_any()))
    };
    let created = steps::created_read_changed_and_watched(&api, templates, &ours, only).await;
    approve(&api, &created).await;
    issue(&api, &created).await;
    steps::deleted_singly_and_together(&api, &created.name_any(), &ours).await;
}

/// Waits for an event of this kind about the object.
async fn sees<K: Resource<DynamicType = ()>>(
    events: &mut (impl Stream<Item = kube::Result<WatchEvent<K>>> + Unpin),
    wanted: &str,
    name: &str,
) {
    in_time(wanted, async {
        loop {
            let (kind, object) = match events.next().await.expect("the watch goes on").unwrap() {
                WatchEvent::Added(object) => ("added", object),
                WatchEvent::Modified(object) => ("modified", object),
                WatchEvent::Deleted(object) => ("deleted", object),
                WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
            };
            if kind == wanted {
                return assert_eq!(object.name_any(), name);
            }
        }
    })
    .await;
}

/// `[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount [Conformance]`
#[tokio::test]
async fn service_accounts_should_run_through_the_lifecycle_of_a_service_account() {
    let (_cluster, api, everywhere) = cluster_with::<ServiceAccount>().await;
    let (name, label) = ("testserviceaccount", "test-serviceaccount-static=true");
    create(&api, json!({"metadata": {"name": name, "labels": {"test-serviceaccount-static": "true"}}})).await;
    let mut events = api.watch(&WatchParams::default().labels(label), "").await.unwrap().boxed();
    sees(&mut events, "added", name).await;

    let patch = Patch::Strategic(json!({"automountServiceAccountToken": false}));
    api.patch(name, &PatchParams::default(), &patch).await.unwrap();
    sees(&mut events, "modified", name).await;
    let list = everywhere.list(&ListParams::default().labels(label)).await.unwrap();
    assert_eq!(list.items.len(), 1);
    let listed = &list.items[0];
    assert_eq!((listed.namespace().unwrap(), listed.name_any()), ("default".into(), name.into()));
    assert_eq!(listed.automount_service_account_token, Some(false));

    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    sees(&mut events, "deleted", name).await;
}
