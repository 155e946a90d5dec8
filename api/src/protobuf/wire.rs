//! The wire format itself: varints, lengths, and the envelope around every object.

use super::ProtobufError;

/// A field as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item<'a> {
    Number(u64),
    Fixed(u64),
    /// Four bytes, which no field of ours is written in.
    Short,
    Bytes(&'a [u8]),
}

/// The fields of a message, in order.
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

impl<'a> Wire<'a> {
    fn field(&mut self) -> Option<(u32, Item<'a>)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|n| *n > 0)?;
        let item = match tag & 7 {
            0 => Item::Number(self.varint()?),
            1 => Item::Fixed(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Item::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Item::Short
            }
            _ => return None,
        };
        Some((number, item))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Wire<'a> {
    type Item = Result<(u32, Item<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field().ok_or(ProtobufError::Malformed);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// `runtime.Unknown`: the type, and the object's own bytes.
#[derive(Default)]
pub(super) struct Unknown<'a> {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) raw: &'a [u8],
}

pub(super) fn unknown(bytes: &[u8]) -> Result<Unknown<'_>, ProtobufError> {
    let mut unknown = Unknown::default();
    for field in Wire(bytes) {
        match field? {
            (1, Item::Bytes(meta)) => {
                for field in Wire(meta) {
                    match field? {
                        (1, Item::Bytes(text)) => unknown.api_version = string(text)?,
                        (2, Item::Bytes(text)) => unknown.kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Item::Bytes(bytes)) => unknown.raw = bytes,
            _ => {}
        }
    }
    Ok(unknown)
}

pub(super) fn write_unknown(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut meta = Vec::with_capacity(api_version.len() + kind.len() + 4);
    put_bytes(&mut meta, 1, api_version.as_bytes());
    put_bytes(&mut meta, 2, kind.as_bytes());
    let mut unknown = Vec::with_capacity(raw.len() + meta.len() + 16);
    put_bytes(&mut unknown, 1, &meta);
    put_bytes(&mut unknown, 2, raw);
    // Content encoding and type: Go writes both, empty.
    put_bytes(&mut unknown, 3, b"");
    put_bytes(&mut unknown, 4, b"");
    unknown
}

pub(super) fn string(bytes: &[u8]) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Malformed)
}

/// The only field of a small message that wraps bytes (quantities, raw JSON): empty when it is absent.
pub(super) fn wrapped(bytes: &[u8]) -> Result<&[u8], ProtobufError> {
    let mut inner = &[][..];
    for field in Wire(bytes) {
        if let (1, Item::Bytes(bytes)) = field? {
            inner = bytes;
        }
    }
    Ok(inner)
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3);
    put_varint(out, value);
}

pub(super) fn put_fixed(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
