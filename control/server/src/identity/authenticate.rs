//! Who sends a request: whom its connection has proved, or whom its bearer token names, or nobody.

use coracle_api::{ApiError, ApiResult};
use coracle_listen::Guest;
use http::Request;
use http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::{ANONYMOUS, Proof, User, bootstrap_token};
use crate::hub::Hub;
use crate::identity::token::TokenError;
use crate::write::Notes;

/// Finds out who sends a request.
///
/// # Errors
/// 401 when its token is not believed, when its certificate has expired, and when there is neither and the path is not
/// open to everybody.
pub(crate) async fn authenticate(hub: &Hub, request: &Request<()>, notes: &Notes) -> ApiResult<User> {
    let user = known(hub, request, notes).await?;
    if let Some(guest) = request.extensions().get::<Guest>()
        && user.name != ANONYMOUS
    {
        guest.known(&user.name);
    }
    Ok(user)
}

async fn known(hub: &Hub, request: &Request<()>, notes: &Notes) -> ApiResult<User> {
    if let Some(user) = request.extensions().get::<User>() {
        return Ok(user.clone());
    }
    let proof = request.extensions().get::<Proof>();
    if let Some(user) = proof.and_then(|proof| proof.user_at(Timestamp::now())) {
        return Ok(user.clone());
    }
    if let Some(token) = bearer(request) {
        let token = std::str::from_utf8(token).map_err(|_| ApiError::unauthorized())?;
        let audiences = [hub.issuer.audience().to_string()];
        let believed = believe(hub, token, &audiences, notes).await;
        return believed.map(|(user, _)| user).map_err(|why| {
            tracing::debug!(%why, "a bearer token is not believed");
            ApiError::unauthorized()
        });
    }
    if proof.is_some() {
        // Who shows what is not valid is refused everywhere, as who brings a bad token is.
        return Err(ApiError::unauthorized());
    }
    if hub.config.authentication.anonymous.admits(request.uri().path()) {
        return Ok(User::anonymous());
    }
    Err(ApiError::unauthorized())
}

/// The token of a request, if it brings one. What is no text is nobody's token, but one nevertheless.
fn bearer<T>(request: &Request<T>) -> Option<&[u8]> {
    let header = request.headers().get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let (scheme, token) = header.split_at_checked(header.iter().position(|byte| *byte == b' ')?)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty()).then_some(token)
}

/// The user of a token that this server has signed for itself, that a Secret makes one, or that an issuer has signed; and
/// those of `audiences` that the token is meant for. Only the first knows audiences; the others are for this server. A token
/// that somebody has marked as too old to be used is noted for the audit log.
///
/// # Errors
/// Says why the token is not believed.
pub(crate) async fn believe(
    hub: &Hub,
    token: &str,
    audiences: &[String],
    notes: &Notes,
) -> Result<(User, Vec<String>), String> {
    let now = Timestamp::now();
    let foreign = match hub.issuer.check(hub, token, audiences, now) {
        Ok(own) => return Ok(own),
        Err(TokenError::Foreign) => TokenError::Foreign.to_string(),
        Err(error) => {
            if let TokenError::Marked { namespace, secret, .. } = &error {
                notes.annotate("authentication.k8s.io/legacy-token-invalidated", format!("{secret}/{namespace}"));
            }
            return Err(error.to_string());
        }
    };
    let ours: Vec<String> = audiences.iter().filter(|audience| *audience == hub.issuer.audience()).cloned().collect();
    if ours.is_empty() {
        return Err(foreign);
    }
    if let Some(user) = bootstrap_token::user_of(hub, token, now) {
        return Ok((user, ours));
    }
    let user = hub.issuers.user_of(token, now).await.ok_or(foreign)??;
    Ok((user, ours))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_bearer_has_a_token_whatever_is_in_it() {
        let token = |header: &[u8]| {
            let request = Request::builder().header(AUTHORIZATION, HeaderValue::from_bytes(header).unwrap());
            bearer(&request.body(()).unwrap()).map(<[u8]>::to_vec)
        };
        assert_eq!(token(b"Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(token(b" bEARER  abc "), Some(b"abc".to_vec()));
        assert_eq!(token(b"Bearer a\xe9"), Some(b"a\xe9".to_vec()));
        for none in [&b"Bearer "[..], b"Bearer", b"Basic abc", b"\xe9 abc", b""] {
            assert_eq!(token(none), None);
        }
    }
}
