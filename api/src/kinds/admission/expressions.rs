//! Compiling the expressions of webhooks and policies: the variables that they see, and what they must come to
//! (`k8s.io/apiserver/pkg/admission/plugin/cel`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cel::{
    CompileError, Decl, DeclKind, FieldDecl, ListKind, MAX_REQUEST_BYTES, ObjectDecl, Program, StructType, Type,
    Variable,
};
use crate::field::Path;
use crate::kinds::check::Errors;

/// What an expression must come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Returns {
    Bool,
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
    own: Option<BTreeMap<String, FieldDecl>>,
}

impl Scope {
    /// What the conditions of a webhook see.
    pub(super) fn webhook() -> Self {
        let dynamic = |name| Variable::of(name, Type::Dyn);
        let mut builtin: Vec<Variable> =
            ["object", "oldObject", "namespaceObject", "authorizer"].into_iter().map(dynamic).collect();
        builtin.push(Variable::declared("request", &request()));
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
        let ty = self.check(errors, source, Returns::Anything, path);
        let decl = ty.as_ref().map_or_else(Decl::dynamic, declaration);
        if let Some(own) = &mut self.own {
            own.insert(name.to_string(), FieldDecl { json: name.to_string(), decl });
        }
    }

    /// Compiles an expression and says what is wrong with it; returns its type.
    pub(super) fn check(&self, errors: &mut Errors, source: &str, returns: Returns, path: &Path) -> Option<Type> {
        match self.compile(source, returns) {
            Ok(ty) => ty,
            Err(detail) => {
                errors.invalid(path, &source, &detail);
                None
            }
        }
    }

    /// The type of an expression, as far as it can be told here, or what is wrong with it.
    pub(super) fn compile(&self, source: &str, returns: Returns) -> Result<Option<Type>, String> {
        let mut variables = self.builtin.clone();
        if let Some(own) = &self.own {
            let object = ObjectDecl { name: "kubernetes.variables".into(), fields: own.clone() };
            variables.push(Variable::declared("variables", &sized(DeclKind::Object(Arc::new(object)))));
        }
        match returns.compile(source, &variables) {
            // The functions of authorizers are known to who evaluates, not here.
            Err(_) if source.contains("authorizer") => Ok(None),
            Err(error) => Err(format!("compilation failed: {error}")),
            Ok(program) => {
                let ty = program.result_type().clone();
                // A variable whose type can't be declared may be anything.
                let unknown = ty.is_open() && source.contains("variables.");
                if returns.accepts(&ty) || unknown { Ok(Some(ty)) } else { Err(returns.complaint().into()) }
            }
        }
    }
}

pub(super) fn sized(kind: DeclKind) -> Arc<Decl> {
    Arc::new(Decl { kind, max_elements: MAX_REQUEST_BYTES, min_size: 1 })
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

fn object(name: &str, fields: &[(&str, Arc<Decl>)]) -> Arc<Decl> {
    let field = |(name, decl): &(&str, Arc<Decl>)| {
        (name.to_string(), FieldDecl { json: name.to_string(), decl: Arc::clone(decl) })
    };
    let object = ObjectDecl { name: name.into(), fields: fields.iter().map(field).collect() };
    sized(DeclKind::Object(Arc::new(object)))
}

/// `AdmissionRequest` without its objects.
fn request() -> Arc<Decl> {
    let text = || sized(DeclKind::String);
    let texts = || sized(DeclKind::List(text(), ListKind::Atomic));
    let typed = |name, last| object(name, &[("group", text()), ("version", text()), (last, text())]);
    let kind = || typed("kubernetes.GroupVersionKind", "kind");
    let resource = || typed("kubernetes.GroupVersionResource", "resource");
    let extra = sized(DeclKind::Map(texts()));
    let user =
        object("kubernetes.UserInfo", &[("username", text()), ("uid", text()), ("groups", texts()), ("extra", extra)]);
    object(
        "kubernetes.AdmissionRequest",
        &[
            ("kind", kind()),
            ("resource", resource()),
            ("subResource", text()),
            ("requestKind", kind()),
            ("requestResource", resource()),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", user),
            ("dryRun", sized(DeclKind::Bool)),
            ("options", Decl::dynamic()),
        ],
    )
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
