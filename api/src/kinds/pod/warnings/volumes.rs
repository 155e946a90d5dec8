//! Volumes of sorts that are gone, and paths of theirs that hide each other.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kinds::json::{has, list, part, text};
use crate::kinds::pod::volume_sources;
use crate::kinds::volume_claim;

pub(super) fn of_volumes(spec: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let path = format!("{path}.volumes[{index}]");
        found.extend(volume_sources::warnings(volume, &path));
        if has(volume, "ephemeral.volumeClaimTemplate") {
            let path = format!("{path}.ephemeral.volumeClaimTemplate.spec");
            found.extend(volume_claim::spec_warnings(&part(volume, "ephemeral.volumeClaimTemplate.spec"), &path));
        }
    }
    found.extend(hidden_tokens(spec, path));
    found
}

/// A file where a token is to be.
fn hidden_tokens(spec: &Value, path: &str) -> Vec<String> {
    let sources = || list(spec, "volumes").iter().flat_map(|volume| list(volume, "projected.sources"));
    let tokens = sources().filter(|source| has(source, "serviceAccountToken"));
    let tokens: BTreeSet<&str> = tokens.map(|source| text(source, "serviceAccountToken.path")).collect();
    let mut found = Vec::new();
    for (index, volume) in list(spec, "volumes").iter().enumerate().filter(|_| !tokens.is_empty()) {
        for source in list(volume, "projected.sources") {
            for (field, shown) in [("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI", "downwardAPI")] {
                for (at, item) in list(source, &format!("{field}.items")).iter().enumerate() {
                    let file = text(item, "path");
                    if tokens.contains(file) {
                        found.push(format!(
                            "{path}.volumes[{index}].projected.sources.{shown}[{at}]: has duplicated path with \
                             ServiceAccountToken {file:?}"
                        ));
                    }
                }
            }
        }
    }
    found
}
