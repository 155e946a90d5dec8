//! Sets of fields, as trees: what `fieldsV1` encodes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::path::Element;

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
        if !below.is_empty() {
            let known = self.children.entry(element).or_default();
            *known = known.union(&below);
        }
    }

    /// Adds the path to here.
    pub(super) fn with_member(mut self) -> Self {
        self.member = true;
        self
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut children = self.children.clone();
        for (element, theirs) in &other.children {
            let ours = children.entry(element.clone()).or_default();
            *ours = ours.union(theirs);
        }
        Self { member: self.member || other.member, children }
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

    /// The paths of this set that `other` has neither themselves nor anything below: what is really gone.
    pub(super) fn without(&self, other: &Self) -> Self {
        let keep = |ours: bool, _: bool| ours && other.is_empty();
        self.combine(other, keep, |child, theirs| theirs.map_or_else(|| child.clone(), |theirs| child.without(theirs)))
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

    /// Takes a path and all below it out.
    pub(super) fn forget(&mut self, path: &[Element]) {
        self.at(path, |set| *set = Self::default());
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

    /// All paths, as error texts print them.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(&mut String::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut String, paths: &mut Vec<String>) {
        if self.member {
            paths.push(prefix.clone());
        }
        for (element, child) in &self.children {
            let length = prefix.len();
            prefix.push_str(&element.display());
            child.collect(prefix, paths);
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

    /// Reads `fieldsV1`; steps that nobody knows are left out.
    pub(super) fn decode(fields: &Value) -> Self {
        let mut set = Self::default();
        for (key, below) in fields.as_object().into_iter().flatten() {
            if key == "." {
                set.member = true;
            } else if let Some(element) = Element::decode(key) {
                let child = Self::decode(below);
                set.children.insert(element, if child.is_empty() { Self::leaf() } else { child });
            }
        }
        set
    }
}
