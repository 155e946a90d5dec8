//! What a registry asks for before it answers (RFC 7235), and the token that it sends us to fetch.
//!
//! It is ours, like all reading: the token's server is to be met with the certificates of the host's configuration, and
//! may not send more than a token.

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::StatusCode;
use url::Url;

use crate::auth::Auth;
use crate::error::chain;

/// A token's answer; those of large registries have some 5 kB.
const ANSWER_BYTES: usize = 256 << 10;
/// Scopes asked for at once; registries name one.
const SCOPES_LIMIT: usize = 16;

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token from somewhere else.
    Bearer {
        realm: String,
        service: Option<String>,
        /// What the token is to be good for, if the registry says so.
        scope: Option<String>,
    },
}

/// The challenge of an answer that we can meet; a token is preferred.
pub(crate) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let all: Vec<_> = texts.flat_map(schemes).collect();
    let bearer = all.iter().find_map(|(scheme, parameters)| {
        let named = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let realm = named("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        Some(Challenge::Bearer { realm, service: named("service"), scope: named("scope") })
    });
    let basic = all.iter().any(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    bearer.or(basic.then_some(Challenge::Basic))
}

type Scheme = (String, Vec<(String, String)>);

/// The schemes of one header with their parameters: `Bearer realm="…",service="…", Basic realm="…"`.
fn schemes(text: &str) -> Vec<Scheme> {
    let mut found: Vec<Scheme> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        match tail.strip_prefix('=') {
            Some(tail) => {
                let (value, tail) = value(tail);
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word.to_owned(), value));
                }
                rest = tail;
            }
            None if word.is_empty() => return found,
            None => {
                found.push((word.to_owned(), Vec::new()));
                rest = tail;
            }
        }
    }
}

/// A parameter's value, quoted or not, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (place, character) in quoted.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, &quoted[place + 1..]),
            other => {
                value.push(other);
                escaped = false;
            }
        }
    }
    (value, "")
}

/// The address that a challenge sends us to, to read from this repository.
pub(crate) fn token_url(
    realm: &str,
    service: Option<&str>,
    scope: Option<&str>,
    repository: &str,
) -> Result<Url, String> {
    let failed = |why: String| format!("invalid realm {realm:?}: {why}");
    let mut url = Url::parse(realm).map_err(|error| failed(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(failed(format!("scheme {:?} is not http or https", url.scheme())));
    }
    let usual = format!("repository:{repository}:pull");
    let mut query = url.query_pairs_mut();
    for scope in scope.unwrap_or(&usual).split_whitespace().take(SCOPES_LIMIT) {
        query.append_pair("scope", scope);
    }
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    drop(query);
    Ok(url)
}

/// Fetches a token. The error says what went wrong, in containerd's words.
pub(crate) async fn fetch(http: &reqwest::Client, url: Url, auth: &Auth) -> Result<String, String> {
    let what = match auth {
        Auth::Basic { .. } => "failed to fetch oauth token",
        _ => "failed to fetch anonymous token",
    };
    let shown = url.clone();
    let mut request = http.get(url);
    if let Auth::Basic { username, password } = auth {
        request = request.basic_auth(username, Some(password));
    }
    let mut response = request.send().await.map_err(|error| format!("{what}: {}", chain(&error)))?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(format!("{what}: unexpected status from GET request to {shown}: {status}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| format!("{what}: {}", chain(&error)))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(format!("{what}: the answer of {shown} is larger than {ANSWER_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&body).map_err(|error| format!("{what}: unable to decode token response: {error}"))?;
    let named = |name: &str| answer[name].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    named("token").or_else(|| named("access_token")).ok_or_else(|| format!("{what}: no token in token response"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        challenge(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let (service, scope) = (service.map(str::to_owned), scope.map(str::to_owned));
        Some(Challenge::Bearer { realm: realm.to_owned(), service, scope })
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let scope = Some("repository:a/b:pull,push");
        assert_eq!(of(&[hub]), bearer("https://auth.docker.io/token", Some("registry.docker.io"), scope));
        assert_eq!(of(&["Basic realm=\"a, b\"", "bearer Realm=x"]), bearer("x", None, None));
        assert_eq!(of(&[r#"Basic realm="x \" Bearer", BEARER realm="y",service=z"#]), bearer("y", Some("z"), None));
        assert_eq!(of(&["Basic"]), Some(Challenge::Basic));
        for nothing in ["", "Negotiate", "Bearer service=\"x\"", "=,=", "Bearer realm=\"", "\""] {
            assert_eq!(of(&[nothing]), None, "{nothing}");
        }
        assert_eq!(of(&[]), None);
    }

    #[tokio::test]
    async fn what_is_no_token_is_explained_and_bounded() {
        use axum::{Router, body::Body, response::Response, routing::get};

        let endless = || {
            let pieces = std::iter::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 64 << 10]));
            std::future::ready(Response::new(Body::from_stream(futures::stream::iter(pieces))))
        };
        let router = Router::new()
            .route("/endless", get(endless))
            .route("/text", get(|| std::future::ready("hello")))
            .route("/empty", get(|| std::future::ready(r#"{"token":""}"#)))
            .route("/access", get(|| std::future::ready(r#"{"access_token":"a"}"#)));
        let server = crate::testing::serve(router).await;
        let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let ask = async |path: &str, auth: &Auth| {
            fetch(&http, Url::parse(&format!("http://{}/{path}", server.host)).unwrap(), auth).await
        };
        let anonymous = Auth::Anonymous;
        assert_eq!(ask("access", &anonymous).await.unwrap(), "a");
        for (path, wanted) in [
            ("endless", "is larger than 262144 bytes"),
            ("text", "unable to decode token response: "),
            ("empty", "no token in token response"),
            ("none", "/none: 404 Not Found"),
        ] {
            let error = ask(path, &anonymous).await.unwrap_err();
            assert!(error.starts_with("failed to fetch anonymous token: ") && error.contains(wanted), "{error}");
        }
        let basic = Auth::Basic { username: "ann".into(), password: "secret".into() };
        assert!(ask("none", &basic).await.unwrap_err().starts_with("failed to fetch oauth token: unexpected status"));
    }

    #[test]
    fn the_tokens_address_has_what_was_asked_for() {
        let url = token_url("https://a.example/t?x=1", Some("reg istry"), None, "a/b").unwrap();
        assert_eq!(url.as_str(), "https://a.example/t?x=1&scope=repository%3Aa%2Fb%3Apull&service=reg+istry");
        let url = token_url("http://a.example/t", None, Some("one two"), "a/b").unwrap();
        assert_eq!(url.as_str(), "http://a.example/t?scope=one&scope=two");
        assert!(token_url("nothing", None, None, "a").unwrap_err().contains("invalid realm \"nothing\""));
        assert!(token_url("file:///etc/passwd", None, None, "a").unwrap_err().contains("not http or https"));
    }
}
