//! What the stored FlowSchemas and PriorityLevelConfigurations say, ready to be asked about every request.
//!
//! Invariant: a request is classified by the objects that are stored when it comes. What was compiled before is used again
//! only as long as neither list has changed, which is a comparison of pointers.

use std::collections::HashMap;
use std::sync::Arc;

use coracle_api::meta;
use coracle_store::{Scope, Snapshot, Store};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::meter::{Meter, Metrics};
use super::spec::{CATCH_ALL, EXEMPT, LevelSpec, SchemaSpec};
use crate::authz::Attributes;
use crate::bootstrap;
use crate::identity::User;

/// Where FlowSchemas and PriorityLevelConfigurations are stored.
pub(super) const SCHEMAS: &str = "flowschemas.flowcontrol.apiserver.k8s.io";
pub(super) const LEVELS: &str = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io";

/// Headers that say which objects a request was classified by. Uids, as names may not be for everybody.
const SCHEMA_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const LEVEL_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");

/// The two lists that a configuration is made of.
pub(super) struct Lists {
    schemas: Snapshot,
    levels: Snapshot,
}

impl Lists {
    pub(super) fn read(store: &Store, (schemas, levels): (&Scope, &Scope)) -> Self {
        Self { schemas: store.list(schemas), levels: store.list(levels) }
    }

    pub(super) fn are_unchanged_since(&self, other: &Self) -> bool {
        self.schemas.is_unchanged_since(&other.schemas) && self.levels.is_unchanged_since(&other.levels)
    }
}

/// A schema with the level that it leads to.
pub(super) struct Route {
    schema: SchemaSpec,
    /// The name of the level.
    pub(super) level: Arc<str>,
    /// Its requests always have a seat.
    pub(super) exempt: bool,
    pub(super) meter: Meter,
    schema_uid: HeaderValue,
    level_uid: HeaderValue,
}

impl Route {
    pub(super) fn new(schema: SchemaSpec, level: &LevelSpec, metrics: &Metrics) -> Self {
        let header = |uid: &str| HeaderValue::from_str(uid).unwrap_or(HeaderValue::from_static(""));
        Self {
            level: level.name.clone(),
            exempt: level.is_exempt(),
            meter: metrics.of(&level.name, &schema.name),
            schema_uid: header(&schema.uid),
            level_uid: header(&level.uid),
            schema,
        }
    }

    /// The number of the request's flow.
    pub(super) fn flow(&self, user: &User, attributes: &Attributes<'_>) -> u64 {
        super::deal::flow(&self.schema.name, self.schema.distinguish(user, attributes))
    }

    /// Says in an answer how its request was classified.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(SCHEMA_UID, self.schema_uid.clone());
        headers.insert(LEVEL_UID, self.level_uid.clone());
    }
}

/// See the module's documentation.
pub(super) struct Config {
    pub(super) lists: Lists,
    pub(super) levels: Vec<LevelSpec>,
    /// In the order in which they are asked.
    routes: Vec<Arc<Route>>,
}

impl Config {
    pub(super) fn compile(lists: Lists, metrics: &Metrics) -> Self {
        let stored: Vec<Value> = objects(&lists.levels).collect();
        let mut levels: Vec<LevelSpec> = stored.iter().filter_map(LevelSpec::read).collect();
        // Without its object a mandatory level is as every cluster begins with it.
        for name in [EXEMPT, CATCH_ALL] {
            if !levels.iter().any(|level| &*level.name == name) {
                let all = bootstrap::priority_levels();
                levels.extend(all.iter().filter(|level| meta::name(level) == name).filter_map(LevelSpec::read));
            }
        }
        let mut schemas: Vec<SchemaSpec> = objects(&lists.schemas).map(|schema| SchemaSpec::read(&schema)).collect();
        for name in [EXEMPT, CATCH_ALL] {
            if !schemas.iter().any(|schema| &*schema.name == name) {
                let all = bootstrap::flow_schemas();
                schemas.extend(all.iter().filter(|schema| meta::name(schema) == name).map(SchemaSpec::read));
            }
        }
        schemas.sort_by(|a, b| a.order().cmp(&b.order()));
        let by_name: HashMap<&str, &LevelSpec> = levels.iter().map(|level| (&*level.name, level)).collect();
        let route = |schema: SchemaSpec| {
            // One that leads nowhere is about nothing.
            let level = by_name.get(schema.level.as_str())?;
            Some(Arc::new(Route::new(schema, level, metrics)))
        };
        let routes = schemas.into_iter().filter_map(route).collect();
        Self { lists, levels, routes }
    }

    /// The first route that is about a request: the catch-all one, if its user is in none of the groups that all users are in.
    pub(super) fn route(&self, user: &User, attributes: &Attributes<'_>) -> Option<&Arc<Route>> {
        let found = self.routes.iter().find(|route| route.schema.matches(user, attributes));
        found.or_else(|| self.routes.iter().rev().find(|route| &*route.schema.name == CATCH_ALL))
    }

    /// What this configuration counts and a later one does not.
    pub(super) fn forget_in(&self, later: &Self, metrics: &Metrics) {
        for route in &self.routes {
            if !later.routes.iter().any(|other| other.meter.is_same_as(&route.meter)) {
                metrics.forget(&route.meter);
            }
        }
        for level in &self.levels {
            if !later.levels.iter().any(|other| other.name == level.name) {
                metrics.nominal(&level.name, None);
            }
        }
    }
}

/// The objects of a list, without those that don't parse.
pub(super) fn objects(list: &Snapshot) -> impl Iterator<Item = Value> + '_ {
    list.iter().filter_map(|record| match serde_json::from_slice(&record.json) {
        Ok(object) => Some(object),
        Err(error) => {
            tracing::error!(key = %record.key, %error, "a stored object does not parse");
            None
        }
    })
}
