//! The policies that are bound, compiled once and used for as long as they do not change
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_source.go`).
//!
//! Invariant: that nothing has changed since is a comparison of pointers. What has changed alone is compiled again.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use coracle_store::{Record, Scope, Snapshot, Store};
use serde_json::Value;

use super::matching::Resources;
use super::params::{ParamKind, ParamRef};

/// What is particular about one sort of policies: what their expressions come to.
pub(super) trait Rules: Send + Sync + 'static {
    /// Compiles `spec`.
    fn compile(spec: &Value, ignores_failures: bool) -> Self;
}

/// A policy.
pub(super) struct Policy<R> {
    pub(super) name: String,
    pub(super) resources: Resources,
    pub(super) param_kind: Option<ParamKind>,
    /// `failurePolicy: Ignore`
    pub(super) ignores_failures: bool,
    pub(super) rules: R,
}

impl<R: Rules> Policy<R> {
    pub(super) fn of(name: &str, spec: &Value) -> Self {
        let ignores_failures = spec["failurePolicy"] == "Ignore";
        Self {
            name: name.to_string(),
            resources: Resources::of(&spec["matchConstraints"]),
            param_kind: ParamKind::of(&spec["paramKind"]),
            ignores_failures,
            rules: R::compile(spec, ignores_failures),
        }
    }
}

/// A binding.
pub(super) struct Binding {
    pub(super) name: String,
    policy: String,
    /// It is about everything that its policy is about, if it says nothing.
    pub(super) resources: Option<Resources>,
    pub(super) param_ref: Option<ParamRef>,
    /// `validationActions`, which only those of validating policies have.
    pub(super) actions: Vec<String>,
}

impl Binding {
    pub(super) fn of(name: &str, spec: &Value) -> Self {
        let resources = Some(&spec["matchResources"]).filter(|resources| resources.is_object());
        let actions = spec["validationActions"].as_array().into_iter().flatten();
        Self {
            name: name.to_string(),
            policy: spec["policyName"].as_str().unwrap_or_default().to_string(),
            resources: resources.map(Resources::of),
            param_ref: ParamRef::of(&spec["paramRef"]),
            actions: actions.filter_map(|action| action.as_str().map(str::to_string)).collect(),
        }
    }
}

/// A policy with what binds it, by name.
pub(super) struct Bound<R> {
    pub(super) policy: Arc<Policy<R>>,
    pub(super) bindings: Vec<Arc<Binding>>,
}

/// What was made of a stored object, and of which version.
type Known<T> = HashMap<Arc<str>, (u64, Arc<T>)>;

/// All bound policies of one sort at one moment, by name.
pub(super) struct Policies<R> {
    lists: (Snapshot, Snapshot),
    policies: Known<Policy<R>>,
    bindings: Known<Binding>,
    pub(super) bound: Vec<Bound<R>>,
}

impl<R: Rules> Policies<R> {
    fn read(lists: (Snapshot, Snapshot), before: Option<&Self>) -> Self {
        let known = before.map(|before| &before.bindings);
        let bindings: Known<Binding> = lists.1.iter().map(|record| read(record, known, Binding::of)).collect();
        let mut by_policy: HashMap<&str, Vec<Arc<Binding>>> = HashMap::new();
        for (_, binding) in bindings.values() {
            by_policy.entry(&binding.policy).or_default().push(binding.clone());
        }
        let (mut policies, mut bound) = (Known::new(), Vec::new());
        for record in lists.0.iter() {
            let Some(mut bindings) = by_policy.remove(&*record.key.name) else { continue };
            let known = before.map(|before| &before.policies);
            let (name, (revision, policy)) = read(record, known, |name, spec| Policy::of(name, spec));
            bindings.sort_by(|a, b| a.name.cmp(&b.name));
            bound.push(Bound { policy: policy.clone(), bindings });
            policies.insert(name, (revision, policy));
        }
        Self { lists, policies, bindings, bound }
    }
}

/// What is known of a stored object, or is made of it now.
fn read<T>(record: &Record, known: Option<&Known<T>>, make: impl Fn(&str, &Value) -> T) -> (Arc<str>, (u64, Arc<T>)) {
    let name: Arc<str> = Arc::from(&*record.key.name);
    let same = known.and_then(|known| known.get(&name)).filter(|(revision, _)| *revision == record.revision);
    let made = same.map_or_else(
        || {
            let object: Value = serde_json::from_slice(&record.json).unwrap_or_else(|error| {
                tracing::error!(key = %record.key, %error, "a stored object does not parse");
                Value::Null
            });
            Arc::new(make(&name, &object["spec"]))
        },
        |(_, made)| made.clone(),
    );
    (name, (record.revision, made))
}

/// Where the policies of one sort come from.
pub(super) struct Source<R> {
    /// What policies and bindings are stored as.
    stored_as: (&'static str, &'static str),
    latest: ArcSwapOption<Policies<R>>,
}

impl<R: Rules> Source<R> {
    /// Those that are stored as `policies`, bound by those that are stored as `bindings`.
    pub(super) fn new(policies: &'static str, bindings: &'static str) -> Self {
        Self { stored_as: (policies, bindings), latest: ArcSwapOption::empty() }
    }

    /// The policies of this moment; none when none is bound, which is the usual case.
    pub(super) fn policies(&self, store: &Store) -> Option<Arc<Policies<R>>> {
        let lists = (store.list(&Scope::all(self.stored_as.0)), store.list(&Scope::all(self.stored_as.1)));
        let same = |known: &Arc<Policies<R>>| {
            lists.0.is_unchanged_since(&known.lists.0) && lists.1.is_unchanged_since(&known.lists.1)
        };
        let known = self.latest.load();
        let policies = match known.as_ref() {
            Some(known) if same(known) => known.clone(),
            known => {
                let policies = Arc::new(Policies::read(lists, known.map(|known| &**known)));
                self.latest.store(Some(policies.clone()));
                policies
            }
        };
        (!policies.bound.is_empty()).then_some(policies)
    }
}
