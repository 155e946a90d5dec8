//! `[sig-api-machinery] CustomResourcePublishOpenAPI`

use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{Cluster, eventually};

/// A custom kind in one version.
struct Custom<'a> {
    cluster: &'a Cluster,
    group: &'static str,
    version: &'static str,
    kind: &'static str,
}

impl Custom<'_> {
    fn plural(&self) -> String {
        format!("{}s", self.kind.to_lowercase())
    }

    /// Its definition, from then until it is removed.
    fn define(&self, schema: &Value) {
        let (group, plural) = (self.group, self.plural());
        let version = json!({
            "name": self.version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
        });
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced", "versions": [version],
                "names": {"kind": self.kind, "plural": plural},
            },
        });
        self.cluster.apply(&definition.to_string());
        let wait = format!("wait --for=condition=established crd/{plural}.{group} --timeout=60s");
        self.cluster.kubectl(&wait).ok();
    }

    /// What the OpenAPI document says of it, but for what every kind has.
    fn published(&self) -> Option<Value> {
        let document: Value =
            serde_json::from_str(&self.cluster.kubectl("get --raw /openapi/v2").ok()).expect("it is JSON");
        let mut name: Vec<&str> = self.group.split('.').rev().collect();
        name.extend([self.version, self.kind]);
        let mut found = document["definitions"].get(name.join("."))?.clone();
        found.as_object_mut()?.remove("x-kubernetes-group-version-kind");
        if let Some(properties) = found.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|name, _| !["apiVersion", "kind", "metadata"].contains(&name.as_str()));
        }
        Some(found)
    }

    fn is_published(&self) -> Value {
        eventually(self.kind, || self.published().ok_or_else(|| "not published".to_string()))
    }

    fn is_published_as(&self, schema: &Value) {
        eventually(self.kind, || match self.published() {
            Some(found) if found == *schema => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    fn remove(&self) {
        self.cluster.kubectl(&format!("delete crd {}.{}", self.plural(), self.group)).ok();
        eventually(self.kind, || self.published().map_or(Ok(()), |_| Err("still published".to_string())));
    }

    /// A manifest of an object `test` with these further fields.
    fn object(&self, mut fields: Value) -> String {
        fields["apiVersion"] = json!(format!("{}/{}", self.group, self.version));
        fields["kind"] = json!(self.kind);
        fields["metadata"] = json!({"name": "test"});
        fields.to_string()
    }

    /// kubectl creates such an object, and applies it.
    fn accepts(&self, fields: Value) {
        let object = self.object(fields);
        for verb in ["create -f -", "apply -f -"] {
            self.cluster.kubectl_with_input(verb, &object).ok();
            self.cluster.kubectl(&format!("delete {} test", self.plural())).ok();
        }
    }

    /// kubectl neither creates nor applies such an object, and says why.
    fn refuses(&self, fields: Value, why: &str) {
        let object = self.object(fields);
        for verb in ["create -f -", "apply -f -"] {
            let said = self.cluster.kubectl_with_input(verb, &object).failed();
            assert!(said.contains(why), "{verb}: {said}");
        }
    }

    /// kubectl explains it, or what stands at this path in it, in such words.
    fn is_explained(&self, path: &str, pattern: &str) {
        let line = format!("explain {}{path}", self.plural());
        let pattern = Regex::new(&format!("(?s){pattern}")).expect("a regular expression");
        eventually(&line, || {
            let said = self.cluster.kubectl(&line).result()?;
            if pattern.is_match(&said) { Ok(()) } else { Err(said) }
        });
    }
}

fn foo_schema() -> Value {
    let bar = json!({
        "type": "object", "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "Name of Bar."},
            "age": {"type": "string", "description": "Age of Bar."},
            "bazs": {"type": "array", "description": "List of Bazs.", "items": {"type": "string"}},
        },
    });
    let installed = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Name of Bar."},
            "available": {"type": "boolean", "description": "Whether the Bar is installed."},
            "quxType": {"type": "string", "description": "An external qux type.", "pattern": "in-tree|out-of-tree"},
        },
    });
    json!({
        "type": "object", "description": "Foo CRD for Testing",
        "properties": {
            "spec": {
                "type": "object", "description": "Specification of Foo",
                "properties": {"bars": {"type": "array", "description": "List of Bars and their specs.", "items": bar}},
            },
            "status": {
                "type": "object", "description": "Status of Foo",
                "properties": {"bars": {"type": "array", "description": "List of Bars.", "items": installed}},
            },
        },
    })
}

fn waldo_schema(description: &str) -> Value {
    json!({
        "type": "object", "description": description,
        "properties": {
            "spec": {
                "type": "object", "description": "Specification of Waldo",
                "properties": {"dummy": {"type": "object", "description": "Dummy property."}},
            },
            "status": {
                "type": "object", "description": "Status of Waldo",
                "properties": {"bars": {"type": "array", "description": "List of Bars.", "items": {"type": "object"}}},
            },
        },
    })
}

/// `[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema
/// [Conformance]`
#[test]
fn works_for_crd_with_validation_schema() {
    let cluster = Cluster::start();
    let foo = Custom { cluster: &cluster, group: "foo.example.com", version: "v1", kind: "Foo" };
    foo.define(&foo_schema());
    foo.is_published_as(&foo_schema());
    foo.accepts(json!({"spec": {"bars": [{"name": "test-bar"}]}}));
    foo.refuses(json!({"spec": {"foo": true}}), r#"unknown field "spec.foo""#);
    foo.refuses(json!({"spec": {"bars": [{"age": "10"}]}}), "spec.bars[0].name: Required value");

    foo.is_explained(
        "",
        "DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*spec.*<Object>.*\
         Specification of Foo",
    );
    foo.is_explained(
        ".metadata",
        "DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*\
         CreationTimestamp is a timestamp",
    );
    foo.is_explained(
        ".spec",
        r"DESCRIPTION:.*Specification of Foo.*FIELDS:.*bars.*<\[\]Object>.*List of Bars and their specs",
    );
    foo.is_explained(
        ".spec.bars",
        concat!(
            r"FIELD:.*bars.*<\[\]Object>.*DESCRIPTION:.*List of Bars and their specs.*FIELDS:.*",
            r"bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar",
        ),
    );
    let said = cluster.kubectl("explain foos.spec.bars2").failed();
    assert!(said.contains(r#"field "bars2" does not exist"#), "{said}");
    foo.remove();
}

/// `[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields at
/// the schema root [Conformance]`
#[test]
fn works_for_crd_preserving_unknown_fields_at_the_schema_root() {
    let cluster = Cluster::start();
    let waldo = Custom { cluster: &cluster, group: "root.example.com", version: "v1", kind: "Waldo" };
    let mut schema = waldo_schema("preserve-unknown-properties at root for Testing");
    schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
    waldo.define(&schema);
    waldo.is_published();
    waldo.accepts(json!({"a": {"b": [{"c": "d"}]}}));
    waldo.is_explained("", "KIND:.*Waldo");
    waldo.remove();
}

/// `[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields in
/// an embedded object [Conformance]`
#[test]
fn works_for_crd_preserving_unknown_fields_in_an_embedded_object() {
    let cluster = Cluster::start();
    let waldo = Custom { cluster: &cluster, group: "nested.example.com", version: "v1", kind: "Waldo" };
    let mut schema = waldo_schema("preserve-unknown-properties in nested field for Testing");
    schema["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] = json!(true);
    waldo.define(&schema);
    waldo.is_published();
    waldo.accepts(json!({"spec": {"a": null, "b": [{"c": "d"}]}}));
    waldo.is_explained("", "DESCRIPTION:.*preserve-unknown-properties in nested field for Testing");
    waldo.remove();
}

/// Defines two kinds, the first by the schema of Foo, sees both published, and removes them one after the other.
fn both_are_published(first: &Custom<'_>, second: &Custom<'_>) {
    let waldo_schema = waldo_schema("Waldo CRD for Testing");
    first.define(&foo_schema());
    second.define(&waldo_schema);
    second.is_published_as(&waldo_schema);
    first.is_published_as(&foo_schema());
    first.remove();
    second.is_published_as(&waldo_schema);
    second.remove();
}

/// `[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different groups
/// [Conformance]`
#[test]
fn works_for_multiple_crds_of_different_groups() {
    let cluster = Cluster::start();
    let foo = Custom { cluster: &cluster, group: "foo.example.com", version: "v1", kind: "Foo" };
    let waldo = Custom { cluster: &cluster, group: "waldo.example.com", version: "v1beta1", kind: "Waldo" };
    both_are_published(&foo, &waldo);
}

/// `[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group and
/// version but different kinds [Conformance]`
#[test]
fn works_for_multiple_crds_of_same_group_and_version_but_different_kinds() {
    let cluster = Cluster::start();
    let foo = Custom { cluster: &cluster, group: "common.example.com", version: "v6", kind: "Foo" };
    let waldo = Custom { cluster: &cluster, group: "common.example.com", version: "v6", kind: "Waldo" };
    both_are_published(&foo, &waldo);
}
