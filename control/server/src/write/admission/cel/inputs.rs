//! What expressions see of a request.

use coracle_api::cel::{Access, Value as Cel};
use coracle_api::kinds::admission::{NAMESPACE, REQUEST};
use serde_json::Value;

use super::authorizer::RequestAuthorizer;

/// The variables, besides those that a policy declares. What is `None` is null; without an authorizer there is no such
/// variable, and an expression that names it fails.
#[derive(Clone, Copy)]
pub(in super::super) struct Inputs<'a> {
    /// `object`: what would be stored, or the options of a connection; null for a deletion.
    pub(in super::super) object: Option<&'a Value>,
    /// `oldObject`: what is stored; null for a creation.
    pub(in super::super) old: Option<&'a Value>,
    /// `request`: an `AdmissionRequest` without its objects.
    pub(in super::super) request: &'a Value,
    /// `namespaceObject`: the namespace of the object, null for what belongs to the cluster.
    pub(in super::super) namespace: Option<&'a Value>,
    /// `params`
    pub(in super::super) params: Option<&'a Value>,
    /// `authorizer`, and `authorizer.requestResource`
    pub(in super::super) authorizer: Option<&'a RequestAuthorizer<'a>>,
}

impl<'a> Inputs<'a> {
    /// The variables with their values.
    pub(super) fn variables(&self) -> Vec<(&'a str, Cel<'a>)> {
        let value = |json: Option<&'a Value>| json.map_or(Cel::Null, Cel::dynamic);
        let mut variables = vec![
            ("object", value(self.object)),
            ("oldObject", value(self.old)),
            ("request", Cel::read(self.request, &REQUEST)),
            ("namespaceObject", self.namespace.map_or(Cel::Null, |namespace| Cel::read(namespace, &NAMESPACE))),
            ("params", value(self.params)),
        ];
        if let Some(asks) = self.authorizer {
            let own = Access::resource(asks, asks.own().clone());
            variables.push(("authorizer", Cel::Access(Access::authorizer(asks).into())));
            variables.push(("authorizer.requestResource", Cel::Access(own.into())));
        }
        variables
    }
}
