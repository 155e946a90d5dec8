//! The Common Expression Language, as Kubernetes has it: parser, type checker, cost estimate, evaluator, and the function
//! libraries of `k8s.io/apiserver/pkg/cel`.
//!
//! Knows nothing of who uses expressions: rules of custom resources ([`crate::custom`]) and admission policies bring their
//! own variables. Values are read from JSON by [`Decl`]s, lazily.
//!
//! Why it is ours: what Kubernetes asks for is not evaluation alone but static types from schemas, cost estimates that decide
//! which rules are admitted, and error texts; the crates that exist evaluate dynamically and have none of these.
//!
//! Invariant: compiling and evaluating terminate and do not overflow the stack, whatever the text: trees have a depth limit,
//! evaluations a cost limit and a limit of steps (`work`), regular expressions a size limit.

mod access;
#[cfg(test)]
mod access_tests;
mod ast;
mod calls;
mod check;
mod compare;
mod constants;
mod cost;
mod decl;
mod deferred;
mod error;
mod escape;
mod eval;
mod folds;
mod function;
mod lexer;
mod library;
mod macros;
mod parser;
mod program;
mod structs;
#[cfg(test)]
mod structs_tests;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod work;
#[cfg(test)]
mod work_tests;

pub use access::{Access, Account, Asker, Authorizer, Decision, Question, ResourceCheck, Target};
pub use check::Variable;
pub use cost::Range;
pub use decl::{Decl, DeclKind, FieldDecl, ListKind, MAX_REQUEST_BYTES, ObjectDecl};
pub use deferred::{Compiled, Deferred};
pub use error::{CompileError, EvalError, Issue};
pub use escape::escape;
pub use library::{Moment, NamedFormat, Semver, Url};
pub(crate) use library::{parse_duration, parse_timestamp};
pub use program::{Outcome, Program};
pub use structs::{Struct, StructType};
pub use types::{Opaque, Type};
pub use value::{List, Map, Object, Value};
