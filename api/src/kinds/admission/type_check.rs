//! Checking the expressions of a validating policy against the schemas of the kinds that it is for
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go`).
//!
//! A policy is admitted with objects of any type, for it may be for many. What its expressions can't find in one of its
//! kinds is a warning in its status.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::expressions::{Returns, Scope, sized};
use crate::cel::{Decl, DeclKind, FieldDecl, ListKind, ObjectDecl, escape};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{list, part, text};

/// Levels of a schema that are looked into; what is deeper may be anything.
const DEPTH_LIMIT: usize = 50;

/// A kind that a policy is for, and what its objects look like.
#[derive(Debug, Clone)]
pub struct TypedKind {
    /// Its group, empty for the core.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its name.
    pub kind: String,
    /// What expressions see of an object.
    pub decl: Arc<Decl>,
}

impl TypedKind {
    /// The kind as an OpenAPI 3 document describes it, if it does.
    pub fn described(document: &Value, group: &str, version: &str, kind: &str) -> Option<Self> {
        let schemas = document.pointer("/components/schemas")?.as_object()?;
        let wanted = json!({ "group": group, "kind": kind, "version": version });
        let is_kind = |schema: &&Value| list(schema, "x-kubernetes-group-version-kind").contains(&wanted);
        let schema = schemas.values().find(is_kind)?;
        let decl = Declarer { document, inside: Vec::new() }.declare(schema);
        Some(Self { group: group.into(), version: version.into(), kind: kind.into(), decl })
    }
}

/// What the expressions of a policy can't find in its kinds, or in its parameters if they are known: the items of
/// `status.typeChecking.expressionWarnings`.
pub fn expression_warnings(policy: &Value, kinds: &[TypedKind], params: Option<&Arc<Decl>>) -> Vec<Value> {
    let scopes: Vec<(&TypedKind, Scope)> = kinds.iter().map(|kind| (kind, scope(policy, kind, params))).collect();
    let mut warnings = Vec::new();
    let path = Path::root("spec").child("validations");
    for (index, validation) in list(policy, "spec.validations").iter().enumerate() {
        for field in ["expression", "messageExpression"] {
            let source = text(validation, field);
            let found: Vec<String> = scopes.iter().filter_map(|(kind, scope)| warning(kind, scope, source)).collect();
            if !source.is_empty() && !found.is_empty() {
                let place = path.index(index).child(field).to_string();
                warnings.push(json!({ "fieldRef": place, "warning": found.join("\n") }));
            }
        }
    }
    warnings
}

fn scope(policy: &Value, kind: &TypedKind, params: Option<&Arc<Decl>>) -> Scope {
    let has_params = !part(policy, "spec.paramKind").is_null();
    let mut scope = Scope::typed(has_params, &kind.decl, params).with_variables();
    // What is wrong with a variable was said when the policy was written.
    let mut ignored = Errors::default();
    for variable in list(policy, "spec.variables") {
        let path = Path::root("expression");
        scope.declare(&mut ignored, text(variable, "name"), text(variable, "expression"), &path);
    }
    scope
}

fn warning(kind: &TypedKind, scope: &Scope, source: &str) -> Option<String> {
    let detail = scope.compile(source, Returns::Anything).err()?;
    let TypedKind { group, version, kind, .. } = kind;
    Some(format!("{group}/{version}, Kind={kind}: {detail}\n"))
}

/// Turns the schemas of a document into declarations.
struct Declarer<'a> {
    document: &'a Value,
    /// The definitions that are being looked into: one that contains itself is cut there.
    inside: Vec<&'a str>,
}

impl<'a> Declarer<'a> {
    fn declare(&mut self, schema: &'a Value) -> Arc<Decl> {
        let wrapped = list(schema, "allOf").first().map(|inner| text(inner, "$ref"));
        let reference = wrapped.unwrap_or_else(|| text(schema, "$ref"));
        if reference.is_empty() {
            return self.plain(schema);
        }
        let target = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
        let Some(target) = target.filter(|_| !self.inside.contains(&reference) && self.inside.len() < DEPTH_LIMIT)
        else {
            return Decl::dynamic();
        };
        self.inside.push(reference);
        let decl = self.declare(target);
        self.inside.pop();
        decl
    }

    fn plain(&mut self, schema: &'a Value) -> Arc<Decl> {
        let is_open = schema["x-kubernetes-int-or-string"] == true || text(schema, "format") == "int-or-string";
        if is_open {
            return Decl::dynamic();
        }
        sized(match text(schema, "type") {
            "boolean" => DeclKind::Bool,
            "integer" => DeclKind::Int,
            "number" => DeclKind::Double,
            "string" => match text(schema, "format") {
                "byte" => DeclKind::Bytes,
                "date" | "date-time" => DeclKind::Timestamp,
                "duration" => DeclKind::Duration,
                _ => DeclKind::String,
            },
            "array" => match schema.get("items") {
                Some(items) => DeclKind::List(self.declare(items), ListKind::Atomic),
                None => DeclKind::Dyn,
            },
            "object" => self.object(schema),
            _ => DeclKind::Dyn,
        })
    }

    fn object(&mut self, schema: &'a Value) -> DeclKind {
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            return DeclKind::Map(self.declare(values));
        }
        let keeps_unknown = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let properties = schema["properties"].as_object().filter(|_| !keeps_unknown);
        let Some(properties) = properties else { return DeclKind::Dyn };
        let mut fields = BTreeMap::new();
        for (name, property) in properties {
            if let Some(escaped) = escape(name) {
                fields.insert(escaped, FieldDecl { json: name.clone(), decl: self.declare(property) });
            }
        }
        DeclKind::Object(Arc::new(ObjectDecl { name: "object".into(), fields }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        let replicas = json!({ "type": "integer" });
        let spec = json!({ "type": "object", "properties": {
            "replicas": replicas, "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "self": { "$ref": "#/components/schemas/spec" }, "port": { "x-kubernetes-int-or-string": true },
        } });
        let root = json!({
            "type": "object", "properties": { "spec": { "allOf": [{ "$ref": "#/components/schemas/spec" }] } },
            "x-kubernetes-group-version-kind": [{ "group": "apps", "kind": "Thing", "version": "v1" }],
        });
        json!({ "components": { "schemas": { "spec": spec, "root": root } } })
    }

    #[test]
    fn what_is_not_in_the_schema_is_a_warning() {
        let thing = TypedKind::described(&document(), "apps", "v1", "Thing").unwrap();
        assert!(TypedKind::described(&document(), "apps", "v2", "Thing").is_none());
        let policy = json!({ "spec": {
            "variables": [{ "name": "many", "expression": "object.spec.replicas > 5" }],
            "validations": [
                { "expression": "object.spec.replicas > 1 && variables.many && object.spec.self.anything == 1" },
                { "expression": "object.replicas > 1", "messageExpression": "object.spec.labels.x + object.spec.nothing" },
                { "expression": "oldObject.spec.replicas == 'a'" },
                { "expression": "object.spec.port == 'a' || object.spec.port == 1" },
            ],
        } });
        let warnings = expression_warnings(&policy, &[thing], None);
        let places: Vec<&str> = warnings.iter().map(|warning| text(warning, "fieldRef")).collect();
        assert_eq!(
            places,
            [
                "spec.validations[1].expression",
                "spec.validations[1].messageExpression",
                "spec.validations[2].expression",
            ]
        );
        assert_eq!(
            text(&warnings[0], "warning"),
            "apps/v1, Kind=Thing: compilation failed: ERROR: <input>:1:7: undefined field 'replicas'\n \
             | object.replicas > 1\n | ......^\n",
        );
    }

    #[test]
    fn built_in_kinds_are_described_by_the_served_documents() {
        let open_api = crate::openapi::OpenApi::new(crate::Catalog::builtin(), "v1.36.0");
        let document = open_api.v3_document("apps", "v1").unwrap();
        let document: Value = serde_json::from_slice(&document.bytes).unwrap();
        let deployment = TypedKind::described(&document, "apps", "v1", "Deployment").unwrap();
        let policy = json!({ "spec": { "validations": [
            { "expression": "object.spec.template.spec.containers.all(c, c.image != '') && object.metadata.name != ''" },
            { "expression": "object.spec.strategy.rollingUpdate.maxSurge == 1 || 'a' in object.metadata.labels" },
            { "expression": "object.replicas > 1" },
        ] } });
        let warnings = expression_warnings(&policy, &[deployment], None);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(text(&warnings[0], "fieldRef"), "spec.validations[2].expression");
    }

    #[test]
    fn parameters_are_checked_if_their_kind_is_known() {
        let thing = TypedKind::described(&document(), "apps", "v1", "Thing").unwrap();
        let decl = Arc::clone(&thing.decl);
        let policy = json!({ "spec": {
            "paramKind": { "apiVersion": "apps/v1", "kind": "Thing" }, "validations": [{ "expression": "params.x" }],
        } });
        assert!(expression_warnings(&policy, std::slice::from_ref(&thing), None).is_empty());
        assert_eq!(expression_warnings(&policy, &[thing], Some(&decl)).len(), 1);
    }
}
