//! What a validating policy says about one request
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/validating/validator.go`).

use coracle_api::cel::{Compiled, Value as Cel};
use coracle_api::kinds::admission::{Environment, Purpose};
use serde_json::Value;

use super::super::super::cel::{BUDGET, Conditions, Failure, Inputs, Stage};
use super::super::source::Rules;

/// Longest message that an expression may make; a longer one is not used.
const MESSAGE_LIMIT_BYTES: usize = 5 * 1024;

/// One of `validations`.
#[derive(Debug)]
struct Validation {
    source: String,
    holds: Compiled,
    message: String,
    message_expression: Option<Compiled>,
    /// `Invalid`, if the policy says nothing.
    reason: String,
}

/// The expressions of a validating policy, compiled.
#[derive(Debug)]
pub(in super::super) struct Validations {
    variables: Vec<(String, Compiled)>,
    conditions: Conditions,
    validations: Vec<Validation>,
    /// `auditAnnotations`: key, text and expression.
    annotations: Vec<(String, String, Compiled)>,
    ignores_failures: bool,
}

impl Rules for Validations {
    fn compile(spec: &Value, ignores_failures: bool) -> Self {
        let environment = Environment::policy(spec);
        let items = |field: &str| spec[field].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            conditions: Conditions::of(&environment, &spec["matchConditions"], ignores_failures),
            validations: items("validations").iter().map(|item| validation(&environment, item)).collect(),
            annotations: items("auditAnnotations").iter().map(|item| annotation(&environment, item)).collect(),
            variables: environment.into_variables(),
            ignores_failures,
        }
    }
}

fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object[field].as_str().unwrap_or_default()
}

fn validation(environment: &Environment, validation: &Value) -> Validation {
    let source = text(validation, "expression");
    let message = Some(text(validation, "messageExpression")).filter(|source| !source.is_empty());
    Validation {
        source: source.to_string(),
        holds: environment.compile(source, Purpose::Condition),
        message: text(validation, "message").trim().to_string(),
        message_expression: message.map(|source| environment.compile(source, Purpose::Message)),
        reason: validation["reason"].as_str().unwrap_or("Invalid").to_string(),
    }
}

fn annotation(environment: &Environment, annotation: &Value) -> (String, String, Compiled) {
    let source = text(annotation, "valueExpression");
    let value = environment.compile(source, Purpose::Annotation);
    (text(annotation, "key").to_string(), source.to_string(), value)
}

/// What comes of one validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Decision {
    Admit,
    /// The reason is empty when the validation could not be made.
    Deny {
        message: String,
        reason: String,
    },
}

/// What comes of one annotation of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Annotation {
    Publish {
        key: String,
        value: String,
    },
    /// It can't be told, which matters.
    Error(String),
}

/// What comes of one policy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Verdict {
    /// One for each validation, or one about all of them.
    pub(in super::super) decisions: Vec<Decision>,
    pub(in super::super) annotations: Vec<Annotation>,
}

impl Validations {
    /// Judges a request. Conditions see a little less of it.
    pub(in super::super) fn judge(&self, of_conditions: Inputs<'_>, inputs: Inputs<'_>) -> Verdict {
        match self.conditions.hold(of_conditions, &self.variables) {
            Ok(true) => {}
            Ok(false) => return Verdict::default(),
            Err(why) => return Verdict { decisions: vec![self.failed(why)], ..Verdict::default() },
        }
        // Neither messages nor annotations may depend on what the author of the request may do.
        let impersonal = Inputs { authorizer: None, ..inputs };
        let judged = self.decisions(inputs, impersonal);
        let judged = judged.and_then(|decisions| Ok((decisions, self.annotated(impersonal)?)));
        match judged {
            Ok((decisions, annotations)) => Verdict { decisions, annotations },
            Err(failure) => Verdict { decisions: vec![self.failed(failure.text())], ..Verdict::default() },
        }
    }

    /// What a failure is: a refusal, or nothing that matters.
    fn failed(&self, message: String) -> Decision {
        if self.ignores_failures { Decision::Admit } else { Decision::Deny { message, reason: String::new() } }
    }

    /// # Errors
    /// When there is nothing left to spend before all are made.
    fn decisions(&self, inputs: Inputs<'_>, impersonal: Inputs<'_>) -> Result<Vec<Decision>, Failure> {
        let mut stage = Stage::new(inputs, &self.variables, BUDGET);
        let mut held: Vec<Result<bool, String>> = Vec::with_capacity(self.validations.len());
        for validation in &self.validations {
            held.push(match stage.eval(&validation.holds) {
                Ok(value) => Ok(value.as_bool() == Some(true)),
                Err(Failure::Expression(why)) => Err(why),
                Err(failure) => return Err(failure),
            });
        }
        let messages = self.messages(impersonal, stage.left());
        let decide = |(index, held): (usize, Result<bool, String>)| match (held, &messages) {
            (Err(why), _) => self.failed(why),
            // As upstream, also of what holds.
            (Ok(_), Err(why)) => self.failed(format!("failed messageExpression: {why}")),
            (Ok(true), _) => Decision::Admit,
            (Ok(false), Ok(messages)) => denied(&self.validations[index], messages.get(index)),
        };
        Ok(held.into_iter().enumerate().map(decide).collect())
    }

    /// The messages that expressions make, empty for none.
    ///
    /// # Errors
    /// Why there is nothing left to make them with.
    fn messages(&self, inputs: Inputs<'_>, budget: u64) -> Result<Vec<String>, String> {
        let mut stage = Stage::new(inputs, &self.variables, budget);
        let mut messages = Vec::with_capacity(self.validations.len());
        for validation in &self.validations {
            let made = validation.message_expression.as_ref().map(|compiled| stage.eval(compiled)).transpose();
            messages.push(match made {
                Ok(value) => value.as_ref().map(usable).unwrap_or_default(),
                Err(Failure::Expression(why)) => {
                    tracing::debug!(%why, "a messageExpression has no value");
                    String::new()
                }
                Err(failure) => return Err(failure.text()),
            });
        }
        Ok(messages)
    }

    /// # Errors
    /// When there is nothing left to spend before all are made.
    fn annotated(&self, inputs: Inputs<'_>) -> Result<Vec<Annotation>, Failure> {
        let mut stage = Stage::new(inputs, &self.variables, BUDGET);
        let mut annotations = Vec::new();
        for (key, source, compiled) in &self.annotations {
            let made = match stage.eval(compiled) {
                Ok(value) => published(key, source, &value),
                Err(Failure::Expression(_)) if self.ignores_failures => None,
                Err(Failure::Expression(why)) => Some(Annotation::Error(why)),
                Err(failure) => return Err(failure),
            };
            annotations.extend(made);
        }
        Ok(annotations)
    }
}

/// The text that an expression makes, if it is one line that is not too long.
fn usable(value: &Cel<'_>) -> String {
    let text = value.as_str().unwrap_or_default().trim();
    if text.len() > MESSAGE_LIMIT_BYTES || text.contains('\n') { String::new() } else { text.to_string() }
}

fn denied(validation: &Validation, made: Option<&String>) -> Decision {
    let message = match (made, validation.message.as_str()) {
        (Some(made), _) if !made.is_empty() => made.clone(),
        (_, "") => format!("failed expression: {}", validation.source.trim()),
        (_, own) => own.to_string(),
    };
    Decision::Deny { message, reason: validation.reason.clone() }
}

fn published(key: &str, source: &str, value: &Cel<'_>) -> Option<Annotation> {
    match value {
        Cel::Null => None,
        Cel::String(text) if text.trim().is_empty() => None,
        Cel::String(text) => Some(Annotation::Publish { key: key.to_string(), value: text.trim().to_string() }),
        other => Some(Annotation::Error(format!(
            "valueExpression '{source}' resulted in unsupported return type: {}. Return type must be either string or null.",
            other.type_name()
        ))),
    }
}
