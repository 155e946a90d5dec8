//! Expressions over the claims of a token, or over the user that was made of it
//! (`k8s.io/apiserver/pkg/authentication/cel`). They are compiled when the configuration is read.

use std::sync::{Arc, LazyLock};

use coracle_api::cel::{Decl, DeclKind, MAX_REQUEST_BYTES, Program, Type, Value as Cel, Variable};
use coracle_api::kinds::admission::USER_INFO;
use serde_json::Value;

/// What one evaluation may cost (`PerCallLimit`).
const COST_LIMIT: u64 = 1_000_000;

const CLAIMS: &str = "claims";
const USER: &str = "user";

/// `claims`: whatever the issuer says, by name.
static CLAIMS_DECL: LazyLock<Arc<Decl>> = LazyLock::new(|| {
    let kind = DeclKind::Map(Decl::dynamic());
    Arc::new(Decl { kind, max_elements: MAX_REQUEST_BYTES, min_size: 1 })
});

/// What an expression is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Claims,
    User,
}

/// An expression.
#[derive(Debug)]
pub(super) struct Expression {
    program: Program,
    about: About,
}

impl Expression {
    /// One that comes to a value of any type.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(source: &str) -> Result<Self, String> {
        Self::compile(source, About::Claims)
    }

    /// One that holds or does not.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn condition(source: &str, about: About) -> Result<Self, String> {
        let compiled = Self::compile(source, about)?;
        match compiled.program.result_type() {
            Type::Bool => Ok(compiled),
            _ => Err("must evaluate to bool".into()),
        }
    }

    fn compile(source: &str, about: About) -> Result<Self, String> {
        let variable = match about {
            About::Claims => Variable::declared(CLAIMS, &CLAIMS_DECL),
            About::User => Variable::declared(USER, &USER_INFO),
        };
        let program = Program::compile(source, &[variable]).map_err(|error| format!("compilation failed: {error}"))?;
        Ok(Self { program, about })
    }

    /// Whether it looks at this claim by name.
    pub(super) fn names_claim(&self, claim: &str) -> bool {
        self.about == About::Claims && self.program.names_field(CLAIMS, claim)
    }

    /// Whether it holds.
    pub(super) fn holds(&self, subject: &Value) -> Result<bool, String> {
        let value = self.eval(subject)?;
        value.as_bool().ok_or_else(|| "validation expression must return a boolean".to_string())
    }

    /// Its text, if it comes to one.
    pub(super) fn text(&self, claims: &Value) -> Result<Option<String>, String> {
        Ok(self.eval(claims)?.as_str().map(str::to_string))
    }

    /// Its texts: of a string or a list of strings, those that are not empty. Null is none.
    pub(super) fn texts(&self, claims: &Value) -> Result<Vec<String>, String> {
        let wrong = || "expression must return a string or a list of strings".to_string();
        let texts = match self.eval(claims)? {
            Cel::Null => Vec::new(),
            Cel::String(text) => vec![text.into_owned()],
            Cel::List(list) => {
                let texts = list.iter().map(|item| item.as_str().map(str::to_string).ok_or_else(wrong));
                texts.collect::<Result<Vec<_>, _>>()?
            }
            _ => return Err(wrong()),
        };
        Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
    }

    fn eval<'a>(&'a self, subject: &'a Value) -> Result<Cel<'a>, String> {
        let variable = match self.about {
            About::Claims => (CLAIMS, Cel::read(subject, &CLAIMS_DECL)),
            About::User => (USER, Cel::read(subject, &USER_INFO)),
        };
        let outcome = self.program.eval(vec![variable], COST_LIMIT);
        outcome.value.map_err(|error| format!("expression '{}' resulted in error: {error}", self.source()))
    }

    /// Its text.
    pub(super) fn source(&self) -> &str {
        self.program.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_texts_and_lists_of_them() {
        let claims =
            json!({ "sub": "jane", "roles": ["a", "", "b"], "age": 7, "mixed": ["a", 1], "none": null, "big": 1e30 });
        let texts = |source: &str| Expression::of(source).unwrap().texts(&claims);
        assert_eq!(texts("claims.sub"), Ok(vec!["jane".into()]));
        assert_eq!(texts("claims.roles.map(r, 'x:' + r)"), Ok(vec!["x:a".into(), "x:".into(), "x:b".into()]));
        assert_eq!(texts("claims.roles"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(texts("has(claims.team) ? claims.team : ''"), Ok(Vec::new()));
        assert_eq!(texts("claims.none"), Ok(Vec::new()));
        let wrong = Err("expression must return a string or a list of strings".to_string());
        assert_eq!((texts("claims.age"), texts("claims.mixed")), (wrong.clone(), wrong));
        let missing = "expression 'claims.team' resulted in error: no such key: team".to_string();
        assert_eq!(texts("claims.team"), Err(missing));
        assert_eq!(Expression::of("claims.age").unwrap().text(&claims), Ok(None));
    }

    #[test]
    fn conditions_are_known_to_be_such() {
        let error = |source: &str, about| Expression::condition(source, about).err().unwrap_or_default();
        assert_eq!(error("claims.hd == 'example.com'", About::Claims), "");
        assert_eq!(error("!user.username.startsWith('system:') && user.groups.all(g, g != '')", About::User), "");
        assert_eq!(error("claims.fine", About::Claims), "must evaluate to bool");
        assert!(error("user.name == ''", About::User).starts_with("compilation failed: ERROR: <input>:1:5:"));
        assert!(error("user.username == ''", About::Claims).contains("undeclared reference to 'user'"));
    }

    #[test]
    fn claims_are_named_by_selection() {
        for (source, named) in [
            ("claims.email", true),
            ("has(claims.email) ? 'a' : 'b'", true),
            ("claims.?email.orValue('')", true),
            ("claims.roles.filter(r, r == claims.email)", true),
            ("claims['email']", false),
            ("claims.other.email", false),
            ("'claims.email'", false),
        ] {
            assert_eq!(Expression::of(source).unwrap().names_claim("email"), named, "{source}");
        }
    }
}
