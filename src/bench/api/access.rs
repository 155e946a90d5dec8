//! What authorization and admission cost a create: as a service account with one role, among many roles and bindings, and
//! with policies by CEL besides. An administrator, whom nothing is asked about, before and after it.

use anyhow::Context;
use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};

use super::creates::create;
use super::target::{Connection, Target};

/// Roles, and as many bindings, in the cluster and in the namespace: half and half.
const ROLES: u32 = 1_000;
/// Policies that look at every object that is created.
const POLICIES: u32 = 10;
/// Objects whose creation is timed.
const CREATES: u32 = 1_000;
/// What is set up at the same time.
const AT_ONCE: usize = 16;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

pub async fn measure(target: &Target, namespace: &str) -> anyhow::Result<()> {
    let admin = target.connect().await?;
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    time(&admin, &path, "an administrator, no policies", "before").await?;

    let account = service_account(target, &admin, namespace).await?;
    create(&account, &path, "account-warm-up", 50).await?;
    time(&account, &path, "a service account with its own role, no policies", "alone").await?;

    each(ROLES, |index| role(&admin, namespace, index)).await?;
    create(&account, &path, "roles-warm-up", 50).await?;
    time(&account, &path, &format!("a service account among {ROLES} roles and bindings"), "roles").await?;

    each(POLICIES, |index| policy(&admin, namespace, index)).await?;
    create(&account, &path, "policies-warm-up", 50).await?;
    time(&account, &path, &format!("the same, and {POLICIES} policies"), "policies").await?;

    remove(&admin, namespace).await?;
    time(&admin, &path, "an administrator, no policies, again", "after").await
}

async fn time(connection: &Connection, path: &str, who: &str, prefix: &str) -> anyhow::Result<()> {
    let mut sample = create(connection, path, prefix, CREATES).await?;
    println!("authorization and admission, {who}: {}", sample.summary());
    Ok(())
}

/// Does something for each index, some at a time.
async fn each<F: Future<Output = anyhow::Result<()>>>(count: u32, act: impl Fn(u32) -> F) -> anyhow::Result<()> {
    let mut acts = stream::iter((0..count).map(act)).buffer_unordered(AT_ONCE);
    while let Some(done) = acts.next().await {
        done?;
    }
    Ok(())
}

/// A role for others than the one who is measured, and its binding.
async fn role(admin: &Connection, namespace: &str, index: u32) -> anyhow::Result<()> {
    let name = format!("bench-{index}");
    let (place, prefix) = if index.is_multiple_of(2) {
        (RBAC.to_owned(), "Cluster")
    } else {
        (format!("{RBAC}/namespaces/{namespace}"), "")
    };
    let (kind, plural) = (format!("{prefix}Role"), prefix.to_lowercase());
    let rules = json!([{ "apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list", "create"] }]);
    let role = json!({ "metadata": { "name": name }, "rules": rules });
    admin.create(&format!("{place}/{plural}roles"), &role).await?;
    let subject = json!({ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": format!("user-{index}") });
    let to = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name });
    let binding = json!({ "metadata": { "name": name }, "roleRef": to, "subjects": [subject] });
    admin.create(&format!("{place}/{plural}rolebindings"), &binding).await.map(drop)
}

/// A policy that all objects of the measurement meet, and its binding.
async fn policy(admin: &Connection, namespace: &str, index: u32) -> anyhow::Result<()> {
    let name = format!("{namespace}-{index}");
    let rule =
        json!({ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"] });
    let validation =
        json!({ "expression": format!("object.metadata.name != 'x{index}' && size(object.data.k) < 1000") });
    let spec = json!({ "matchConstraints": { "resourceRules": [rule] }, "validations": [validation] });
    let policy = json!({ "metadata": { "name": name }, "spec": spec });
    admin.create(&format!("{ADMISSION}/validatingadmissionpolicies"), &policy).await?;
    let binding =
        json!({ "metadata": { "name": name }, "spec": { "policyName": name, "validationActions": ["Deny"] } });
    admin.create(&format!("{ADMISSION}/validatingadmissionpolicybindings"), &binding).await.map(drop)
}

/// Somebody who may work in the namespace, by a token.
async fn service_account(target: &Target, admin: &Connection, namespace: &str) -> anyhow::Result<Connection> {
    let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    admin.create(&accounts, &json!({ "metadata": { "name": "bench" } })).await?;
    let subject = json!({ "kind": "ServiceAccount", "namespace": namespace, "name": "bench" });
    let to = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" });
    let binding = json!({ "metadata": { "name": "bench" }, "roleRef": to, "subjects": [subject] });
    admin.create(&format!("{RBAC}/namespaces/{namespace}/rolebindings"), &binding).await?;
    let token = admin.create(&format!("{accounts}/bench/token"), &json!({ "spec": {} })).await?;
    let token: Value = serde_json::from_slice(&token)?;
    target.connect_with_token(token["status"]["token"].as_str().context("no token")?).await
}

/// What is not the namespace's own.
async fn remove(admin: &Connection, namespace: &str) -> anyhow::Result<()> {
    for index in 0..POLICIES {
        for plural in ["validatingadmissionpolicybindings", "validatingadmissionpolicies"] {
            admin.delete(&format!("{ADMISSION}/{plural}/{namespace}-{index}")).await?;
        }
    }
    for index in (0..ROLES).step_by(2) {
        for plural in ["clusterrolebindings", "clusterroles"] {
            admin.delete(&format!("{RBAC}/{plural}/bench-{index}")).await?;
        }
    }
    Ok(())
}
