//! Costs of rules: how often each can run, and what all of them come to.

use std::sync::Arc;

use crate::cel::{Decl, MAX_REQUEST_BYTES};
use crate::custom::rules::{SCHEMA_ESTIMATE_LIMIT, declare};
use crate::custom::schema::{Additional, Schema};
use crate::field::{FieldError, Path};

/// How many of the dearest rules are named when the sum is too much.
const NAMED: usize = 4;
/// Rules that are cheaper than this part of the limit are not named.
const NOTABLE_PART: u64 = 100;

/// The schema, and what its rules cost so far.
#[derive(Debug)]
pub(in crate::custom::definition) struct Costs {
    schema: Arc<Schema>,
    total: u64,
    dearest: Vec<(u64, Path)>,
}

/// A node of the schema, and how often it can be there in an object.
#[derive(Debug, Clone)]
pub(in crate::custom::definition) struct Place {
    pub(super) schema: Arc<Schema>,
    is_root: bool,
    /// `None`: as often as fits in a request.
    times: Option<u64>,
}

impl Costs {
    pub(in crate::custom::definition) fn new(schema: Arc<Schema>) -> Self {
        Self { schema, total: 0, dearest: Vec::new() }
    }

    pub(super) fn root(&self) -> Place {
        Place { schema: Arc::clone(&self.schema), is_root: true, times: Some(1) }
    }

    /// Adds the cost of an expression.
    pub(super) fn add(&mut self, cost: u64, path: Path) {
        self.total = self.total.saturating_add(cost);
        if cost < SCHEMA_ESTIMATE_LIMIT / NOTABLE_PART {
            return;
        }
        self.dearest.push((cost, path));
        self.dearest.sort_by(|(a, _), (b, _)| b.cmp(a));
        self.dearest.truncate(NAMED);
    }

    /// Errors about the sum.
    pub(in crate::custom::definition) fn total_errors(&self, path: &Path) -> Vec<FieldError> {
        if self.total <= SCHEMA_ESTIMATE_LIMIT {
            return Vec::new();
        }
        let detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
        let mut errors: Vec<FieldError> =
            self.dearest.iter().map(|(_, path)| FieldError::forbidden(path, detail)).collect();
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(FieldError::forbidden(path, &excess(what, self.total, SCHEMA_ESTIMATE_LIMIT)));
        errors
    }
}

impl Place {
    /// What expressions see there.
    pub(super) fn decl(&self) -> Option<Arc<Decl>> {
        declare(&self.schema, self.is_root || self.schema.embedded)
    }

    /// A cost, times how often it can arise.
    pub(super) fn multiply(&self, cost: u64, decl: &Decl) -> u64 {
        let fits = MAX_REQUEST_BYTES / (decl.min_size + 1);
        cost.saturating_mul(self.times.unwrap_or(fits))
    }

    pub(super) fn property(&self, name: &str) -> Option<Self> {
        let schema = Arc::clone(self.schema.properties.get(name)?);
        Some(Self { schema, is_root: false, times: self.times })
    }

    pub(super) fn items(&self) -> Option<Self> {
        let schema = Arc::clone(self.schema.items.as_ref()?);
        Some(Self { schema, is_root: false, times: self.below(self.schema.checks.max_items) })
    }

    pub(super) fn additional(&self) -> Option<Self> {
        let Additional::Schema(schema) = &self.schema.additional else { return None };
        let times = self.below(self.schema.checks.max_properties);
        Some(Self { schema: Arc::clone(schema), is_root: false, times })
    }

    fn below(&self, limit: Option<i64>) -> Option<u64> {
        Some(self.times?.saturating_mul(u64::try_from(limit?).unwrap_or(0)))
    }
}

/// `WHAT exceeds budget by factor of …`
pub(super) fn excess(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = match factor {
        factor if factor > 100.0 => "more than 100x".to_string(),
        factor if factor < 1.5 => format!("{factor:.6}x"),
        factor => format!("{factor:.1}x"),
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength \
         where arrays, maps, and strings are declared)"
    )
}
