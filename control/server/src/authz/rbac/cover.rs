//! Whether some rules cover others: nobody grants what they do not have (`component-helpers`' `rbac/validation`).

use std::collections::BTreeSet;

use super::rule::{ALL, Rule, has, url_covers};

/// The parts of `wanted` that none of `owned` covers, each about one verb of one thing.
pub(crate) fn missing(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let atoms = wanted.iter().flat_map(atoms);
    atoms.filter(|atom| !owned.iter().any(|rule| covers(rule, atom))).collect()
}

/// A rule as the single permissions that it is made of: each is covered by one rule or by none.
fn atoms(rule: &Rule) -> Vec<Rule> {
    let one = |item: &String| vec![item.clone()];
    let mut atoms = Vec::new();
    for group in &rule.groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let plain = Rule { verbs: one(verb), groups: one(group), resources: one(resource), ..Rule::default() };
                if rule.names.is_empty() {
                    atoms.push(plain);
                } else {
                    atoms.extend(rule.names.iter().map(|name| Rule { names: one(name), ..plain.clone() }));
                }
            }
        }
    }
    for url in &rule.urls {
        atoms.extend(rule.verbs.iter().map(|verb| Rule { verbs: one(verb), urls: one(url), ..Rule::default() }));
    }
    atoms
}

fn covers(owned: &Rule, atom: &Rule) -> bool {
    let names =
        owned.names.is_empty() || (!atom.names.is_empty() && atom.names.iter().all(|n| owned.names.contains(n)));
    names
        && atom.verbs.iter().all(|verb| has(&owned.verbs, verb))
        && atom.groups.iter().all(|group| has(&owned.groups, group))
        && atom.resources.iter().all(|resource| covers_resource(&owned.resources, resource))
        && atom.urls.iter().all(|url| owned.urls.iter().any(|own| url_covers(own, url)))
}

fn covers_resource(owned: &[String], resource: &str) -> bool {
    if has(owned, resource) {
        return true;
    }
    resource.split_once('/').is_some_and(|(_, part)| owned.iter().any(|own| *own == format!("{ALL}/{part}")))
}

/// The permissions as lines for people, those about one resource in one line, sorted.
pub(crate) fn describe(rules: Vec<Rule>) -> Vec<String> {
    let mut merged: Vec<Rule> = Vec::new();
    for rule in rules {
        let same = |other: &&mut Rule| {
            other.urls.is_empty()
                && other.groups == rule.groups
                && other.resources == rule.resources
                && other.names == rule.names
        };
        match merged.iter_mut().find(same) {
            Some(known) if rule.urls.is_empty() => known.verbs.extend(rule.verbs),
            _ => merged.push(rule),
        }
    }
    merged.iter().map(line).collect::<BTreeSet<_>>().into_iter().collect()
}

/// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`
fn line(rule: &Rule) -> String {
    let fields = [
        ("APIGroups", &rule.groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.urls),
        ("ResourceNames", &rule.names),
        ("Verbs", &rule.verbs),
    ];
    let named = fields.into_iter().filter(|(_, values)| !values.is_empty());
    let parts: Vec<String> = named.map(|(name, values)| format!("{name}:{}", quoted(values))).collect();
    format!("{{{}}}", parts.join(", "))
}

/// A list as Go's `%q` prints it.
pub(crate) fn quoted(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("[{}]", values.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(rules: serde_json::Value) -> Vec<Rule> {
        Rule::all_of(&json!({ "rules": rules }))
    }

    #[test]
    fn what_is_missing_is_said_by_resource() {
        let owned = rules(json!([
            { "apiGroups": [""], "resources": ["pods", "*/status"], "verbs": ["get"] },
            { "apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"], "resourceNames": ["a"] },
            { "nonResourceURLs": ["/apis/*"], "verbs": ["get"] },
        ]));
        let covered = rules(json!([
            { "apiGroups": [""], "resources": ["pods", "nodes/status"], "verbs": ["get"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "delete"], "resourceNames": ["a"] },
            { "nonResourceURLs": ["/apis/apps", "/apis/*"], "verbs": ["get"] },
        ]));
        assert_eq!(missing(&owned, &covered), []);
        let wanted = rules(json!([
            { "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"], "resourceNames": ["a", "b"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] },
            { "nonResourceURLs": ["/api"], "verbs": ["get"] },
        ]));
        assert_eq!(
            describe(missing(&owned, &wanted)),
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}"#,
                r#"{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["b"], Verbs:["get"]}"#,
                r#"{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}"#,
                r#"{NonResourceURLs:["/api"], Verbs:["get"]}"#,
            ]
        );
    }

    #[test]
    fn everything_covers_everything_and_nothing_less_does() {
        let everything = Rule::everything();
        assert_eq!(missing(&everything, &everything), []);
        let nearly = rules(json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"] }]));
        assert_eq!(missing(&nearly, &everything).len(), 2);
    }
}
