//! Names that are made, not given.

use super::LABEL_MAX_BYTES;

/// Characters that random suffixes and hashes are made of: no vowels (no words), nothing that looks alike.
const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of the suffix that `generateName` gets.
pub const SUFFIX_LENGTH: usize = 5;
/// Longest prefix that is kept before the suffix.
const GENERATED_PREFIX_MAX_BYTES: usize = LABEL_MAX_BYTES - SUFFIX_LENGTH;

/// `generateName` with a suffix made of the caller's random bytes, as Kubernetes' `SimpleNameGenerator` does.
pub fn generate(prefix: &str, random: [u8; SUFFIX_LENGTH]) -> String {
    let mut end = prefix.len().min(GENERATED_PREFIX_MAX_BYTES);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = prefix[..end].to_string();
    name.extend(random.iter().map(|b| char::from(SUFFIX_ALPHABET[usize::from(*b) % SUFFIX_ALPHABET.len()])));
    name
}

/// Makes a text safe for names by mapping each of its bytes into the suffix alphabet (`rand.SafeEncodeString`).
pub fn safe_encode(text: &str) -> String {
    text.bytes().map(|b| char::from(SUFFIX_ALPHABET[usize::from(b) % SUFFIX_ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names() {
        assert_eq!(generate("web-", [0, 1, 26, 27, 255]), "web-bc9bq");
        assert_eq!(generate(&"x".repeat(100), [0; 5]).len(), 63);
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
