//! Bodies in protobuf.
//!
//! Promises: what is read can be written, and reads back the same; an object of a kind that has a form can be written once
//! it has been decoded, and what is read back of it decodes.

use coracle_api::decode::{FieldValidation, decode};
use coracle_api::protobuf;
use serde_json::Value;

use super::documents::{object, of_document, resource, show, written};
use super::supply::Supply;

/// Checks one input: a body; an object as JSON; or decisions: a kind, and either the bytes of its message or an object.
pub fn check(data: &[u8]) {
    if data.starts_with(b"k8s\0") {
        return body(data);
    }
    if let Some(objects) = written(data) {
        return objects.iter().for_each(json);
    }
    let mut supply = Supply::new(data);
    let resource = resource(&mut supply);
    if supply.once_in(2) {
        return json(&object(&mut supply, &resource));
    }
    body(&envelope(&resource.api_version(), &resource.kind, supply.rest()));
}

/// The bytes of a message with what stands around them (`runtime.Unknown`).
fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
        out.push(number << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
    }
    let (mut meta, mut body) = (Vec::new(), b"k8s\0".to_vec());
    put(&mut meta, 1, api_version.as_bytes());
    put(&mut meta, 2, kind.as_bytes());
    put(&mut body, 1, &meta);
    put(&mut body, 2, raw);
    body
}

fn body(bytes: &[u8]) {
    match protobuf::decode(bytes) {
        Ok(object) => there_and_back(&object),
        Err(error) => drop(error.to_string()),
    }
}

fn there_and_back(object: &Value) {
    show("read", object);
    let bytes = protobuf::encode(object).unwrap_or_else(|error| panic!("what was read can't be written: {error}"));
    let once = protobuf::decode(&bytes).unwrap_or_else(|error| panic!("what was written can't be read: {error}"));
    assert_eq!(*object, once, "there and back by protobuf");
    let _ = protobuf::encode_event("ADDED", object).expect("what can be written can be an event");
    if let Some(resource) = of_document(object) {
        let _ = decode(&resource, object.clone(), FieldValidation::Warn);
    }
}

fn json(object: &Value) {
    show("object", object);
    let Some(resource) = of_document(object) else { return };
    let Ok((object, _)) = decode(&resource, object.clone(), FieldValidation::Ignore) else { return };
    let bytes = match protobuf::encode(&object) {
        Ok(bytes) => bytes,
        Err(error) => panic!("a decoded {} can't be written: {error}", resource.kind),
    };
    let once = protobuf::decode(&bytes).unwrap_or_else(|error| panic!("what was written can't be read: {error}"));
    there_and_back(&once);
    let decoded = decode(&resource, once, FieldValidation::Ignore);
    assert!(decoded.is_ok(), "what came back does not decode: {decoded:?}");
}
