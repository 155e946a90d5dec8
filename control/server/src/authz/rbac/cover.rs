//! Whether some rules cover others: nobody grants what they do not have (`component-helpers`' `rbac/validation`).
//!
//! A rule is the product of its lists, so that a few kilobytes of it are billions of permissions. A rule that another
//! one covers as a whole is never taken apart; of others the permissions are looked at one by one, within bounds.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::slice::from_ref;

use super::rule::{ALL, Rule, url_covers};

/// Missing permissions after which no more are looked for.
const MISSING_LIMIT: usize = 100;
/// Bytes of their texts after which the same is so.
const MISSING_BYTES: usize = 1 << 20;
/// Steps that comparing the rules of one role may take: some hundred milliseconds' work.
const STEPS_LIMIT: usize = 5_000_000;
/// Bytes of text that are compared in one step.
const STEP_BYTES: usize = 64;

/// What somebody lacks of the rules that they want to give.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Permissions, each about one verb of one thing.
    pub(crate) parts: Vec<Rule>,
    /// Why there may be others.
    pub(crate) cut: Option<Cut>,
}

/// Why not everything that is missing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Enough is missing to say no.
    Listed,
    /// It would take too long to find out.
    Steps,
}

impl Missing {
    /// Whether nothing is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.cut.is_none()
    }

    /// Lines for people.
    pub(crate) fn describe(self) -> Vec<String> {
        let mut lines = describe(self.parts);
        lines.extend(self.cut.map(|cut| match cut {
            Cut::Listed => "and others, which are not listed".into(),
            Cut::Steps => {
                "the rules are of too many permissions to look for each of them among those that are held".into()
            }
        }));
        lines
    }
}

/// The parts of `wanted` that none of `owned` covers, as far as there is time for.
pub(crate) fn missing(owned: &[Rule], wanted: &[Rule]) -> Missing {
    compare(owned, wanted, (MISSING_LIMIT, MISSING_BYTES), Meter { left: STEPS_LIMIT })
}

/// All parts of `wanted` that none of `owned` covers, for rules that nobody else has written.
pub(crate) fn all_missing(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    compare(owned, wanted, (usize::MAX, usize::MAX), Meter { left: usize::MAX }).parts
}

fn compare(owned: &[Rule], wanted: &[Rule], (limit, limit_bytes): (usize, usize), mut meter: Meter) -> Missing {
    let owned: Vec<Held<'_>> = owned.iter().map(Held::of).collect();
    let (mut missing, mut bytes) = (Missing::default(), 0);
    for part in wanted.iter().flat_map(Part::of).filter(|part| part.atoms() > 0) {
        if owned.iter().any(|own| own.covers(part, &mut meter)) {
            continue;
        }
        for atom in (0..part.atoms()).map(|index| part.atom(index)) {
            if owned.iter().any(|own| own.covers(atom, &mut meter)) {
                continue;
            }
            if meter.left == 0 {
                return Missing { cut: Some(Cut::Steps), ..missing };
            }
            if missing.parts.len() == limit || bytes >= limit_bytes {
                return Missing { cut: Some(Cut::Listed), ..missing };
            }
            bytes += atom.bytes();
            missing.parts.push(atom.to_rule());
        }
    }
    missing
}

/// Counts the steps that may still be taken.
struct Meter {
    left: usize,
}

impl Meter {
    /// Whether there is a step left for the text.
    fn step(&mut self, text: &str) -> bool {
        self.left = self.left.saturating_sub(1 + text.len() / STEP_BYTES);
        self.left > 0
    }
}

/// Permissions that one rule covers or none does: a rule's about resources or about URLs, or a single one of them.
#[derive(Clone, Copy, Default)]
struct Part<'r> {
    verbs: &'r [String],
    groups: &'r [String],
    resources: &'r [String],
    names: &'r [String],
    urls: &'r [String],
}

impl<'r> Part<'r> {
    fn of(rule: &'r Rule) -> [Self; 2] {
        let Rule { verbs, groups, resources, names, urls } = rule;
        [Self { verbs, groups, resources, names, urls: &[] }, Self { verbs, urls, ..Self::default() }]
    }

    /// How many single permissions it is made of: each is covered by one rule or by none.
    fn atoms(self) -> usize {
        let about_resources = !self.groups.is_empty() && !self.resources.is_empty();
        if self.verbs.is_empty() || (self.urls.is_empty() && !about_resources) {
            return 0;
        }
        let lists = [self.verbs, self.groups, self.resources, self.names, self.urls];
        lists.into_iter().fold(1, |product, list| product.saturating_mul(list.len().max(1)))
    }

    /// One of them, in the order of nested loops with the verbs, or the names if there are any, going fastest.
    fn atom(self, index: usize) -> Self {
        let mut rest = index;
        let mut one = |list: &'r [String]| match list.len() {
            0 => list,
            length => {
                let at = rest % length;
                rest /= length;
                from_ref(&list[at])
            }
        };
        let (names, verbs, urls) = (one(self.names), one(self.verbs), one(self.urls));
        let (resources, groups) = (one(self.resources), one(self.groups));
        Self { verbs, groups, resources, names, urls }
    }

    fn bytes(self) -> usize {
        let lists = [self.verbs, self.groups, self.resources, self.names, self.urls];
        lists.into_iter().flatten().map(String::len).sum()
    }

    fn to_rule(self) -> Rule {
        Rule {
            verbs: self.verbs.to_vec(),
            groups: self.groups.to_vec(),
            resources: self.resources.to_vec(),
            names: self.names.to_vec(),
            urls: self.urls.to_vec(),
        }
    }
}

/// A rule that somebody has, for being asked often.
struct Held<'r> {
    verbs: HashSet<&'r str>,
    groups: HashSet<&'r str>,
    resources: HashSet<&'r str>,
    names: HashSet<&'r str>,
    urls: &'r [String],
}

impl<'r> Held<'r> {
    fn of(rule: &'r Rule) -> Self {
        let set = |list: &'r [String]| list.iter().map(String::as_str).collect();
        Self {
            verbs: set(&rule.verbs),
            groups: set(&rule.groups),
            resources: set(&rule.resources),
            names: set(&rule.names),
            urls: &rule.urls,
        }
    }

    /// Whether it covers all of it. Without a step left, nothing is covered.
    fn covers(&self, part: Part<'_>, meter: &mut Meter) -> bool {
        // Rules differ in groups and resources more than in verbs.
        part.groups.iter().all(|group| has(&self.groups, group, meter))
            && part.resources.iter().all(|resource| self.covers_resource(resource, meter))
            && part.urls.iter().all(|url| self.urls.iter().any(|own| meter.step(own) && url_covers(own, url)))
            && part.verbs.iter().all(|verb| has(&self.verbs, verb, meter))
            && self.covers_names(part.names, meter)
    }

    fn covers_names(&self, names: &[String], meter: &mut Meter) -> bool {
        self.names.is_empty()
            || (!names.is_empty() && names.iter().all(|name| meter.step(name) && self.names.contains(name.as_str())))
    }

    fn covers_resource(&self, resource: &str, meter: &mut Meter) -> bool {
        has(&self.resources, resource, meter)
            || resource
                .split_once('/')
                .is_some_and(|(_, part)| meter.step(part) && self.resources.contains(format!("{ALL}/{part}").as_str()))
    }
}

/// Whether a list names the value or everything.
fn has(own: &HashSet<&str>, value: &str, meter: &mut Meter) -> bool {
    meter.step(value) && (own.contains(ALL) || own.contains(value))
}

/// The permissions as lines for people, those about one resource in one line, sorted.
fn describe(rules: Vec<Rule>) -> Vec<String> {
    let mut merged: Vec<Rule> = Vec::new();
    let mut places: HashMap<Rule, usize> = HashMap::new();
    for rule in rules {
        let about = Rule { verbs: Vec::new(), ..rule.clone() };
        match places.get(&about).and_then(|at| merged.get_mut(*at)) {
            Some(known) if rule.urls.is_empty() => known.verbs.extend(rule.verbs),
            _ => {
                places.insert(about, merged.len());
                merged.push(rule);
            }
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
        assert!(missing(&owned, &covered).is_empty());
        let wanted = rules(json!([
            { "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"], "resourceNames": ["a", "b"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] },
            { "nonResourceURLs": ["/api"], "verbs": ["get"] },
        ]));
        assert_eq!(
            missing(&owned, &wanted).describe(),
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
        assert!(missing(&everything, &everything).is_empty());
        let nearly = rules(json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"] }]));
        assert_eq!(missing(&nearly, &everything).parts.len(), 2);
    }

    fn texts(prefix: &str, count: usize) -> Vec<String> {
        (0..count).map(|index| format!("{prefix}{index}")).collect()
    }

    /// 64 million permissions in 8 kB.
    fn product() -> Rule {
        let (verbs, groups, resources) = (texts("v", 400), texts("g", 400), texts("r", 400));
        Rule { verbs, groups, resources, ..Rule::default() }
    }

    #[test]
    fn what_is_covered_as_a_whole_is_not_taken_apart() {
        assert!(missing(&[product()], &[product()]).is_empty());
        assert!(missing(&Rule::everything(), &[product()]).is_empty());
    }

    #[test]
    fn of_very_much_that_is_missing_the_first_is_told() {
        let found = missing(&[], &[product()]);
        assert_eq!((found.parts.len(), found.cut), (MISSING_LIMIT, Some(Cut::Listed)));
        let lines = found.describe();
        assert!(lines[0].starts_with(r#"{APIGroups:["g0"], Resources:["r0"], Verbs:["v0" "v1" "#), "{lines:?}");
        assert_eq!(lines[1..], ["and others, which are not listed"]);
        let own = Rule { groups: texts("g", 1), resources: texts("r", 1), ..product() };
        assert_eq!(all_missing(&[], &[own]).len(), 400);
    }

    #[test]
    fn what_takes_too_long_to_compare_is_not_held() {
        // Two halves that cover it together: each permission has to be looked for.
        let half = |verbs: Vec<String>| Rule { verbs, ..product() };
        let all = texts("v", 400);
        let owned = [half(all[..200].to_vec()), half(all[200..].to_vec())];
        let found = missing(&owned, &[product()]);
        assert_eq!((found.parts.len(), found.cut), (0, Some(Cut::Steps)));
        assert!(!found.is_empty());
        assert_eq!(
            found.describe(),
            ["the rules are of too many permissions to look for each of them among those that are held"]
        );
        let few = Rule { groups: texts("g", 2), ..product() };
        assert!(missing(&owned, &[few]).is_empty(), "320,000 are not too many");
    }

    #[test]
    fn many_rules_and_long_texts_take_their_steps_too() {
        let one = |name: String| Rule {
            groups: vec![name],
            resources: texts("r", 1),
            verbs: texts("v", 1),
            ..Rule::default()
        };
        let many: Vec<Rule> = texts("g", 20_000).into_iter().map(one).collect();
        let briefly = |owned: &[Rule], wanted: &[Rule]| {
            compare(owned, wanted, (MISSING_LIMIT, MISSING_BYTES), Meter { left: 100_000 })
        };
        assert_eq!(briefly(&many, &many).cut, Some(Cut::Steps));
        let long = Rule { verbs: vec!["v".repeat(1 << 20)], ..product() };
        let halves =
            [Rule { groups: texts("g", 1), ..long.clone() }, Rule { resources: texts("r", 1), ..long.clone() }];
        assert_eq!(briefly(&halves, from_ref(&long)).cut, Some(Cut::Steps));
        assert_eq!(missing(&[], &[long]).parts.len(), 1);
    }

    #[test]
    fn a_name_limits_resources_but_not_urls() {
        let both = |names: Vec<String>| Rule {
            verbs: texts("v", 1),
            groups: texts("g", 1),
            resources: texts("r", 1),
            names,
            urls: vec!["/a".into()],
        };
        let found = missing(&[both(texts("n", 1))], &[both(texts("n", 1))]).parts;
        assert_eq!(found, [Rule { verbs: texts("v", 1), urls: vec!["/a".into()], ..Rule::default() }]);
        assert!(missing(&[both(Vec::new())], &[both(texts("n", 3))]).is_empty());
    }
}
