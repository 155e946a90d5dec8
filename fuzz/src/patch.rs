//! JSON patch, merge patch and strategic merge patch, on objects of built-in kinds.
//!
//! Promises: no patch makes an object much larger than object and patch together, or nested too deep; what was patched
//! decodes to itself; a merge patch changes nothing when it comes again, and a strategic merge patch without directives
//! nothing the third time; an object merged into itself stays; a JSON patch that tests what is there and puts it where it is changes nothing.

use coracle_api::catalog::Resource;
use coracle_api::decode::{FieldValidation, MAX_DEPTH, decode};
use coracle_api::patch::{PatchKind, apply_patch, patch_object};
use serde_json::{Value, json};

use super::documents::{anything, depth, object, of_stored, show, stored_resource, text, written};
use super::supply::Supply;

/// Bytes that the `copy` operations of a patch may add.
const COPY_BYTES: usize = 3 << 20;

/// The names of directives, with fields that they are about.
const DIRECTIVES: [&str; 8] = [
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$setElementOrder/ports",
    "$setElementOrder/env",
    "$deleteFromPrimitiveList/finalizers",
    "$deleteFromPrimitiveList/args",
    "$setElementOrder/volumes",
];

/// Checks one input: two documents on two lines, or decisions.
pub fn check(data: &[u8]) {
    if let Some(documents) = written(data) {
        let [current, patch] = documents.as_slice() else { return };
        let Some(resource) = of_stored(current) else { return };
        for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::StrategicMerge] {
            one(&resource, kind, current.clone(), patch.to_string().as_bytes());
        }
        return;
    }
    let mut supply = Supply::new(data);
    let kind = *supply.pick(&[PatchKind::StrategicMerge, PatchKind::Json, PatchKind::Merge]);
    let resource = stored_resource(&mut supply);
    let current = object(&mut supply, &resource);
    let patch = match kind {
        PatchKind::Json => operations(&mut supply, &current),
        _ => {
            let mut patch = object(&mut supply, &resource);
            disturb(&mut supply, &mut patch, kind == PatchKind::StrategicMerge);
            patch
        }
    };
    one(&resource, kind, current, patch.to_string().as_bytes());
}

fn one(resource: &Resource, kind: PatchKind, current: Value, patch: &[u8]) {
    show(&format!("{kind:?} of"), &current);
    show("by", &json!(String::from_utf8_lossy(patch)));
    let Ok((current, _)) = decode(resource, current, FieldValidation::Ignore) else { return };
    if let Ok(once) = apply_patch(resource, kind, &current, patch) {
        assert!(depth(&once) <= MAX_DEPTH, "nested too deep");
        let (before, after) = (current.to_string().len(), once.to_string().len());
        assert!(after <= before + patch.len() + COPY_BYTES, "{before} bytes became {after}");
    }
    if let Ok((once, _)) = patch_object(resource, kind, &current, patch, FieldValidation::Ignore) {
        let (again, _) = decode(resource, once.clone(), FieldValidation::Ignore).expect("what was patched decodes");
        assert_eq!(once, again, "decoding changes what was patched");
        if repeats(kind, patch) {
            let again = |object: &Value| patch_object(resource, kind, object, patch, FieldValidation::Ignore);
            match (kind, again(&once)) {
                (PatchKind::Merge, twice) => assert_eq!(twice.map(|(twice, _)| twice), Ok(once)),
                // A strategic merge looks at merge keys and for duplicates only in lists that are there.
                (_, Ok((twice, _))) => {
                    let (thrice, _) = again(&twice).expect("what was applied twice can be applied again");
                    assert_eq!(twice, thrice, "a third time changes something");
                }
                (_, Err(_)) => {}
            }
        }
    }
    let _ = patch_object(resource, kind, &current, patch, FieldValidation::Strict);
    identities(resource, &current);
}

/// Patches that say what is so.
fn identities(resource: &Resource, current: &Value) {
    let whole = current.to_string();
    if !has_nulls(current) {
        let merged = apply_patch(resource, PatchKind::Merge, current, whole.as_bytes());
        assert_eq!(merged.as_ref(), Ok(current), "merging an object into itself");
    }
    let steps = json!([
        { "op": "test", "path": "", "value": current },
        { "op": "add", "path": "/zzz", "value": current },
        { "op": "copy", "from": "/zzz", "path": "/yyy" },
        { "op": "move", "from": "/yyy", "path": "/xxx" },
        { "op": "remove", "path": "/xxx" },
        { "op": "remove", "path": "/zzz" },
        { "op": "replace", "path": "", "value": current },
    ]);
    if depth(current) < MAX_DEPTH && current.get("zzz").is_none() && current.get("yyy").is_none() {
        let patched = apply_patch(resource, PatchKind::Json, current, steps.to_string().as_bytes());
        assert_eq!(patched.as_ref(), Ok(current), "there and back by JSON patch");
    }
}

/// Whether a patch says what shall be, and not what to do.
fn repeats(kind: PatchKind, patch: &[u8]) -> bool {
    match kind {
        PatchKind::Merge => true,
        PatchKind::StrategicMerge => !patch.contains(&b'$'),
        _ => false,
    }
}

fn has_nulls(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_nulls),
        Value::Object(fields) => fields.values().any(has_nulls),
        _ => false,
    }
}

/// Puts nulls, and perhaps directives, into a patch.
fn disturb(supply: &mut Supply<'_>, patch: &mut Value, directives: bool) {
    if supply.is_empty() {
        return;
    }
    match patch {
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| disturb(supply, field, directives));
            let decision = supply.byte();
            if decision & 0x0f == 0x0f
                && let Some(name) = fields.keys().nth(supply.below(fields.len())).cloned()
            {
                fields.insert(name, Value::Null);
            }
            if directives && decision & 0x30 == 0x30 {
                let value = match supply.below(4) {
                    0 => json!("delete"),
                    1 => json!("replace"),
                    2 => fields.keys().map(|name| json!(name)).collect(),
                    _ => (0..supply.below(4)).map(|_| json!({ "name": text(supply) })).collect(),
                };
                fields.insert((*supply.pick(&DIRECTIVES)).to_string(), value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| disturb(supply, item, directives)),
        _ => {}
    }
}

/// Operations on places that the document has, or nearly.
fn operations(supply: &mut Supply<'_>, current: &Value) -> Value {
    let mut places = vec![String::new()];
    pointers(current, "", &mut places);
    let place = |supply: &mut Supply<'_>| {
        let mut place = supply.pick(&places).clone();
        match supply.below(8) {
            0 => place.push_str("/new"),
            1 => place.push_str("/-"),
            2 => place.push_str("/0"),
            3 => place.push_str("/~01"),
            _ => {}
        }
        place
    };
    let step = |supply: &mut Supply<'_>| {
        let op = *supply.pick(&["add", "remove", "replace", "move", "copy", "test"]);
        let path = place(supply);
        match op {
            "remove" => json!({ "op": op, "path": path }),
            "move" | "copy" => json!({ "op": op, "from": place(supply), "path": path }),
            "test" if supply.once_in(2) => json!({ "op": op, "path": path, "value": current.pointer(&path) }),
            _ => json!({ "op": op, "path": path, "value": anything(supply, 3) }),
        }
    };
    (0..1 + supply.below(12)).map(|_| step(supply)).collect()
}

/// Where everything in a document is.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |name: &str, value: &Value| {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        pointers(value, &place, found);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| below(name, field)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| below(&index.to_string(), item)),
        _ => {}
    }
}
