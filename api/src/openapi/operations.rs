//! The operations of a catalogue, before they become a document of one version or another.

use serde_json::Value;

use super::definitions::{gvk, meta, of_kind, of_list};
use super::parameters::{self, NAME, NAMESPACE, Parameter};
use crate::catalog::{Catalog, Resource, Subresource};
use crate::patch::PatchKind;
use crate::schema::name_of;

/// A path and what can be done there.
pub(super) struct Endpoint {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) path: String,
    /// `name` and `namespace`, where the path has them.
    pub(super) parameters: Vec<Parameter>,
    pub(super) operations: Vec<Operation>,
}

/// One operation.
pub(super) struct Operation {
    /// `get`, `post`: the key in the path item.
    pub(super) method: &'static str,
    /// `x-kubernetes-action`
    pub(super) action: &'static str,
    pub(super) id: String,
    pub(super) description: String,
    pub(super) tag: String,
    pub(super) parameters: &'static [Parameter],
    /// Definition of the request body.
    pub(super) body: Option<String>,
    /// Definition of the answer; `None` for plain text.
    pub(super) answer: Option<String>,
    /// `x-kubernetes-group-version-kind`
    pub(super) gvk: Value,
    /// Whether it is about a custom kind.
    is_custom: bool,
}

/// Media types of patches to custom kinds.
const CUSTOM_PATCHES: [&str; 3] = [PatchKind::MEDIA_TYPES[0], PatchKind::MEDIA_TYPES[1], PatchKind::MEDIA_TYPES[3]];

impl Operation {
    /// Media types of the body. kubectl looks here for what a patch may be: never a strategic one for custom kinds.
    pub(super) fn consumes(&self) -> &'static [&'static str] {
        match (self.method, self.is_custom) {
            ("patch", true) => &CUSTOM_PATCHES,
            ("patch", false) => &PatchKind::MEDIA_TYPES,
            (_, true) => &["application/json", "application/yaml"],
            (_, false) => &["*/*"],
        }
    }

    /// Media types of the answer.
    pub(super) fn produces(&self) -> &'static [&'static str] {
        match (self.answer.is_some(), self.action) {
            (false, _) => &["text/plain"],
            (true, "list") => &["application/json", "application/yaml", "application/json;stream=watch"],
            (true, _) => &["application/json", "application/yaml"],
        }
    }

    /// Status codes of success, with what they mean.
    pub(super) fn successes(&self) -> &'static [(&'static str, &'static str)] {
        match self.action {
            "post" => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
            "put" | "patch" => &[("200", "OK"), ("201", "Created")],
            "delete" => &[("200", "OK"), ("202", "Accepted")],
            _ => &[("200", "OK")],
        }
    }
}

/// All endpoints, in catalogue order.
pub(super) fn endpoints(catalog: &Catalog) -> Vec<Endpoint> {
    catalog.rows().iter().flat_map(|row| of_row(row)).collect()
}

fn of_row(row: &Resource) -> Vec<Endpoint> {
    let namer = Namer { row };
    let root = if row.group.is_empty() {
        format!("/api/{}", row.version)
    } else {
        format!("/apis/{}/{}", row.group, row.version)
    };
    let mut endpoints = Vec::new();
    let (base, scope): (String, Vec<Parameter>) = if row.namespaced {
        let everywhere = namer.operations(&[("get", "list")], "ForAllNamespaces");
        endpoints.push(namer.endpoint(format!("{root}/{}", row.plural), Vec::new(), everywhere));
        (format!("{root}/namespaces/{{namespace}}/{}", row.plural), vec![NAMESPACE])
    } else {
        (format!("{root}/{}", row.plural), Vec::new())
    };
    let collection = [("get", "list"), ("post", "post"), ("delete", "deletecollection")];
    endpoints.push(namer.endpoint(base.clone(), scope.clone(), namer.operations(&collection, "")));
    let mut object = scope;
    object.insert(0, NAME);
    let single = [("get", "get"), ("put", "put"), ("patch", "patch"), ("delete", "delete")];
    endpoints.push(namer.endpoint(format!("{base}/{{name}}"), object.clone(), namer.operations(&single, "")));
    for subresource in &row.subresources {
        let path = format!("{base}/{{name}}/{}", subresource.name());
        endpoints.push(namer.endpoint(path, object.clone(), namer.subresource(*subresource)));
    }
    endpoints
}

/// Names what belongs to one row.
struct Namer<'r> {
    row: &'r Resource,
}

impl Namer<'_> {
    fn endpoint(&self, path: String, parameters: Vec<Parameter>, operations: Vec<Operation>) -> Endpoint {
        let (group, version) = (self.row.group.to_string(), self.row.version.to_string());
        Endpoint { group, version, path, parameters, operations }
    }

    /// `core_v1`, `apps_v1`, `rbacAuthorization_v1`
    fn tag(&self) -> String {
        let group = self.row.group.strip_suffix(".k8s.io").unwrap_or(&self.row.group);
        let group = if group.is_empty() { "core" } else { group };
        let mut words = group.split(|c: char| !c.is_ascii_alphanumeric());
        let first = words.next().unwrap_or_default().to_string();
        let group = words.map(capitalized).fold(first, |name, word| name + &word);
        format!("{group}_{}", self.row.version)
    }

    /// `createCoreV1NamespacedPod`
    fn id(&self, verb: &str, tail: &str, everywhere: bool) -> String {
        let group_version: String = self.tag().split('_').map(capitalized).collect();
        let scope = if self.row.namespaced && !everywhere { "Namespaced" } else { "" };
        format!("{verb}{group_version}{scope}{}{tail}", self.row.kind)
    }

    fn operations(&self, wanted: &[(&'static str, &'static str)], tail: &str) -> Vec<Operation> {
        let served = wanted.iter().filter(|(_, action)| self.row.allows(verb_of(action)));
        served.map(|(method, action)| self.operation(method, action, tail)).collect()
    }

    fn operation(&self, method: &'static str, action: &'static str, tail: &str) -> Operation {
        let row = self.row;
        let kind = &row.kind;
        let (verb, description, parameters) = match action {
            "list" => ("list", format!("list or watch objects of kind {kind}"), parameters::LIST),
            "post" => ("create", format!("create a {kind}"), parameters::WRITE),
            "deletecollection" => {
                ("deleteCollection", format!("delete collection of {kind}"), parameters::DELETE_COLLECTION)
            }
            "put" => ("replace", format!("replace the specified {kind}"), parameters::WRITE),
            "patch" => ("patch", format!("partially update the specified {kind}"), parameters::PATCH),
            "delete" => ("delete", format!("delete a {kind}"), parameters::DELETE),
            _ => ("read", format!("read the specified {kind}"), parameters::GET),
        };
        let body = match action {
            "post" | "put" => Some(of_kind(row)),
            "patch" => Some(meta("Patch")),
            "delete" | "deletecollection" => Some(meta("DeleteOptions")),
            _ => None,
        };
        let answer = match action {
            "list" => of_list(row),
            "deletecollection" => meta("Status"),
            // A pod lives on for its grace period, so its deletion answers with the pod.
            "delete" if !row.graceful => meta("Status"),
            _ => of_kind(row),
        };
        Operation {
            method,
            action,
            id: self.id(verb, tail, tail == "ForAllNamespaces"),
            description,
            tag: self.tag(),
            parameters,
            body,
            answer: Some(answer),
            gvk: gvk(&row.group, &row.version, kind),
            is_custom: row.custom.is_some(),
        }
    }

    fn subresource(&self, subresource: Subresource) -> Vec<Operation> {
        let name = subresource.name();
        let [group, version, kind] = subresource.kind(self.row);
        let api_version = if group.is_empty() { version.clone() } else { format!("{group}/{version}") };
        let own = kind == self.row.kind && group == self.row.group;
        let named = if own { Some(of_kind(self.row)) } else { name_of(&api_version, &kind) };
        let definition = named.unwrap_or_else(|| meta("Patch"));
        let of_verb = |verb: &&'static str| {
            let (method, action) = match *verb {
                "create" => ("post", "post"),
                "update" => ("put", "put"),
                "patch" => ("patch", "patch"),
                _ => ("get", "get"),
            };
            let mut operation = self.operation(method, action, &capitalized(name));
            operation.description = format!("{} of the specified {}", phrase(action, name), self.row.kind);
            // Those of custom kinds are all about the kind, also its scale.
            if !operation.is_custom {
                operation.gvk = gvk(&group, &version, &kind);
            }
            operation.body = operation.body.map(|body| if action == "patch" { body } else { definition.clone() });
            operation.answer = Some(definition.clone());
            if subresource == Subresource::Log {
                operation.parameters = parameters::LOG;
                operation.answer = None;
            }
            operation
        };
        subresource.verbs().iter().map(of_verb).collect()
    }
}

fn phrase(action: &str, name: &str) -> String {
    let verb = match action {
        "post" => "create",
        "put" => "replace",
        "patch" => "partially update",
        _ => "read",
    };
    format!("{verb} {name}")
}

/// The verb in the catalogue for an action.
fn verb_of(action: &str) -> &str {
    match action {
        "post" => "create",
        "put" => "update",
        other => other,
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
