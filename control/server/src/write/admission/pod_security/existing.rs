//! The pods that are in a namespace already when its policy becomes stricter: they stay, and whoever changed the policy
//! is told about them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_store::{Record, Scope, Store};
use serde_json::Value;

use super::checks::{Pod, Verdict};
use super::standard::Standard;

/// As many pods are looked at, whatever the namespace has.
const MAX_PODS: usize = 3000;
/// As long is spent on it.
const MAX_TIME: Duration = Duration::from_secs(1);

/// What is looked for.
#[derive(Clone)]
pub(super) struct Search {
    pub(super) namespace: String,
    pub(super) standard: Standard,
    /// Runtime classes whose pods are left alone.
    pub(super) exempt: Vec<String>,
}

impl Search {
    /// The warnings about the pods of a namespace. Away from the threads that answer requests: it is a second's work at
    /// most, but may be that.
    pub(super) async fn warnings(self, store: &Store) -> Vec<String> {
        let pods = store.list(&Scope::namespaced("pods", self.namespace.as_str()));
        let look = move || {
            let pods = by_priority(pods.iter());
            self.look_at(&pods, Instant::now() + MAX_TIME)
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the pods of a namespace could not be checked");
            vec!["failed to list pods while checking new PodSecurity enforce level".into()]
        })
    }

    /// Looks at pods in their order, until there are enough of them or it has taken too long.
    pub(super) fn look_at(&self, pods: &[Arc<Record>], until: Instant) -> Vec<String> {
        let mut findings = Findings::default();
        let mut looked_at = 0;
        for record in pods.iter().take(MAX_PODS) {
            looked_at += 1;
            self.look_at_one(record, &mut findings);
            if Instant::now() >= until {
                break;
            }
        }
        let mut warnings = Vec::new();
        if looked_at < pods.len() {
            let all = pods.len();
            warnings.push(format!(
                "new PodSecurity enforce level only checked against the first {looked_at} of {all} existing pods"
            ));
        }
        if !findings.0.is_empty() {
            let (namespace, standard) = (&self.namespace, self.standard.to_string());
            warnings.push(format!(
                "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level {standard:?}"
            ));
        }
        warnings.extend(findings.texts());
        warnings
    }

    fn look_at_one(&self, record: &Record, findings: &mut Findings) {
        let pod: Value = match serde_json::from_slice(&record.json) {
            Ok(pod) => pod,
            Err(error) => {
                tracing::error!(key = %record.key, %error, "a stored object does not parse");
                return;
            }
        };
        let class = pod["spec"]["runtimeClassName"].as_str().unwrap_or_default();
        if self.exempt.iter().any(|exempt| exempt == class) {
            return;
        }
        let verdict = Verdict::of(Pod::of(&pod), self.standard);
        if !verdict.is_allowed() {
            findings.add(verdict.reason(), &record.key.name);
        }
    }
}

/// One pod of each owner first: pods with the same owner are alike. An owner that is no controller counts as one, for
/// what is known without parsing the pod are owners.
pub(super) fn by_priority<'a>(pods: impl Iterator<Item = &'a Arc<Record>>) -> Vec<Arc<Record>> {
    let mut owners: HashSet<&str> = HashSet::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for record in pods {
        let is_new = record.lifted.owners.first().is_none_or(|owner| owners.insert(owner));
        if is_new { first.push(record.clone()) } else { rest.push(record.clone()) }
    }
    first.extend(rest);
    first
}

/// What the pods break, with the first by name and how many do.
#[derive(Default)]
struct Findings(BTreeMap<String, (String, usize)>);

impl Findings {
    fn add(&mut self, reason: String, pod: &str) {
        let (first, count) = self.0.entry(reason).or_insert_with(|| (pod.to_string(), 0));
        if pod < first.as_str() {
            *first = pod.to_string();
        }
        *count += 1;
    }

    fn texts(self) -> Vec<String> {
        let text = |(reason, (pod, count)): (String, (String, usize))| match count {
            0 | 1 => format!("{pod}: {reason}"),
            2 => format!("{pod} (and 1 other pod): {reason}"),
            more => format!("{pod} (and {} other pods): {reason}", more - 1),
        };
        let mut texts: Vec<String> = self.0.into_iter().map(text).collect();
        texts.sort();
        texts
    }
}
