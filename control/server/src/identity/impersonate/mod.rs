//! Impersonation: a user who may do so acts as another (`k8s.io/apiserver/pkg/endpoints/filters/impersonation`).
//!
//! Who has the verb `impersonate` acts as somebody in everything. Constrained impersonation (KEP-5284) asks for two rights
//! instead: to be that one (`impersonate:MODE`), and to do what the request does as one of that kind
//! (`impersonate-on:MODE:VERB`). That is why it is decided together with the request, when it is known what that is.

mod headers;
mod modes;

pub(crate) use headers::Wanted;

use coracle_api::{ApiError, ApiResult};

use super::User;
use crate::authz::{Attributes, Authorizers};
use modes::Mode;

/// Whom a request is made as, and by which right.
#[derive(Debug)]
pub(crate) struct Impersonated {
    pub(crate) user: User,
    /// The verb of constrained impersonation that has allowed it; none if it was `impersonate`.
    pub(crate) constraint: Option<&'static str>,
}

impl Wanted {
    /// Lets the sender of a request act as the wanted user, in the first mode that allows it.
    ///
    /// # Errors
    /// 403 in the words of the first check that fails.
    pub(crate) fn permit(
        self,
        authorizers: &Authorizers,
        sender: &User,
        attributes: &Attributes<'_>,
    ) -> ApiResult<Impersonated> {
        let mut refused: Option<ApiError> = None;
        for mode in Mode::ALL {
            if !mode.is_for(&self, sender) {
                continue;
            }
            match mode.check(&self, authorizers, sender, attributes) {
                Ok(()) => return Ok(Impersonated { constraint: mode.constraint(), user: self.into_user(mode) }),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| ApiError::internal("all impersonation modes failed")))
    }
}
