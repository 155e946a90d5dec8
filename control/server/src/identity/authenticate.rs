//! Who sends a request: whom its connection has proved, or whom its bearer token names, or nobody.

use coracle_api::{ApiError, ApiResult};
use http::Request;
use http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::{ANONYMOUS, Proof, User, bootstrap_token};
use crate::hub::Hub;
use crate::places::Guest;

/// What nobody in particular may ask for, if RBAC lets him: whether the server is there, what it is, and where a new node
/// finds its cluster (`anonymous.conditions` of an AuthenticationConfiguration, KEP-4633).
const ANONYMOUS_PATHS: [&str; 5] =
    ["/healthz", "/livez", "/readyz", "/version", "/api/v1/namespaces/kube-public/configmaps/cluster-info"];

/// Finds out who sends a request.
///
/// # Errors
/// 401 when its token is not believed, when its certificate has expired, and when there is neither and the path is not
/// open to everybody.
pub(crate) fn authenticate(hub: &Hub, request: &Request<()>) -> ApiResult<User> {
    let user = known(hub, request)?;
    if let Some(guest) = request.extensions().get::<Guest>()
        && user.name != ANONYMOUS
    {
        guest.known();
    }
    Ok(user)
}

fn known(hub: &Hub, request: &Request<()>) -> ApiResult<User> {
    if let Some(user) = request.extensions().get::<User>() {
        return Ok(user.clone());
    }
    let proof = request.extensions().get::<Proof>();
    if let Some(user) = proof.and_then(|proof| proof.user_at(Timestamp::now())) {
        return Ok(user.clone());
    }
    if let Some(token) = bearer(request) {
        return of_token(hub, token).ok_or_else(ApiError::unauthorized);
    }
    if proof.is_some() {
        // Who shows what is not valid is refused everywhere, as who brings a bad token is.
        return Err(ApiError::unauthorized());
    }
    let path = request.uri().path();
    let is_open = |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if ANONYMOUS_PATHS.into_iter().any(is_open) {
        return Ok(User::anonymous());
    }
    Err(ApiError::unauthorized())
}

/// The token of a request, if it brings one.
fn bearer<T>(request: &Request<T>) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The user of a token that this server has signed for itself, or that a Secret makes one.
fn of_token(hub: &Hub, token: &str) -> Option<User> {
    let now = Timestamp::now();
    let audience = [hub.issuer.audience().to_string()];
    let of_account = hub.issuer.check(hub, token, &audience, now).ok().map(|(user, _)| user);
    of_account.or_else(|| bootstrap_token::user_of(hub, token, now))
}
