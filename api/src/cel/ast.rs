//! Syntax trees of CEL expressions.
//!
//! Macros stay what they are ([`Kind::Fold`] and friends): the checker, the cost estimate and the evaluator know them by
//! name, and none has to recognise an expanded loop.
//!
//! Invariant: a tree is at most [`MAX_DEPTH`] deep, so every walk over it may recurse.

/// Levels of nesting in an expression. Kubernetes' parser stops at 250 recursions, a few of which make one level.
pub(super) const MAX_DEPTH: usize = 100;

/// An expression.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    /// Number of the node: tables about the tree are indexed by it.
    pub(super) id: usize,
    /// Where it is in the source, in characters; what errors point at.
    pub(super) at: usize,
    /// How deep the tree below it is.
    pub(super) depth: usize,
    pub(super) kind: Kind,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
}

/// What an expression does.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Literal(Literal),
    Ident(String),
    /// `operand.field`, or `operand.?field`
    Select {
        operand: Box<Expr>,
        field: String,
        optional: bool,
    },
    /// `has(operand.field)`
    Has {
        operand: Box<Expr>,
        field: String,
    },
    /// A function or operator; operators are called `_+_`, as in error texts.
    Call {
        function: String,
        target: Option<Box<Expr>>,
        args: Vec<Expr>,
    },
    /// Elements; the flag marks `?element`.
    List(Vec<(Expr, bool)>),
    /// Keys and values; the flag marks `?key: value`.
    Map(Vec<(Expr, Expr, bool)>),
    /// `Name.of.type{field: value}`; the flag marks `?field: value`.
    Struct {
        name: String,
        fields: Vec<(String, Expr, bool)>,
    },
    /// A macro that goes over a list or map.
    Fold(Box<Fold>),
    /// `cel.bind(name, init, body)`
    Bind {
        name: String,
        init: Box<Expr>,
        body: Box<Expr>,
    },
    /// `target.optMap(name, body)`; `flat` for `optFlatMap`.
    OptMap {
        target: Box<Expr>,
        name: String,
        body: Box<Expr>,
        flat: bool,
    },
}

/// A macro that goes over a list or map.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    pub(super) op: FoldOp,
    pub(super) range: Expr,
    pub(super) var: String,
    /// The second variable of the two-variable forms.
    pub(super) var2: Option<String>,
    /// Elements it skips.
    pub(super) filter: Option<Expr>,
    pub(super) body: Expr,
}

/// What a [`Fold`] makes of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoldOp {
    All,
    Exists,
    ExistsOne,
    /// `map`, `transformList`
    Map,
    /// The body is the predicate.
    Filter,
    TransformMap,
    TransformMapEntry,
}

impl Expr {
    /// The direct parts of the expression.
    pub(super) fn parts(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Literal(_) | Kind::Ident(_) => Vec::new(),
            Kind::Select { operand, .. } | Kind::Has { operand, .. } => vec![operand],
            Kind::Call { target, args, .. } => target.as_deref().into_iter().chain(args).collect(),
            Kind::List(items) => items.iter().map(|(item, _)| item).collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(key, value, _)| [key, value]).collect(),
            Kind::Struct { fields, .. } => fields.iter().map(|(_, value, _)| value).collect(),
            Kind::Fold(fold) => [&fold.range, &fold.body].into_iter().chain(&fold.filter).collect(),
            Kind::Bind { init, body, .. } => vec![init, body],
            Kind::OptMap { target, body, .. } => vec![target, body],
        }
    }
}
