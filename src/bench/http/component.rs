//! Different components of one program.

/// The identifier of a custom section.
const CUSTOM_SECTION: u8 = 0;
const NAME: &str = "bench";

/// The same program with a custom section of its own (WebAssembly Core, Custom Section): another digest, hence another
/// image, compiled and loaded by itself.
pub fn variant(wasm: &[u8], number: u32) -> Vec<u8> {
    let number = number.to_le_bytes();
    let name_bytes = NAME.len() as u8;
    let mut variant = wasm.to_vec();
    variant.extend([CUSTOM_SECTION, 1 + name_bytes + number.len() as u8, name_bytes]);
    variant.extend(NAME.as_bytes());
    variant.extend(number);
    variant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_differ_in_their_last_bytes() {
        let [first, second] = [1, 2].map(|number| variant(b"\0asm", number));
        assert_eq!(first, b"\0asm\0\x0a\x05bench\x01\0\0\0");
        assert_ne!(first, second);
    }
}
