//! `claimMappings` and the rules: judged and compiled into a [`Mapper`].

use std::collections::HashSet;

use coracle_api::field::{FieldError, Path};
use coracle_api::names::domain_path;
use serde_json::json;

use super::invalid;
use crate::identity::oidc::expressions::{About, Expression};
use crate::identity::oidc::mapping::{Mapper, Rule, Source};
use crate::identity::oidc::settings::{ClaimRule, Extra, JwtSettings, Mapping, Uid, UserRule};

const BOTH: &str = "claim and expression can't both be set";
const NEITHER: &str = "claim or expression is required";
const UNVERIFIED: &str = "claims.email_verified must be used in claimMappings.username.expression or \
    claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in \
    claimMappings.username.expression";

/// Domains whose keys are Kubernetes' own.
const RESERVED: [&str; 2] = ["kubernetes.io", "k8s.io"];

/// The errors so far.
type Errors<'e> = &'e mut Vec<FieldError>;

/// The mapper of an issuer; complete if no errors come with it.
pub(super) fn compile(settings: &JwtSettings, path: &Path, errors: Errors<'_>) -> Option<Mapper> {
    let (required, claim_rules) =
        claim_rules(&settings.claim_validation_rules, &path.child("claimValidationRules"), errors);
    let (mappings, of_mappings) = (&settings.claim_mappings, path.child("claimMappings"));
    let username = mapping(&mappings.username, &of_mappings.child("username"), true, errors);
    let groups = mapping(&mappings.groups, &of_mappings.child("groups"), false, errors);
    let uid = uid(&mappings.uid, &of_mappings.child("uid"), errors);
    let extra = extra(&mappings.extra, &of_mappings.child("extra"), errors);
    if let Some(Source::Expression(name)) = &username {
        let mut others = claim_rules.iter().map(|rule| &rule.condition).chain(extra.iter().map(|(_, value)| value));
        let is_verified = name.names_claim("email_verified") || others.any(|own| own.names_claim("email_verified"));
        if name.names_claim("email") && !is_verified {
            errors.push(invalid(&of_mappings.child("username").child("expression"), name.source(), UNVERIFIED));
        }
    }
    let user_rules = user_rules(&settings.user_validation_rules, &path.child("userValidationRules"), errors);
    Some(Mapper { username: username?, groups, uid, extra, required, claim_rules, user_rules })
}

/// Claims that must have a value, and conditions.
fn claim_rules(rules: &[ClaimRule], path: &Path, errors: Errors<'_>) -> (Vec<(String, String)>, Vec<Rule>) {
    let (mut required, mut conditions) = (Vec::new(), Vec::new());
    let (mut claims, mut expressions) = (HashSet::new(), HashSet::new());
    for (index, rule) in rules.iter().enumerate() {
        let path = path.index(index);
        match (rule.claim.as_str(), rule.expression.as_str()) {
            ("", "") => errors.push(FieldError::required(&path, NEITHER)),
            (claim, "") => {
                if !rule.message.is_empty() {
                    let why = "may not be specified when claim is set";
                    errors.push(invalid(&path.child("message"), &rule.message, why));
                }
                if !claims.insert(claim) {
                    errors.push(FieldError::duplicate(&path.child("claim"), &json!(claim)));
                }
                required.push((claim.to_string(), rule.required_value.clone()));
            }
            ("", expression) => {
                if !rule.required_value.is_empty() {
                    let why = "may not be specified when expression is set";
                    errors.push(invalid(&path.child("requiredValue"), &rule.required_value, why));
                }
                let is_first = expressions.insert(expression);
                let given = (expression, rule.message.as_str());
                conditions.extend(condition(given, is_first, About::Claims, (&path, errors)));
            }
            (claim, _) => errors.push(invalid(&path, claim, BOTH)),
        }
    }
    (required, conditions)
}

fn user_rules(rules: &[UserRule], path: &Path, errors: Errors<'_>) -> Vec<Rule> {
    let mut seen = HashSet::new();
    let mut conditions = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let (path, source) = (path.index(index), rule.expression.as_str());
        if source.is_empty() {
            errors.push(FieldError::required(&path.child("expression"), ""));
            continue;
        }
        let is_first = seen.insert(source);
        conditions.extend(condition((source, &rule.message), is_first, About::User, (&path, errors)));
    }
    conditions
}

fn condition(
    (source, message): (&str, &str),
    is_first: bool,
    about: About,
    (path, errors): (&Path, Errors<'_>),
) -> Option<Rule> {
    let path = path.child("expression");
    if !is_first {
        errors.push(FieldError::duplicate(&path, &json!(source)));
        return None;
    }
    let condition = kept(Expression::condition(source, about), source, &path, errors)?;
    Some(Rule { condition, message: message.to_string() })
}

/// Where the name or the groups come from.
fn mapping(mapping: &Mapping, path: &Path, is_required: bool, errors: Errors<'_>) -> Option<Source> {
    match (mapping.claim.as_str(), mapping.expression.as_str()) {
        ("", "") if is_required => errors.push(FieldError::required(path, NEITHER)),
        ("", "") => {}
        ("", source) => {
            if let Some(prefix) = &mapping.prefix {
                errors.push(invalid(&path.child("prefix"), prefix, "may not be specified when expression is set"));
            }
            return kept(Expression::of(source), source, &path.child("expression"), errors).map(Source::Expression);
        }
        (claim, "") => match &mapping.prefix {
            Some(prefix) => return Some(Source::Claim { name: claim.to_string(), prefix: prefix.clone() }),
            None => {
                let why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
                errors.push(FieldError::required(&path.child("prefix"), why));
            }
        },
        _ => errors.push(invalid(path, "", BOTH)),
    }
    None
}

fn uid(uid: &Uid, path: &Path, errors: Errors<'_>) -> Option<Source> {
    match (uid.claim.as_str(), uid.expression.as_str()) {
        ("", "") => None,
        ("", source) => kept(Expression::of(source), source, &path.child("expression"), errors).map(Source::Expression),
        (claim, "") => Some(Source::Claim { name: claim.to_string(), prefix: String::new() }),
        _ => {
            errors.push(invalid(path, "", BOTH));
            None
        }
    }
}

fn extra(mappings: &[Extra], path: &Path, errors: Errors<'_>) -> Vec<(String, Expression)> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (index, Extra { key, value_expression }) in mappings.iter().enumerate() {
        let (of_key, of_value) = (path.index(index).child("key"), path.index(index).child("valueExpression"));
        errors.extend(domain_path(&of_key, key));
        if key.to_lowercase() != *key {
            errors.push(invalid(&of_key, key, "must be lowercase"));
        }
        if is_reserved(key) {
            let why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
            errors.push(invalid(&of_key, key, why));
        }
        if !seen.insert(key) {
            errors.push(FieldError::duplicate(&of_key, &json!(key)));
        } else if value_expression.is_empty() {
            errors.push(FieldError::required(&of_value, ""));
        } else {
            let value = kept(Expression::of(value_expression), value_expression, &of_value, errors);
            all.extend(value.map(|value| (key.clone(), value)));
        }
    }
    all
}

fn is_reserved(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    RESERVED.iter().any(|own| domain.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// An expression that compiles; the error is written down otherwise.
fn kept(compiled: Result<Expression, String>, source: &str, path: &Path, errors: Errors<'_>) -> Option<Expression> {
    compiled.map_err(|why| errors.push(invalid(path, source, &why))).ok()
}
