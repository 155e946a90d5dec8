//! Sets of fields, as trees: what `fieldsV1` encodes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value, json};

use super::path::Element;
use super::shape::{Shape, Shaped};

/// A set of paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FieldSet {
    /// Whether the path to here is in the set itself.
    member: bool,
    children: BTreeMap<Element, FieldSet>,
}

impl FieldSet {
    /// No path at all.
    pub(super) const EMPTY: &'static Self = &Self { member: false, children: BTreeMap::new() };

    /// Only the path to here.
    pub(super) fn leaf() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    pub(super) fn is_member(&self) -> bool {
        self.member
    }

    pub(super) fn child(&self, element: &Element) -> Option<&Self> {
        self.children.get(element)
    }

    /// Puts a set below an element; an empty one leaves no trace.
    pub(super) fn put(&mut self, element: Element, below: Self) {
        if below.is_empty() {
            return;
        }
        match self.children.entry(element) {
            Entry::Vacant(place) => {
                place.insert(below);
            }
            Entry::Occupied(mut known) => known.get_mut().add(below),
        }
    }

    /// Adds the path to here.
    pub(super) fn with_member(mut self) -> Self {
        self.member = true;
        self
    }

    /// Adds all paths of another set.
    pub(super) fn add(&mut self, other: Self) {
        self.member |= other.member;
        for (element, theirs) in other.children {
            self.put(element, theirs);
        }
    }

    pub(super) fn union(mut self, other: &Self) -> Self {
        self.add(other.clone());
        self
    }

    /// The paths of this set that `other` does not have.
    pub(super) fn difference(&self, other: &Self) -> Self {
        self.combine(
            other,
            |ours, theirs| ours && !theirs,
            |child, theirs| theirs.map_or_else(|| child.clone(), |theirs| child.difference(theirs)),
        )
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.combine(
            other,
            |ours, theirs| ours && theirs,
            |child, theirs| theirs.map_or_else(Self::default, |theirs| child.intersection(theirs)),
        )
    }

    /// The paths of this set that are neither in `other` nor below a path of it.
    pub(super) fn outside(&self, other: &Self) -> Self {
        if other.member {
            return Self::default();
        }
        let below = |child: &Self, theirs: Option<&Self>| match theirs {
            Some(theirs) => child.outside(theirs),
            None => child.clone(),
        };
        self.combine(other, |ours, _| ours, below)
    }

    /// The paths at and below an element.
    pub(super) fn only(&self, element: &Element) -> Self {
        let child = self.children.get(element).cloned();
        Self { member: false, children: child.map(|child| (element.clone(), child)).into_iter().collect() }
    }

    /// Whether every path of this set is in `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        (other.member || !self.member)
            && self
                .children
                .iter()
                .all(|(element, child)| other.children.get(element).is_some_and(|theirs| child.is_within(theirs)))
    }

    /// The set with all fields of structs in it that lead to one of its paths.
    pub(super) fn with_structs(&self, shaped: &Shaped<'_>) -> Self {
        let is_struct = matches!(shaped.shape(), Shape::Struct);
        let child = |(element, child): (&Element, &Self)| {
            let (below, named) = match element {
                Element::Field(name) if is_struct => match shaped.field(name) {
                    None | Some(Shaped::Deduced) => (Shaped::Deduced, false),
                    Some(below) => (below, true),
                },
                Element::Field(_) | Element::Key(_) => (shaped.element(), false),
                Element::Value(_) | Element::Index(_) => (Shaped::Atom, false),
            };
            let mut child = child.with_structs(&below);
            child.member |= named;
            (element.clone(), child)
        };
        Self { member: self.member, children: self.children.iter().map(child).collect() }
    }

    fn combine(
        &self,
        other: &Self,
        member: impl Fn(bool, bool) -> bool,
        below: impl Fn(&Self, Option<&Self>) -> Self,
    ) -> Self {
        let mut combined = Self { member: member(self.member, other.member), children: BTreeMap::new() };
        for (element, child) in &self.children {
            let child = below(child, other.children.get(element));
            if !child.is_empty() {
                combined.children.insert(element.clone(), child);
            }
        }
        combined
    }

    /// Takes a path out, but not what is below it.
    pub(super) fn forget_member(&mut self, path: &[Element]) {
        self.at(path, |set| set.member = false);
    }

    fn at(&mut self, path: &[Element], change: impl FnOnce(&mut Self)) {
        match path {
            [] => change(self),
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(first) {
                    child.at(rest, change);
                    if child.is_empty() {
                        self.children.remove(first);
                    }
                }
            }
        }
    }

    /// How many paths there are.
    pub(super) fn count(&self) -> usize {
        self.children.values().map(|child| usize::from(child.member) + child.count()).sum()
    }

    /// All paths, as error texts print them.
    #[cfg(test)]
    pub(super) fn paths(&self) -> Vec<String> {
        let mut room = usize::MAX;
        self.paths_within(&mut room)
    }

    /// The paths as error texts print them: at each step the paths that end there come first. Those that there is room
    /// for, in bytes, and one more.
    pub(super) fn paths_within(&self, room: &mut usize) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(&mut String::new(), room, &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut String, room: &mut usize, paths: &mut Vec<String>) {
        for (element, _) in self.children.iter().filter(|(_, child)| child.member) {
            if *room == 0 {
                return;
            }
            let path = format!("{prefix}{}", element.display());
            *room = room.saturating_sub(path.len());
            paths.push(path);
        }
        for (element, child) in &self.children {
            if *room == 0 {
                return;
            }
            let length = prefix.len();
            prefix.push_str(&element.display());
            child.collect(prefix, room, paths);
            prefix.truncate(length);
        }
    }

    /// `fieldsV1`
    pub(super) fn encode(&self) -> Value {
        let mut fields: Map<String, Value> =
            self.children.iter().map(|(element, child)| (element.encode(), child.encode())).collect();
        if self.member && !self.children.is_empty() {
            fields.insert(".".into(), json!({}));
        }
        Value::Object(fields)
    }

    /// Reads `fieldsV1`; steps that nobody knows are left out. `None` when it is something else.
    pub(super) fn decode(fields: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (key, below) in fields.as_object()? {
            if key == "." {
                set.member = true;
                continue;
            }
            let child = Self::decode(below)?;
            if let Some(element) = Element::decode(key) {
                set.children.insert(element, if child.is_empty() { Self::leaf() } else { child });
            }
        }
        Some(set)
    }
}
