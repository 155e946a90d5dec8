//! Type checking: gives every node its type, its declaration if it is a part of a declared variable, and the signatures that
//! a call may mean. Texts of errors are cel-go's.

mod calls;
mod folds;
mod structs;

use std::sync::Arc;

use super::ast::{Expr, Kind, Literal};
use super::decl::Decl;
use super::deferred::is_dotted;
use super::error::Issue;
use super::function::Overload;
use super::types::Type;

/// What is known about the nodes of a tree, by their number.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) types: Vec<Type>,
    pub(super) decls: Vec<Option<Arc<Decl>>>,
    pub(super) overloads: Vec<Vec<&'static Overload>>,
}

/// A variable that expressions may name.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What it is declared as, for sizes.
    pub decl: Option<Arc<Decl>>,
}

impl Variable {
    /// A declared variable.
    pub fn declared(name: &str, decl: &Arc<Decl>) -> Self {
        Self { name: name.into(), ty: decl.ty(), decl: Some(Arc::clone(decl)) }
    }

    /// A variable of a type, with sizes unknown.
    pub fn of(name: &str, ty: Type) -> Self {
        Self { name: name.into(), ty, decl: None }
    }
}

/// Names of types, which are values of type `type`.
const TYPE_NAMES: [&str; 18] = [
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "optional_type",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "net.IP",
    "net.CIDR",
    "kubernetes.URL",
    "kubernetes.Quantity",
    "kubernetes.Semver",
];

/// Checks a tree of so many nodes; returns the facts, or everything that is wrong.
pub(super) fn check(expr: &Expr, nodes: usize, variables: &[Variable], patches: bool) -> Result<Facts, Vec<Issue>> {
    let facts = Facts { types: vec![Type::Error; nodes], decls: vec![None; nodes], overloads: vec![Vec::new(); nodes] };
    let mut checker = Checker { facts, scope: variables.to_vec(), patches, issues: Vec::new() };
    checker.infer(expr);
    if checker.issues.is_empty() { Ok(checker.facts) } else { Err(checker.issues) }
}

/// The dotted name that an expression spells.
pub(super) fn qualified(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some(name.clone()),
        Kind::Select { operand, field, optional: false } => Some(format!("{}.{field}", qualified(operand)?)),
        _ => None,
    }
}

/// The name of the type that an expression names, if it names one.
pub(super) fn type_name(expr: &Expr) -> Option<&'static str> {
    let name = qualified(expr)?;
    TYPE_NAMES.iter().find(|own| **own == name).copied()
}

struct Checker {
    facts: Facts,
    scope: Vec<Variable>,
    /// Whether the types and functions of mutations are there.
    patches: bool,
    issues: Vec<Issue>,
}

impl Checker {
    fn issue(&mut self, at: usize, message: impl Into<String>) -> Type {
        self.issues.push(Issue::new(at, message));
        Type::Error
    }

    /// Finds the type of an expression and of everything in it.
    fn infer(&mut self, expr: &Expr) -> Type {
        let (ty, decl) = match &expr.kind {
            Kind::Literal(literal) => (of_literal(literal), None),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select { operand, field, optional } => self.select(expr, operand, field, *optional),
            Kind::Has { operand, field } => {
                self.select(expr, operand, field, false);
                (Type::Bool, None)
            }
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args),
            Kind::List(items) => (self.list(items), None),
            Kind::Map(entries) => (self.map(entries), None),
            Kind::Struct { name, fields } => (self.structure(expr, name, fields), None),
            Kind::Fold(fold) => self.fold(expr, fold),
            Kind::Bind { name, init, body } => {
                let ty = self.infer(init);
                let decl = self.decl(init);
                (self.within(vec![Variable { name: name.clone(), ty, decl }], body), self.decl(body))
            }
            Kind::OptMap { target, name, body, flat } => (self.opt_map(target, name, body, *flat), None),
        };
        self.facts.types[expr.id] = ty.clone();
        self.facts.decls[expr.id] = decl;
        ty
    }

    fn decl(&self, expr: &Expr) -> Option<Arc<Decl>> {
        self.facts.decls[expr.id].clone()
    }

    /// The type of an expression where these variables are also there.
    fn within(&mut self, variables: Vec<Variable>, expr: &Expr) -> Type {
        let outside = self.scope.len();
        self.scope.extend(variables);
        let ty = self.infer(expr);
        self.scope.truncate(outside);
        ty
    }

    fn ident(&mut self, expr: &Expr, name: &str) -> (Type, Option<Arc<Decl>>) {
        if let Some(variable) = self.scope.iter().rev().find(|variable| variable.name == name) {
            return (variable.ty.clone(), variable.decl.clone());
        }
        if type_name(expr).is_some() {
            return (Type::Type, None);
        }
        (self.issue(expr.at, format!("undeclared reference to '{name}' (in container '')")), None)
    }

    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str, optional: bool) -> (Type, Option<Arc<Decl>>) {
        let root = qualified(operand).and_then(|name| name.split('.').next().map(str::to_string));
        if type_name(expr).is_some() && !self.scope.iter().any(|variable| Some(&variable.name) == root.as_ref()) {
            return (Type::Type, None);
        }
        if let Some(variable) = self.dotted(operand, field).filter(|_| !optional) {
            return (variable.ty.clone(), variable.decl.clone());
        }
        let operand_type = self.infer(operand);
        let decl = self.decl(operand).and_then(|decl| decl.field(field).cloned());
        let (inner, chained) = match &operand_type {
            Type::Optional(inner) => (inner.as_ref().clone(), true),
            other => (other.clone(), false),
        };
        let found = match &inner {
            Type::Object(object) => match object.fields.get(field) {
                Some(field) => field.decl.ty(),
                None => self.issue(expr.at, format!("undefined field '{field}'")),
            },
            Type::Struct(own) => match own.field(field) {
                Some(ty) => ty,
                None => self.issue(expr.at, format!("undefined field '{field}'")),
            },
            Type::Map(_, value) => value.as_ref().clone(),
            ty if ty.is_open() => Type::Dyn,
            ty => self.issue(expr.at, format!("type '{ty}' does not support field selection")),
        };
        let ty = if optional || chained { Type::optional(found) } else { found };
        (ty, decl)
    }

    /// The variable that is called `operand.field`, if there is one.
    fn dotted(&self, operand: &Expr, field: &str) -> Option<&Variable> {
        let Kind::Ident(name) = &operand.kind else { return None };
        let is_meant = |variable: &&Variable| variable.name == *name || is_dotted(&variable.name, name, field);
        self.scope.iter().rev().find(is_meant).filter(|variable| variable.name != *name)
    }

    fn list(&mut self, items: &[(Expr, bool)]) -> Type {
        let mut element: Option<Type> = None;
        for (item, optional) in items {
            let ty = self.infer(item);
            let ty = if *optional { self.unwrapped(item, ty) } else { ty };
            element = Some(self.same(item, element, ty));
        }
        Type::list(element.unwrap_or(Type::Dyn))
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) -> Type {
        let (mut key_type, mut value_type) = (None, None);
        for (key, value, optional) in entries {
            let ty = self.infer(key);
            key_type = Some(self.same(key, key_type, ty));
            let ty = self.infer(value);
            let ty = if *optional { self.unwrapped(value, ty) } else { ty };
            value_type = Some(self.same(value, value_type, ty));
        }
        Type::map(key_type.unwrap_or(Type::Dyn), value_type.unwrap_or(Type::Dyn))
    }

    fn unwrapped(&mut self, expr: &Expr, ty: Type) -> Type {
        match ty {
            Type::Optional(inner) => inner.as_ref().clone(),
            ty if ty.is_open() => Type::Dyn,
            ty => self.issue(expr.at, format!("expected type 'optional_type({ty})' but found '{ty}'")),
        }
    }

    /// Literals have elements of one type (what Kubernetes calls homogeneous aggregate literals).
    fn same(&mut self, expr: &Expr, known: Option<Type>, ty: Type) -> Type {
        let Some(known) = known else { return ty };
        if known.accepts(&ty) || ty.accepts(&known) {
            return known.join(&ty);
        }
        self.issue(expr.at, format!("expected type '{known}' but found '{ty}'"))
    }

    fn opt_map(&mut self, target: &Expr, name: &str, body: &Expr, flat: bool) -> Type {
        let target_type = self.infer(target);
        let inner = self.unwrapped(target, target_type);
        let decl = self.decl(target);
        let ty = self.within(vec![Variable { name: name.to_string(), ty: inner, decl }], body);
        match ty {
            ty if !flat => Type::optional(ty),
            ty @ (Type::Optional(_) | Type::Dyn | Type::Error) => ty,
            ty => self.issue(body.at, format!("found no matching overload for 'optFlatMap' applied to '({ty})'")),
        }
    }
}

fn of_literal(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}
