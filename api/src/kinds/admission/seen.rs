//! What the expressions of webhooks and policies see of a request and its namespace: some of the fields, with types
//! (`BuildRequestType` and `BuildNamespaceType` in `k8s.io/apiserver/pkg/admission/plugin/cel/compile.go`).

use std::sync::{Arc, LazyLock};

use super::expressions::sized;
use crate::cel::{Decl, DeclKind, FieldDecl, ListKind, ObjectDecl};

/// A user: `request.userInfo` here, `user` in the rules of an AuthenticationConfiguration.
pub static USER_INFO: LazyLock<Arc<Decl>> = LazyLock::new(|| {
    object(
        "kubernetes.UserInfo",
        &[("username", text()), ("uid", text()), ("groups", texts()), ("extra", map(texts()))],
    )
});

/// `request`: `AdmissionRequest` without its objects, which are variables of their own.
pub static REQUEST: LazyLock<Arc<Decl>> = LazyLock::new(|| {
    let typed = |name, last| object(name, &[("group", text()), ("version", text()), (last, text())]);
    let kind = || typed("kubernetes.GroupVersionKind", "kind");
    let resource = || typed("kubernetes.GroupVersionResource", "resource");
    object(
        "kubernetes.AdmissionRequest",
        &[
            ("kind", kind()),
            ("resource", resource()),
            ("subResource", text()),
            ("requestKind", kind()),
            ("requestResource", resource()),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", Arc::clone(&USER_INFO)),
            ("dryRun", sized(DeclKind::Bool)),
            ("options", Decl::dynamic()),
        ],
    )
});

/// `namespaceObject`. The uid is called `UID` there and so is never found, which is upstream's slip; it is kept, since
/// whoever writes `uid` is told so when the policy is written.
pub static NAMESPACE: LazyLock<Arc<Decl>> = LazyLock::new(|| {
    let (int, time) = (|| sized(DeclKind::Int), || sized(DeclKind::Timestamp));
    let condition = object(
        "kubernetes.NamespaceCondition",
        &[
            ("status", text()),
            ("type", text()),
            ("lastTransitionTime", time()),
            ("message", text()),
            ("reason", text()),
        ],
    );
    let metadata = object(
        "kubernetes.NamespaceMetadata",
        &[
            ("name", text()),
            ("generateName", text()),
            ("namespace", text()),
            ("labels", map(text())),
            ("annotations", map(text())),
            ("UID", text()),
            ("creationTimestamp", time()),
            ("deletionGracePeriodSeconds", int()),
            ("deletionTimestamp", time()),
            ("generation", int()),
            ("resourceVersion", text()),
            ("finalizers", texts()),
        ],
    );
    let status = object("kubernetes.NamespaceStatus", &[("conditions", list(condition)), ("phase", text())]);
    let spec = object("kubernetes.NamespaceSpec", &[("finalizers", texts())]);
    object("kubernetes.Namespace", &[("metadata", metadata), ("spec", spec), ("status", status)])
});

fn text() -> Arc<Decl> {
    sized(DeclKind::String)
}

fn list(element: Arc<Decl>) -> Arc<Decl> {
    sized(DeclKind::List(element, ListKind::Atomic))
}

fn texts() -> Arc<Decl> {
    list(text())
}

fn map(value: Arc<Decl>) -> Arc<Decl> {
    sized(DeclKind::Map(value))
}

fn object(name: &str, fields: &[(&str, Arc<Decl>)]) -> Arc<Decl> {
    let field = |(name, decl): &(&str, Arc<Decl>)| {
        (name.to_string(), FieldDecl { json: name.to_string(), decl: Arc::clone(decl) })
    };
    let object = ObjectDecl { name: name.into(), fields: fields.iter().map(field).collect() };
    sized(DeclKind::Object(Arc::new(object)))
}
