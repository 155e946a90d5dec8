//! The order of merged lists: what the patch names comes in the patch's order, what only the server has stays where
//! it was relative to the rest.

use serde_json::Value;

use super::directives::PATCH;
use super::elements::{Positions, identity};
use super::{Result, StrategicError};

/// Checks that the changed elements come in the order that `$setElementOrder` names.
pub(super) fn check(changes: &[Value], wanted: &[Value], key: Option<&'static str>) -> Result<()> {
    let is_deletion = |item: &Value| item.get(PATCH).is_some_and(|directive| directive == "delete");
    let kept: Vec<&Value> = changes.iter().filter(|item| key.is_none() || !is_deletion(item)).collect();
    let mut remaining = wanted.iter();
    for item in &kept {
        // A bare `$patch: replace` element has no key and no place in the order.
        if item.get(PATCH).is_some() {
            continue;
        }
        let wanted_here = identity(item, key)?;
        let found = remaining.any(|other| identity(other, key).is_ok_and(|other| other == wanted_here));
        if !found {
            return Err(StrategicError::OrderMismatch(changes.to_vec().into(), wanted.to_vec().into()));
        }
    }
    Ok(())
}

/// Sorts merged elements: those in `wanted` in that order, the others in the order of `before`, woven together so
/// that an element only the server has keeps its place before the elements it stood before.
pub(super) fn arrange(
    merged: Vec<Value>,
    wanted: &[Value],
    before: &[Value],
    key: Option<&'static str>,
) -> Result<Vec<Value>> {
    let mut named: Vec<(usize, Option<usize>, Value)> = Vec::new();
    let mut others: Vec<(Option<usize>, Value)> = Vec::new();
    let (ranks, places) = (Positions::of(wanted, key), Positions::of(before, key));
    for item in merged {
        let own = identity(&item, key)?;
        let place = places.get(own);
        match ranks.get(own) {
            Some(rank) => named.push((rank, place, item)),
            None => others.push((place, item)),
        }
    }
    named.sort_by_key(|(rank, _, _)| *rank);
    others.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (_, place, item) in named {
        let comes_first =
            |theirs: Option<usize>| matches!((theirs, place), (Some(theirs), Some(ours)) if theirs < ours);
        while let Some((_, other)) = others.next_if(|(theirs, _)| comes_first(*theirs)) {
            arranged.push(other);
        }
        arranged.push(item);
    }
    arranged.extend(others.map(|(_, other)| other));
    Ok(arranged)
}
