//! Passing a request on to a remote: the same path, the user in headers, bodies as they come, upgrades as they are.

use std::sync::Arc;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Reason};
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, StatusCode, Uri};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::Remote;
use super::timely::Timely;
use crate::authz::{Attributes, Subject};
use crate::http::{Params, names, text};
use crate::hub::Hub;
use crate::identity::User;
use crate::metrics::Held;
use crate::outbound::OutboundError;

/// What belongs to one connection and is not passed on (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 7] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Parts of objects that answer for as long as somebody listens (kube-apiserver's `LongRunningFunc`).
const LASTING: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// What goes with a request.
pub(crate) struct Terms {
    /// Counts it, for as long as there is a connection.
    pub(crate) held: Option<Held>,
    /// When its answer has to be over, unless it is one that lasts.
    pub(crate) until: Option<Instant>,
}

/// Whether the answer goes on for as long as somebody listens.
pub(crate) fn lasts(attributes: &Attributes<'_>) -> bool {
    let part = match attributes.target {
        Subject::Resource { subresource, .. } => subresource,
        Subject::Path(_) => "",
    };
    attributes.verb == "watch" || LASTING.contains(&part)
}

/// Whether the request asks for another protocol.
pub(crate) fn upgrades(headers: &HeaderMap) -> bool {
    upgrade_of(headers).is_some()
}

/// Has it decided whether the user may do what the request asks for: here, whatever the remote decides once more.
pub(crate) fn allow<T>(remote: &Remote, request: &Request<()>, decide: impl FnOnce(&Attributes<'_>) -> T) -> T {
    let path = request.uri().path();
    let rest: Vec<&str> = path.trim_matches('/').split('/').skip(3).filter(|segment| !segment.is_empty()).collect();
    let (namespace, rest) = match rest.as_slice() {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let (plural, name, subresource) = match rest {
        [] => {
            let verb = request.method().as_str().to_ascii_lowercase();
            return decide(&Attributes::new(&verb, Subject::Path(path)));
        }
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource, ..] => (*plural, *name, *subresource),
    };
    let watch = Params::parse(request.uri().query()).flag("watch");
    let verb = match (request.method().as_str(), name.is_empty()) {
        ("GET" | "HEAD", false) => "get",
        ("GET" | "HEAD", true) if watch => "watch",
        ("GET" | "HEAD", true) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        _ => "delete",
    };
    let target = Subject::Resource { group: &remote.group, resource: plural, subresource, namespace, name };
    decide(&Attributes::new(verb, target))
}

/// Passes the request on. 503 when there is nobody to pass it on to, 504 when that takes too long to answer.
pub(crate) async fn forward(
    hub: &Arc<Hub>,
    (user, remote): (&User, &Remote),
    request: Request<Body>,
    Terms { held, until }: Terms,
) -> ApiResult<Response<Body>> {
    let (true, Some(outbound)) = (remote.state.available, &remote.outbound) else { return Ok(unavailable()) };
    if crate::outbound::resolve(&hub.store, &remote.service).is_err() {
        return Ok(unavailable());
    }
    let (mut parts, body) = request.into_parts();
    let waiting = parts.extensions.remove::<OnUpgrade>();
    let Ok(uri) = destination(remote, &parts.uri) else { return Ok(unavailable()) };
    let upgrade = waiting.as_ref().and_then(|_| upgrade_of(&parts.headers));
    let mut onward = Request::new(body);
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = uri;
    *onward.headers_mut() = headers(parts.headers, user);
    if let Some(protocol) = &upgrade {
        onward.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        onward.headers_mut().insert(UPGRADE, protocol.clone());
    }
    match in_time(until, outbound.send(onward)).await? {
        Ok(mut answer) => {
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS
                && let Some(waiting) = waiting
            {
                let theirs = hyper::upgrade::on(&mut answer);
                join(hub, waiting, theirs, held);
                return Ok(answer.map(Body::new));
            }
            let mut answer = answer.map(|body| match until {
                Some(until) => Body::new(Timely::new(Body::new(body), until)),
                None => Body::new(body),
            });
            for name in HOP_BY_HOP {
                answer.headers_mut().remove(name);
            }
            Ok(answer)
        }
        Err(error) => Ok(text(StatusCode::SERVICE_UNAVAILABLE, format!("error trying to reach service: {error}\n"))),
    }
}

/// Waits for the head of an answer, if it has to come in time.
async fn in_time<T>(
    until: Option<Instant>,
    sending: impl Future<Output = Result<T, OutboundError>>,
) -> ApiResult<Result<T, OutboundError>> {
    let Some(until) = until else { return Ok(sending.await) };
    let late = |_| ApiError::new(Reason::Timeout, "Timeout: request did not complete within the allotted timeout");
    tokio::time::timeout_at(until, sending).await.map_err(late)
}

fn unavailable() -> Response<Body> {
    text(StatusCode::SERVICE_UNAVAILABLE, "service unavailable\n")
}

fn destination(remote: &Remote, uri: &Uri) -> ApiResult<Uri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let text = format!("https://{}:{}{path}", remote.service.host(), remote.service.port);
    text.parse().map_err(|_| ApiError::no_such_path())
}

fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    names(headers, &CONNECTION, "upgrade").then(|| headers.get(UPGRADE).cloned()).flatten()
}

/// The client's headers without what is not for the remote, and the user. What the client says about users is dropped:
/// only this server may.
fn headers(mut headers: HeaderMap, user: &User) -> HeaderMap {
    let spoken: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-remote-")).cloned().collect();
    for name in HOP_BY_HOP.into_iter().chain([HOST, AUTHORIZATION]).chain(spoken) {
        headers.remove(name);
    }
    let mut add = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    };
    add("x-remote-user", &user.name);
    if !user.uid.is_empty() {
        add("x-remote-uid", &user.uid);
    }
    for group in &user.groups {
        add("x-remote-group", group);
    }
    for (key, values) in &user.extra {
        let name = format!("x-remote-extra-{}", escaped(key));
        values.iter().for_each(|value| add(&name, value));
    }
    headers
}

/// A key as part of a header's name, where not every character may be.
fn escaped(key: &str) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+.^_`|~-".contains(&byte);
    let one = |byte: u8| if fits(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    key.to_ascii_lowercase().bytes().map(one).collect()
}

/// Copies bytes both ways between the two upgraded connections until one of them ends. They are counted as long.
fn join(hub: &Arc<Hub>, ours: OnUpgrade, theirs: OnUpgrade, held: Option<Held>) {
    let closing = hub.closing.clone();
    tokio::spawn(async move {
        let copy = async {
            let (ours, theirs): (Upgraded, Upgraded) = tokio::try_join!(ours, theirs).ok()?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(ours), &mut TokioIo::new(theirs)).await.ok()
        };
        tokio::select! {
            _ = copy => {}
            () = closing.cancelled() => {}
        }
        drop(held);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_says_who_the_user_is() {
        let mut given = HeaderMap::new();
        given.insert("x-remote-user", HeaderValue::from_static("root"));
        given.insert("x-remote-extra-scopes", HeaderValue::from_static("all"));
        given.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        given.insert("accept", HeaderValue::from_static("application/json"));
        let mut jane = User::new("jane", ["devs".to_string()]);
        jane.uid = "42".into();
        jane.extra.insert("example.com/Scopes".into(), vec!["a".into(), "b".into()]);
        let passed = headers(given, &jane);
        assert_eq!(passed["x-remote-user"], "jane");
        assert_eq!(passed["x-remote-uid"], "42");
        let scopes: Vec<&HeaderValue> = passed.get_all("x-remote-extra-example.com%2fscopes").iter().collect();
        assert_eq!(scopes, ["a", "b"]);
        assert_eq!(passed.get_all("x-remote-group").iter().count(), 2);
        assert!(!passed.contains_key(AUTHORIZATION) && !passed.contains_key("x-remote-extra-scopes"));
        assert_eq!(passed["accept"], "application/json");
        let named = headers(HeaderMap::new(), &User::new("jos\u{e9}", []));
        assert_eq!(named["x-remote-user"].as_bytes(), "jos\u{e9}".as_bytes());
    }

    #[test]
    fn an_upgrade_is_one_that_its_connection_header_names() {
        let mut given = HeaderMap::new();
        given.insert(UPGRADE, HeaderValue::from_static("websocket"));
        assert_eq!(upgrade_of(&given), None);
        given.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert_eq!(upgrade_of(&given).unwrap(), "websocket");
    }

    #[test]
    fn what_lasts_is_known_by_its_verb_or_its_part() {
        let resource = |verb, subresource| {
            let target =
                Subject::Resource { group: "example.com", resource: "boats", subresource, namespace: "", name: "a" };
            lasts(&Attributes::new(verb, target))
        };
        assert!(resource("watch", "") && resource("get", "log") && resource("create", "proxy"));
        assert!(!resource("list", "") && !resource("get", "status"));
        assert!(!lasts(&Attributes::new("get", Subject::Path("/apis/example.com/v1"))));
    }
}
