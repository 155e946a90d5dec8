//! Webhooks, read from their configurations once and used for as long as those do not change.
//!
//! Invariant: a write is shown to the webhooks that are configured when it is made. That nothing has changed since is a
//! comparison of pointers.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use coracle_api::kinds::admission::Environment;
use coracle_api::meta;
use coracle_api::selector::LabelSelector;
use coracle_store::{Record, Scope, Snapshot, Store};
use serde_json::Value;

use super::super::cel::Conditions;
use super::client::Client;
use super::rule::Rule;

/// The versions of AdmissionReview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReviewVersion {
    V1,
    V1Beta1,
}

/// One webhook.
pub(super) struct Hook {
    /// The object that it is configured in.
    pub(super) configuration: String,
    pub(super) name: String,
    pub(super) rules: Vec<Rule>,
    /// `matchPolicy: Equivalent`
    pub(super) equivalent: bool,
    pub(super) namespaces: Result<LabelSelector, String>,
    pub(super) objects: Result<LabelSelector, String>,
    pub(super) conditions: Conditions,
    /// `failurePolicy: Ignore`
    pub(super) ignores_failures: bool,
    /// Whether it may be asked about what is only tried.
    pub(super) takes_dry_runs: bool,
    /// `reinvocationPolicy: IfNeeded`
    pub(super) again: bool,
    /// The first version in its list that is known.
    pub(super) version: Option<ReviewVersion>,
    pub(super) client: Client,
}

impl Hook {
    fn of(configuration: &str, hook: &Value, store: &Store) -> Self {
        let text = |field: &str| hook[field].as_str().unwrap_or_default();
        let ignores_failures = text("failurePolicy") == "Ignore";
        Self {
            configuration: configuration.to_string(),
            name: text("name").to_string(),
            rules: hook["rules"].as_array().into_iter().flatten().map(Rule::of).collect(),
            equivalent: text("matchPolicy") != "Exact",
            namespaces: selector(&hook["namespaceSelector"]),
            objects: selector(&hook["objectSelector"]),
            conditions: Conditions::of(&Environment::webhook(), &hook["matchConditions"], ignores_failures),
            ignores_failures,
            takes_dry_runs: matches!(text("sideEffects"), "None" | "NoneOnDryRun"),
            again: text("reinvocationPolicy") == "IfNeeded",
            version: review_version(&hook["admissionReviewVersions"]),
            client: Client::of(hook, store),
        }
    }
}

fn selector(selector: &Value) -> Result<LabelSelector, String> {
    if selector.is_null() {
        return Ok(LabelSelector::everything());
    }
    LabelSelector::from_value(Some(selector)).map_err(|error| error.to_string())
}

fn review_version(versions: &Value) -> Option<ReviewVersion> {
    versions.as_array()?.iter().find_map(|version| match version.as_str() {
        Some("v1") => Some(ReviewVersion::V1),
        Some("v1beta1") => Some(ReviewVersion::V1Beta1),
        _ => None,
    })
}

/// The webhooks of one configuration.
type OfOne = Arc<[Arc<Hook>]>;

/// All webhooks of one kind at one moment, by the names of their configurations and then as those list them.
pub(super) struct Hooks {
    list: Snapshot,
    /// By name, with the revision that they were read from.
    known: HashMap<String, (u64, OfOne)>,
    pub(super) all: Vec<Arc<Hook>>,
}

impl Hooks {
    fn read(store: &Store, list: Snapshot, before: Option<&Self>) -> Self {
        let (mut known, mut all) = (HashMap::new(), Vec::new());
        for record in list.iter() {
            let name = record.key.name.to_string();
            let same = before.and_then(|before| before.known.get(&name)).filter(|(known, _)| *known == record.revision);
            let hooks = same.map_or_else(|| of_record(store, record), |(_, hooks)| hooks.clone());
            all.extend(hooks.iter().cloned());
            known.insert(name, (record.revision, hooks));
        }
        Self { list, known, all }
    }
}

fn of_record(store: &Store, record: &Record) -> OfOne {
    let configuration: Value = serde_json::from_slice(&record.json).unwrap_or_else(|error| {
        tracing::error!(key = %record.key, %error, "a stored object does not parse");
        Value::Null
    });
    let hooks = configuration["webhooks"].as_array().into_iter().flatten();
    hooks.map(|hook| Arc::new(Hook::of(meta::name(&configuration), hook, store))).collect()
}

/// Where the webhooks of one kind come from.
pub(super) struct Source {
    stored_as: &'static str,
    latest: ArcSwapOption<Hooks>,
}

impl Source {
    /// Those that `stored_as` configures.
    pub(super) fn new(stored_as: &'static str) -> Self {
        Self { stored_as, latest: ArcSwapOption::empty() }
    }

    /// The webhooks of this moment; none when there are none, which is the usual case.
    pub(super) fn hooks(&self, store: &Store) -> Option<Arc<Hooks>> {
        let (list, known) = (store.list(&Scope::all(self.stored_as)), self.latest.load());
        let hooks = match known.as_ref() {
            Some(known) if list.is_unchanged_since(&known.list) => known.clone(),
            known => {
                let hooks = Arc::new(Hooks::read(store, list, known.map(|known| &**known)));
                self.latest.store(Some(hooks.clone()));
                hooks
            }
        };
        (!hooks.all.is_empty()).then_some(hooks)
    }
}
