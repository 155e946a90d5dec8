//! What differs between two objects.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ShapeError;
use super::elements::{Elements, grouped, keyed, values};
use super::ignored::Ignored;
use super::path::{Element, Trail};
use super::set::FieldSet;
use super::shape::{Shape, Shaped};
use super::to_set::{self, Count};

/// The difference, as sets of fields.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Fields that are new or have another value.
    pub(super) changed: FieldSet,
    /// Fields that are no longer there.
    pub(super) removed: FieldSet,
}

impl Change {
    fn put(&mut self, element: Element, below: Self) {
        self.changed.put(element.clone(), below.changed);
        self.removed.put(element, below.removed);
    }

    /// Leaves fields out.
    pub(super) fn filter(&mut self, ignored: &Ignored) {
        self.changed = ignored.filter(std::mem::take(&mut self.changed));
        self.removed = ignored.filter(std::mem::take(&mut self.removed));
    }

    /// What is removed because a configuration with these fields has `null` there is changed: its owners are to agree.
    pub(super) fn take_away(&mut self, configured: &FieldSet) {
        self.changed.add(self.removed.intersection(configured));
        self.removed = self.removed.difference(configured);
    }

    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    fn leaf() -> Self {
        Self { changed: FieldSet::leaf(), removed: FieldSet::default() }
    }
}

/// Compares two objects of the shape.
pub(super) fn compare(shaped: &Shaped<'_>, old: &Value, new: &Value) -> Result<Change, ShapeError> {
    both(shaped, old, new, &Trail::Root)
}

fn both(shaped: &Shaped<'_>, old: &Value, new: &Value, path: &Trail<'_>) -> Result<Change, ShapeError> {
    if old == new {
        return Ok(Change::default());
    }
    let shape = shaped.shape();
    // Where nothing is on one side, `null` is as good as an empty map or list.
    if matches!(shape, Shape::Atom) || (is_void(old) && is_void(new)) {
        return Ok(Change::leaf());
    }
    let nothing = Map::new();
    match (shape, old, new) {
        (Shape::Struct | Shape::Map, Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) => {
            let old = match old {
                Value::Object(fields) => fields,
                _ => &nothing,
            };
            let new = match new {
                Value::Object(fields) => fields,
                _ => &nothing,
            };
            maps(shaped, old, new, path)
        }
        (Shape::List(keys), Value::Array(_) | Value::Null, Value::Array(_) | Value::Null) => {
            lists(shaped, keyed(old, &keys, path)?, keyed(new, &keys, path)?, path)
        }
        (Shape::Set, Value::Array(_) | Value::Null, Value::Array(_) | Value::Null) => {
            lists(shaped, values(old), values(new), path)
        }
        // Nobody knows the shape before the value does, and it has another one now.
        _ => {
            let changed = to_set::below(shaped, new, Count::Every, path)?.with_member();
            let removed =
                if old.is_object() { to_set::below(shaped, old, Count::Every, path)? } else { FieldSet::default() };
            Ok(Change { changed, removed })
        }
    }
}

fn maps(
    shaped: &Shaped<'_>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    path: &Trail<'_>,
) -> Result<Change, ShapeError> {
    let mut change = Change::default();
    for (name, (old, new)) in pairs(old.iter(), new.iter()) {
        let Some(below) = shaped.field(name) else { continue };
        // What Go has without it being set is there on both sides.
        let zero = shaped.zero(name);
        let below = side(&below, (old.or(zero), new.or(zero)), &path.field(name))?;
        if !below.is_empty() {
            change.put(Element::field(name), below);
        }
    }
    Ok(change)
}

/// Compares lists element by element. Elements that come more than once are compared as one thing.
fn lists(shaped: &Shaped<'_>, old: Elements<'_>, new: Elements<'_>, path: &Trail<'_>) -> Result<Change, ShapeError> {
    let (mut change, element) = (Change::default(), shaped.element());
    let (old, new) = (grouped(old), grouped(new));
    for (own, (old, new)) in pairs(old.iter(), new.iter()) {
        let (old, new) = (old.map(Vec::as_slice).unwrap_or_default(), new.map(Vec::as_slice).unwrap_or_default());
        let compared = |old: Option<&&Value>, new: Option<&&Value>| match own {
            Element::Key(_) => side(&element, (old.copied(), new.copied()), &path.element(own)),
            _ => side(&Shaped::Atom, (old.copied(), new.copied()), path),
        };
        let mut below = match (old.len(), new.len()) {
            (0 | 1, 0 | 1) => compared(old.first(), new.first())?,
            (2.., 2..) if old == new => Change::default(),
            (2.., 2..) => Change::leaf(),
            (2.., 0) => Change::default(),
            (2.., _) => compared(None, new.first())?,
            (0, _) => Change::default(),
            _ => compared(old.first(), None)?,
        };
        match (old.len(), new.len()) {
            (2.., 0 | 1) => below.removed = below.removed.with_member(),
            (0 | 1, 2..) => below.changed = below.changed.with_member(),
            _ => {}
        }
        if !below.is_empty() {
            change.put(own.clone(), below);
        }
    }
    Ok(change)
}

type Pair<'v> = (Option<&'v Value>, Option<&'v Value>);

/// Compares what one or both sides have.
fn side(shaped: &Shaped<'_>, pair: Pair<'_>, path: &Trail<'_>) -> Result<Change, ShapeError> {
    let of = |value: &Value| Ok(to_set::below(shaped, value, Count::Every, path)?.with_member());
    match pair {
        (Some(old), Some(new)) => both(shaped, old, new, path),
        (Some(old), None) => Ok(Change { removed: of(old)?, ..Change::default() }),
        (None, Some(new)) => Ok(Change { changed: of(new)?, ..Change::default() }),
        (None, None) => Ok(Change::default()),
    }
}

fn is_void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Both sides of each key, in order.
fn pairs<'v, K: Ord, V>(
    old: impl Iterator<Item = (&'v K, &'v V)>,
    new: impl Iterator<Item = (&'v K, &'v V)>,
) -> BTreeMap<&'v K, (Option<&'v V>, Option<&'v V>)> {
    let mut pairs: BTreeMap<_, _> = old.map(|(key, value)| (key, (Some(value), None))).collect();
    for (key, value) in new {
        pairs.entry(key).or_insert((None, None)).1 = Some(value);
    }
    pairs
}
