//! Everything about a schema besides its being structural: forbidden constructs, list and map types, CEL rules with their costs
//! (`apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`).

mod costs;
mod forbidden;
mod lists;
mod rules;

use serde_json::Value;

use super::flag;
use crate::field::{FieldError, Path};
pub(super) use costs::{Costs, Place};

/// What is true of all of a subtree.
#[derive(Debug, Clone, Default)]
struct Context {
    /// Why there may be no defaults.
    no_defaults: Option<String>,
    /// Inside of `metadata` or its like.
    in_metadata: bool,
    /// The part above whose elements have no past, so that `oldSelf` means nothing.
    uncorrelated: Option<Path>,
    is_root: bool,
}

/// All errors; expressions are looked at if `costs` are there to be added up.
pub(super) fn errors(schema: &Value, path: &Path, costs: Option<&mut Costs>) -> Vec<FieldError> {
    let mut walk = Walk { schema_errors: Vec::new(), rule_errors: Vec::new(), costs };
    let place = walk.costs.as_ref().map(|costs| costs.root());
    walk.node(schema, path, &Context { is_root: true, ..Context::default() }, place);
    walk.schema_errors.extend(walk.rule_errors);
    walk.schema_errors
}

struct Walk<'c> {
    schema_errors: Vec<FieldError>,
    rule_errors: Vec<FieldError>,
    costs: Option<&'c mut Costs>,
}

impl Walk<'_> {
    fn node(&mut self, schema: &Value, path: &Path, context: &Context, place: Option<Place>) {
        let before = self.schema_errors.len();
        forbidden::errors(schema, path, context, &mut self.schema_errors);
        let inner = Context { is_root: false, ..context.clone() };
        self.fields(schema, path, context, place.as_ref());
        for junctor in ["allOf", "oneOf", "anyOf"] {
            for (index, part) in schema[junctor].as_array().into_iter().flatten().enumerate() {
                self.node(part, &path.child(junctor).index(index), &inner, None);
            }
        }
        if let Some(not) = schema.get("not").filter(|not| not.is_object()) {
            self.node(not, &path.child("not"), &inner, None);
        }
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            let mut below = inner.clone();
            if schema["x-kubernetes-list-type"] != "map" {
                below.uncorrelated.get_or_insert_with(|| path.clone());
            }
            let place = place.as_ref().and_then(|place| place.items());
            self.node(items, &path.child("items"), &below, place);
        }
        lists::errors(schema, path, &mut self.schema_errors);
        // Where the schema is wrong, what its rules say about it would only confuse.
        let is_sound = self.schema_errors.len() == before;
        let place = place.filter(|_| is_sound);
        rules::errors(schema, path, context, place, self);
    }

    fn fields(&mut self, schema: &Value, path: &Path, context: &Context, place: Option<&Place>) {
        let inner = Context { is_root: false, ..context.clone() };
        if let Some(additional) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
            let mut below = inner.clone();
            if context.in_metadata {
                below.no_defaults = Some("inside additionalProperties applying to object metadata".into());
            }
            let place = place.and_then(Place::additional);
            self.node(additional, &path.child("additionalProperties"), &below, place);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut below = inner.clone();
            if schema["x-kubernetes-map-type"] == "atomic" {
                below.uncorrelated.get_or_insert_with(|| path.clone());
            }
            let is_resource = context.is_root || flag(schema, "x-kubernetes-embedded-resource");
            if is_resource && ["metadata", "kind", "apiVersion"].contains(&name.as_str()) {
                below.in_metadata = true;
                if context.is_root {
                    below.no_defaults = Some(format!("in top-level {name}"));
                }
            }
            let place = place.and_then(|place| place.property(name));
            self.node(property, &path.child("properties").key(name), &below, place);
        }
    }
}
