//! Compiling the expressions of webhooks and policies: the variables that they see, and what they must come to
//! (`k8s.io/apiserver/pkg/admission/plugin/cel`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::seen::{NAMESPACE, REQUEST};
use crate::cel::{
    CompileError, Compiled, Decl, DeclKind, FieldDecl, ListKind, MAX_REQUEST_BYTES, ObjectDecl, Opaque, Program,
    StructType, Type, Variable,
};
use crate::field::Path;
use crate::kinds::check::Errors;

/// How deep an expression may be together with the variables that it needs, and those that they need. Each alone is bounded
/// by the parser, but a policy may have thousands that need one another, and working them out takes as much of the stack.
const DEPTH_LIMIT: usize = 200;

/// What an expression must come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Returns {
    Bool,
    /// The text of a message, which may not depend on what the author of the request may do.
    Text,
    TextOrNull,
    Anything,
    /// `Object`, to be merged into the object; a mutation.
    Object,
    /// A list of `JSONPatch`; a mutation.
    JsonPatches,
}

impl Returns {
    fn accepts(self, ty: &Type) -> bool {
        match self {
            Self::Bool => matches!(ty, Type::Bool),
            Self::Text => matches!(ty, Type::String),
            Self::TextOrNull => matches!(ty, Type::String | Type::Null),
            Self::Anything => true,
            Self::Object => is_struct(ty, StructType::is_object),
            Self::JsonPatches => matches!(ty, Type::List(item) if is_struct(item, StructType::is_json_patch)),
        }
    }

    fn complaint(self) -> &'static str {
        match self {
            Self::Bool | Self::Anything => "must evaluate to bool",
            Self::Text => "must evaluate to string",
            Self::TextOrNull => "must evaluate to one of [string null_type]",
            Self::Object => "must evaluate to Object",
            Self::JsonPatches => "must evaluate to list(JSONPatch)",
        }
    }

    /// Mutations alone can make objects and patches.
    fn compile(self, source: &str, variables: &[Variable]) -> Result<Program, CompileError> {
        match self {
            Self::Object | Self::JsonPatches => Program::compile_mutation(source, variables),
            _ => Program::compile(source, variables),
        }
    }
}

fn is_struct(ty: &Type, wanted: fn(&StructType) -> bool) -> bool {
    matches!(ty, Type::Struct(own) if wanted(own))
}

/// What expressions can name.
pub(super) struct Scope {
    builtin: Vec<Variable>,
    /// `variables.NAME` of a policy, as far as they are declared.
    own: Option<BTreeMap<String, Known>>,
}

/// What is known about a variable of a policy.
struct Known {
    field: FieldDecl,
    /// How deep its expression is, with the variables that it needs.
    depth: usize,
}

impl Scope {
    /// What the conditions of a webhook see.
    pub(super) fn webhook() -> Self {
        let builtin = vec![
            Variable::of("object", Type::Dyn),
            Variable::of("oldObject", Type::Dyn),
            Variable::declared("namespaceObject", &NAMESPACE),
            Variable::declared("request", &REQUEST),
            Variable::of("authorizer", Type::Opaque(Opaque::Authorizer)),
            Variable::of("authorizer.requestResource", Type::Opaque(Opaque::ResourceCheck)),
        ];
        Self { builtin, own: None }
    }

    /// What the expressions of a policy see; `params` only if the policy has any.
    pub(super) fn policy(has_params: bool) -> Self {
        let mut scope = Self::webhook();
        if has_params {
            scope.builtin.push(Variable::of("params", Type::Dyn));
        }
        scope
    }

    /// The same, with the objects of one kind, and with parameters of one kind if that is known.
    pub(super) fn typed(has_params: bool, object: &Arc<Decl>, params: Option<&Arc<Decl>>) -> Self {
        let mut scope = Self::policy(has_params);
        for variable in &mut scope.builtin {
            let decl = match variable.name.as_str() {
                "object" | "oldObject" => Some(object),
                "params" => params,
                _ => None,
            };
            if let Some(decl) = decl {
                *variable = Variable::declared(&variable.name, decl);
            }
        }
        scope
    }

    /// The same with `variables`, none of them declared yet.
    pub(super) fn with_variables(mut self) -> Self {
        self.own = Some(BTreeMap::new());
        self
    }

    /// Adds `variables.NAME`; later expressions see it.
    pub(super) fn declare(&mut self, errors: &mut Errors, name: &str, source: &str, path: &Path) {
        if let Err(detail) = self.variable(name, source) {
            errors.invalid(path, &source, &detail);
        }
    }

    /// The same, compiled.
    pub(super) fn variable(&mut self, name: &str, source: &str) -> Compiled {
        let compiled = self.compile(source, Returns::Anything);
        let decl = compiled.as_ref().map_or_else(|_| Decl::dynamic(), |program| declaration(program.result_type()));
        let depth = compiled.as_ref().map_or(0, |program| self.depth(program));
        if let Some(own) = &mut self.own {
            own.insert(name.to_string(), Known { field: FieldDecl { json: name.to_string(), decl }, depth });
        }
        compiled
    }

    fn depth(&self, program: &Program) -> usize {
        let known = |name: &str| self.own.as_ref().and_then(|own| own.get(name)).map_or(0, |known| known.depth);
        program.depth() + program.fields_of("variables").into_iter().map(known).max().unwrap_or(0)
    }

    /// Compiles an expression and says what is wrong with it.
    pub(super) fn check(&self, errors: &mut Errors, source: &str, returns: Returns, path: &Path) {
        if let Err(detail) = self.compile(source, returns) {
            errors.invalid(path, &source, &detail);
        }
    }

    /// An expression ready to be evaluated, or what is wrong with it.
    pub(super) fn compile(&self, source: &str, returns: Returns) -> Compiled {
        let mut variables = self.builtin.clone();
        if matches!(returns, Returns::Text) {
            variables.retain(|variable| !variable.name.starts_with("authorizer"));
        }
        if let Some(own) = &self.own {
            let object = ObjectDecl { name: "kubernetes.variables".into(), fields: mentioned(own, source) };
            variables.push(Variable::declared("variables", &sized(DeclKind::Object(Arc::new(object)))));
        }
        match returns.compile(source, &variables) {
            Err(error) => Err(format!("compilation failed: {error}")),
            Ok(program) if self.depth(&program) > DEPTH_LIMIT => {
                Err(format!("compilation failed: expression recursion limit exceeded: {DEPTH_LIMIT}"))
            }
            Ok(program) => {
                let ty = program.result_type();
                // A variable whose type can't be declared may be anything.
                let unknown = ty.is_open() && source.contains("variables.");
                if returns.accepts(ty) || unknown { Ok(program) } else { Err(returns.complaint().into()) }
            }
        }
    }
}

pub(super) fn sized(kind: DeclKind) -> Arc<Decl> {
    Arc::new(Decl { kind, max_elements: MAX_REQUEST_BYTES, min_size: 1 })
}

/// The fields that an expression may name: those whose names are words of it. A policy may have thousands of variables, and
/// each compiled expression keeps what it knows of them.
fn mentioned(own: &BTreeMap<String, Known>, source: &str) -> BTreeMap<String, FieldDecl> {
    let words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter_map(|word| own.get_key_value(word)).map(|(name, known)| (name.clone(), known.field.clone())).collect()
}

/// What declares a value of the type.
fn declaration(ty: &Type) -> Arc<Decl> {
    sized(match ty {
        Type::Bool => DeclKind::Bool,
        Type::Int => DeclKind::Int,
        Type::Double => DeclKind::Double,
        Type::String => DeclKind::String,
        Type::Bytes => DeclKind::Bytes,
        Type::Timestamp => DeclKind::Timestamp,
        Type::Duration => DeclKind::Duration,
        Type::List(element) => DeclKind::List(declaration(element), ListKind::Atomic),
        Type::Map(key, value) if matches!(**key, Type::String) => DeclKind::Map(declaration(value)),
        Type::Object(object) => DeclKind::Object(Arc::clone(object)),
        _ => DeclKind::Dyn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(scope: &Scope, source: &str, returns: Returns) -> Vec<String> {
        let mut errors = Errors::default();
        scope.check(&mut errors, source, returns, &Path::root("expression"));
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn expressions_see_the_request_and_its_objects() {
        let scope = Scope::webhook();
        for good in [
            "object.spec.replicas > 1 && oldObject == null",
            "request.userInfo.groups.exists(g, g == 'system:nodes')",
            "request.operation == 'CREATE' && request.resource.group == ''",
            "authorizer.group('').resource('pods').check('list').allowed()",
            "has(namespaceObject.metadata.labels)",
        ] {
            assert_eq!(complaints(&scope, good, Returns::Bool), Vec::<String>::new(), "{good}");
        }
        let unknown = complaints(&scope, "authorizer.verb('get').allowed()", Returns::Bool);
        assert!(unknown[0].contains("undeclared reference to 'verb'"), "{unknown:?}");
        let message = complaints(&scope, "authorizer.path('/x').check('get').reason()", Returns::Text);
        assert!(message[0].contains("undeclared reference to 'authorizer'"), "{message:?}");
        assert!(complaints(&scope, "params.x == 1", Returns::Bool)[0].contains("undeclared reference to 'params'"));
        assert!(complaints(&scope, "request.verb == ''", Returns::Bool)[0].contains("undefined field 'verb'"));
        let wrong = complaints(&scope, "request.name", Returns::Bool);
        assert_eq!(wrong, ["expression: Invalid value: \"request.name\": must evaluate to bool"]);
        let wrong = complaints(&scope, "1", Returns::TextOrNull);
        assert_eq!(wrong, ["expression: Invalid value: \"1\": must evaluate to one of [string null_type]"]);
    }

    #[test]
    fn mutations_make_objects_and_patches() {
        let scope = Scope::policy(false).with_variables();
        for (good, returns) in [
            ("Object{spec: Object.spec{replicas: object.spec.replicas}}", Returns::Object),
            ("[JSONPatch{op: 'remove', path: '/spec/' + jsonpatch.escapeKey(request.name)}]", Returns::JsonPatches),
        ] {
            assert_eq!(complaints(&scope, good, returns), Vec::<String>::new(), "{good}");
        }
        for (bad, returns, detail) in [
            ("{'spec': 1}", Returns::Object, "must evaluate to Object"),
            ("Object.spec{}", Returns::Object, "must evaluate to Object"),
            ("JSONPatch{op: 'remove'}", Returns::JsonPatches, "must evaluate to list(JSONPatch)"),
            ("object.patches", Returns::JsonPatches, "must evaluate to list(JSONPatch)"),
            (
                "[JSONPatch{op: 1}]",
                Returns::JsonPatches,
                "compilation failed: ERROR: <input>:1:16: expected type of field",
            ),
            ("Object{}", Returns::Bool, "compilation failed: ERROR: <input>:1:7: undeclared reference to 'Object'"),
        ] {
            let wrong = complaints(&scope, bad, returns);
            assert!(wrong.len() == 1 && wrong[0].contains(detail), "{bad}: {wrong:?}");
        }
    }

    #[test]
    fn variables_have_the_types_of_their_expressions() {
        let mut scope = Scope::policy(true).with_variables();
        let mut errors = Errors::default();
        scope.declare(&mut errors, "many", "params.limit > 3", &Path::root("expression"));
        assert!(errors.0.is_empty());
        assert!(complaints(&scope, "variables.many", Returns::Bool).is_empty());
        assert_eq!(complaints(&scope, "variables.many", Returns::Text).len(), 1);
        assert!(complaints(&scope, "variables.few", Returns::Bool)[0].contains("undefined field 'few'"));
    }
}
