//! Tokens of lists that are read in pages.
//!
//! Promises: what we hand out reads back; what is taken names a place and, handed out again, reads back the same.

use coracle_api::continue_token::Token;
use coracle_api::names;

use super::supply::Supply;

/// Checks one input: a token, and what one could be made of.
pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(token) = Token::decode(text)
    {
        sound(&token);
    }
    let mut supply = Supply::new(data);
    let revision = supply.integer().unsigned_abs();
    let namespace = String::from_utf8_lossy(supply.take(16)).into_owned();
    let name = String::from_utf8_lossy(supply.rest()).into_owned();
    let is_namespace = namespace.is_empty() || names::dns1123_label(&namespace).is_empty();
    let named = is_namespace && !name.is_empty() && names::path_segment(&name).is_empty();
    let token = Token::after(&namespace, &name, revision);
    match Token::decode(&token.encode()) {
        Ok(back) => {
            assert_eq!(back, token);
            sound(&back);
            if named {
                assert_eq!(back.place(), (namespace.as_str(), name.as_str()));
            }
        }
        Err(error) => assert!(!named || revision == 0, "a token of our own is refused: {}", error.message),
    }
}

fn sound(token: &Token) {
    let (namespace, name) = token.place();
    assert!(!name.is_empty() && !namespace.contains('/'), "{token:?} leads nowhere");
    assert_eq!(Token::decode(&token.encode()).as_ref(), Ok(token));
    let next = token.expired().continue_token.expect("an expired token comes with another");
    let next = Token::decode(&next).expect("the other one can be read");
    assert_eq!((next.revision(), next.place()), (None, token.place()));
}
