use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<String, ReferenceError> {
    text.parse::<Reference>().map(|reference| reference.to_string())
}

#[test]
fn short_names_are_normalised_as_docker_does() {
    let hex = "b".repeat(64);
    for (text, full) in [
        ("hello", "docker.io/library/hello:latest".to_owned()),
        ("hello:1.0", "docker.io/library/hello:1.0".into()),
        ("ann/hello", "docker.io/ann/hello:latest".into()),
        ("index.docker.io/hello", "docker.io/library/hello:latest".into()),
        ("localhost/hello", "localhost/hello:latest".into()),
        ("localhost:5000", "docker.io/library/localhost:5000".into()),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c".into()),
        ("127.0.0.1:5000/hello", "127.0.0.1:5000/hello:latest".into()),
        ("[::1]:5000/hello", "[::1]:5000/hello:latest".into()),
        ("ghcr.io/a/b__c/d--e.f", "ghcr.io/a/b__c/d--e.f:latest".into()),
        (&format!("hello@sha256:{hex}"), format!("docker.io/library/hello@sha256:{hex}")),
        (&format!("q.io/x:1@sha256:{hex}"), format!("q.io/x:1@sha256:{hex}")),
    ] {
        assert_eq!(parse(text), Ok(full), "{text}");
    }
}

#[test]
fn invalid_names_say_what_is_wrong() {
    let long = "a/".repeat(130) + "a";
    for (text, error) in [
        ("", "invalid reference format"),
        (":tag", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("hello:", "invalid reference format"),
        ("hello:-x", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("../etc/passwd", "invalid reference format"),
        ("x.io/a/../b", "invalid reference format"),
        ("x.io/a_-b", "invalid reference format"),
        ("x.io/a..b", "invalid reference format"),
        ("-x.io/a", "invalid reference format"),
        ("x.io:99999/a", "invalid reference format"),
        ("Hello", "invalid reference format: repository name (library/Hello) must be lowercase"),
        ("x.io/Hello", "invalid reference format: repository name (Hello) must be lowercase"),
        ("hello@sha256:abc", "unsupported digest"),
        ("https://x.io/a", "no URL scheme (remove \"https://\")"),
        (&long, "repository name must not be more than 255 characters"),
        (&"a".repeat(64), "cannot specify 64-byte hexadecimal strings"),
    ] {
        let error_text = parse(text).expect_err(text).to_string();
        assert!(error_text.contains(error), "{text}: {error_text}");
    }
}

#[test]
fn the_parts_are_what_was_written() {
    let hex = "c".repeat(64);
    let reference: Reference = format!("x.io:1/a/b:t@sha256:{hex}").parse().unwrap();
    assert_eq!(reference.registry(), "x.io:1");
    assert_eq!(reference.repository(), "a/b");
    assert_eq!(reference.tag(), Some("t"));
    assert_eq!(reference.digest(), Some(format!("sha256:{hex}").as_str()));
    assert_eq!(reference.version(), format!("sha256:{hex}"));
    assert_eq!(reference.name(), "x.io:1/a/b");
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}") {
        let _ = text.parse::<Reference>();
    }

    #[test]
    fn what_is_displayed_parses_to_the_same(
        text in "([a-zA-Z0-9.-]{1,8}(:[0-9]{1,5})?/)?[a-z0-9]{1,5}([._/-]{1,2}[a-z0-9]{1,4}){0,3}(:[a-zA-Z0-9_.-]{1,9})?(@sha256:[0-9a-f]{64})?"
    ) {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
    }
}
