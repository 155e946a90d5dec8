//! How many seats a request takes (`k8s.io/apiserver/pkg/util/flowcontrol/request`).

use super::limits::MAX_SEATS;
use crate::http::{Params, Target, Verb};
use crate::hub::Hub;
use crate::read;

/// Objects that a list is through with on one seat.
const OBJECTS_PER_SEAT: usize = 100;
/// More objects than these make no list wider.
const MAX_OBJECTS: usize = OBJECTS_PER_SEAT * MAX_SEATS as usize;

/// The seats of a request: of a list, and of a watch that begins with one, one for each hundred objects that it goes
/// through. Unlike upstream, which knows only how many there are in the cluster, those of other namespaces don't count.
pub(crate) fn seats(hub: &Hub, verb: Verb, target: &Target, params: &Params) -> u32 {
    let lists = match verb {
        Verb::List => true,
        Verb::Watch => params.flag("sendInitialEvents"),
        _ => false,
    };
    let selects = params.get("labelSelector").is_some() || params.get("fieldSelector").is_some();
    if !lists || read::Selected::of(params).name.is_some() {
        return 1;
    }
    let snapshot = hub.store.list(&read::scope(target));
    let limit = params.integer("limit").ok().flatten().and_then(|limit| usize::try_from(limit).ok());
    let most = match limit.filter(|limit| *limit > 0 && !selects && verb == Verb::List) {
        Some(limit) => limit.min(MAX_OBJECTS),
        None => MAX_OBJECTS,
    };
    // Those of one namespace have to be counted.
    let all = target.namespace.is_empty();
    let objects = if all { snapshot.len().min(most) } else { snapshot.iter().take(most).count() };
    u32::try_from(objects.div_ceil(OBJECTS_PER_SEAT)).unwrap_or(MAX_SEATS).clamp(1, MAX_SEATS)
}
