//! JSON documents: made of decisions, or written down in a seed.

use coracle_api::catalog::{Catalog, Resource};
use coracle_api::schema::{Field, Scalar, Schemas, Type, values_of};
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};

use super::supply::Supply;

/// Levels of structs in structs that are made up.
const MAX_DEPTH: usize = 12;

static ROWS: LazyLock<Vec<Arc<Resource>>> = LazyLock::new(|| Catalog::builtin().rows().to_vec());
/// Those that can be patched; reviews are not stored.
static STORED: LazyLock<Vec<Arc<Resource>>> =
    LazyLock::new(|| ROWS.iter().filter(|row| row.allows("patch")).cloned().collect());

/// Texts that mean something somewhere.
const TEXTS: [&str; 40] = [
    "a",
    "b",
    "",
    "web",
    "x/y",
    "example.com/a",
    "TCP",
    "UDP",
    "Always",
    "Never",
    "ClusterIP",
    "None",
    "10.96.0.1",
    "::1",
    "10.0.0.0/8",
    "50%",
    "100m",
    "1Gi",
    "-1",
    "0",
    "80",
    "http",
    "Delete",
    "Exists",
    "In",
    "default",
    "metadata.name",
    "kubernetes.io/hostname",
    "2026-01-01T00:00:00Z",
    "$(A)",
    "/data",
    "../x",
    "*",
    "é",
    "RollingUpdate",
    "Recreate",
    "v1",
    "apps/v1",
    "Pod",
    "spec.nodeName",
];
const QUANTITIES: [&str; 10] = [
    "0",
    "1",
    "100m",
    "1Gi",
    "1.5",
    "-3",
    "1e3",
    "9223372036854775807",
    "0.000000001",
    "123456789012345678901234567890",
];
const TIMES: [&str; 5] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.123456Z",
    "1970-01-01T00:00:00Z",
    "2026-02-28T23:59:59.999999999+14:00",
    "9999-12-30T22:00:00Z",
];
const BYTES: [&str; 4] = ["", "eA==", "AAECAwQ=", "bGluZQ\n=="];

/// A resource that the API serves.
pub fn resource(supply: &mut Supply<'_>) -> Arc<Resource> {
    one_of(supply, &ROWS)
}

/// A resource whose objects can be changed.
pub fn stored_resource(supply: &mut Supply<'_>) -> Arc<Resource> {
    one_of(supply, &STORED)
}

fn one_of(supply: &mut Supply<'_>, rows: &[Arc<Resource>]) -> Arc<Resource> {
    // Those that most is said about come first.
    const FAVOURITES: [(&str, &str); 6] = [
        ("v1", "Pod"),
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "Job"),
        ("v1", "ConfigMap"),
        ("apps/v1", "StatefulSet"),
    ];
    let index = supply.below(FAVOURITES.len() + rows.len());
    match FAVOURITES.get(index) {
        Some((api_version, kind)) => of_kind(api_version, kind).expect("a row that every cluster has"),
        None => Arc::clone(&rows[index - FAVOURITES.len()]),
    }
}

/// The row of a kind.
pub fn of_kind(api_version: &str, kind: &str) -> Option<Arc<Resource>> {
    ROWS.iter().find(|row| row.kind == kind && row.api_version() == api_version).cloned()
}

/// The same for a kind whose objects can be changed.
pub fn of_stored(document: &Value) -> Option<Arc<Resource>> {
    of_document(document).filter(|row| row.allows("patch"))
}

/// The row that a document says it is of.
pub fn of_document(document: &Value) -> Option<Arc<Resource>> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    of_kind(text("apiVersion"), text("kind"))
}

/// The documents of a seed, one on each line; `None` when the bytes are no such thing but decisions.
pub fn written(data: &[u8]) -> Option<Vec<Value>> {
    if data.first() != Some(&b'{') {
        return None;
    }
    let read = |line| coracle_api::decode::parse_json(line).ok().map(|parsed| parsed.value);
    data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
}

/// An object of the kind: mostly of the right types, seldom complete.
pub fn object(supply: &mut Supply<'_>, resource: &Resource) -> Value {
    let root = Schemas::builtin().root(&resource.api_version(), &resource.kind);
    let mut object = Maker { supply, odd: 32 }.value(&root.map_or(Type::Any, Type::Object), None, MAX_DEPTH);
    if !object.is_object() {
        object = json!({});
    }
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    let named = object.get("metadata").is_some_and(|metadata| metadata.get("name").is_some_and(Value::is_string));
    if !named {
        object["metadata"] = json!({ "name": "a" });
    }
    object
}

/// Values of the types of a schema.
struct Maker<'s, 'a> {
    supply: &'s mut Supply<'a>,
    /// One value in so many is of another type.
    odd: usize,
}

impl Maker<'_, '_> {
    fn value(&mut self, ty: &Type, owner: Option<(&str, &Field)>, depth: usize) -> Value {
        if self.supply.once_in(self.odd) {
            return anything(self.supply, 2);
        }
        match ty {
            Type::Object(id) => {
                let object = Schemas::builtin().object(*id);
                let mut fields = Map::new();
                for field in self.fields(object.fields(), depth) {
                    let value = self.value(&field.ty, Some((object.go_struct(), field)), depth - 1);
                    fields.insert(field.name.to_string(), value);
                }
                Value::Object(fields)
            }
            Type::Map(element) => {
                let count = if depth == 0 { 0 } else { self.supply.below(4) };
                (0..count).map(|_| (text(self.supply), self.value(element, None, depth.saturating_sub(1)))).collect()
            }
            Type::List(element) => {
                let count = if depth == 0 { 0 } else { self.supply.below(4) };
                (0..count).map(|_| self.value(element, owner, depth.saturating_sub(1))).collect()
            }
            Type::Scalar(scalar) => self.scalar(*scalar, owner),
            Type::Any => anything(self.supply, 3),
        }
    }

    /// Some fields of a struct: those that Go always has are more likely than others.
    fn fields<'f>(&mut self, all: &'f [Field], depth: usize) -> Vec<&'f Field> {
        if depth == 0 || all.is_empty() || self.supply.is_empty() {
            return Vec::new();
        }
        let decisions = self.supply.byte();
        let mut chosen: Vec<&Field> = (0..decisions & 7).map(|_| self.supply.pick(all)).collect();
        if decisions & 8 == 0 {
            chosen.extend(all.iter().filter(|field| field.is_always));
        }
        chosen
    }

    fn scalar(&mut self, scalar: Scalar, owner: Option<(&str, &Field)>) -> Value {
        match scalar {
            Scalar::String => {
                let allowed = owner.and_then(|(object, field)| values_of(object, &field.name)).unwrap_or_default();
                if allowed.is_empty() || self.supply.once_in(8) {
                    json!(text(self.supply))
                } else {
                    json!(self.supply.pick(allowed))
                }
            }
            Scalar::Bool => json!(self.supply.once_in(2)),
            Scalar::Int32 => json!(self.supply.integer() as i32),
            Scalar::Int64 => json!(self.supply.integer()),
            Scalar::Double => json!(self.supply.integer() as f64 / 8.0),
            Scalar::Bytes => json!(self.supply.pick(&BYTES)),
            Scalar::IntOrString if self.supply.once_in(2) => json!(text(self.supply)),
            Scalar::IntOrString => json!(self.supply.integer() as i32),
            Scalar::Quantity => json!(self.supply.pick(&QUANTITIES)),
            Scalar::Time | Scalar::MicroTime => json!(self.supply.pick(&TIMES)),
        }
    }
}

/// A text: one that means something, or any.
pub fn text(supply: &mut Supply<'_>) -> String {
    if supply.once_in(8) {
        return String::from_utf8_lossy(supply.take(12)).into_owned();
    }
    (*supply.pick(&TEXTS)).to_string()
}

/// Any JSON.
pub fn anything(supply: &mut Supply<'_>, depth: usize) -> Value {
    match supply.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(supply.once_in(2)),
        2 => json!(supply.integer()),
        3 => json!(supply.integer().cast_unsigned()),
        4 => json!(supply.integer() as f64 / 16.0),
        5 => json!(text(supply)),
        6 => (0..supply.below(4)).map(|_| anything(supply, depth - 1)).collect(),
        _ => (0..supply.below(4)).map(|_| (text(supply), anything(supply, depth - 1))).collect(),
    }
}

/// Prints what decisions became, for whoever looks at a finding.
pub fn show(what: &str, document: &Value) {
    static SHOWS: LazyLock<bool> = LazyLock::new(|| std::env::var_os("CORACLE_FUZZ_SHOW").is_some());
    if *SHOWS {
        eprintln!("{what}: {document}");
    }
}

/// The value without fields that are `null`.
pub fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(|field| *field = without_nulls(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_nulls(item.take())),
        _ => {}
    }
    value
}

/// How deep a value is nested.
pub fn depth(value: &Value) -> usize {
    coracle_api::decode::depth_of(value)
}
