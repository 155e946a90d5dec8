//! Objects that rest: their JSON takes a fifth of what their structs do.

use std::{fmt, marker::PhantomData, ops::Deref, sync::OnceLock};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

/// An object as its JSON.
pub struct Packed<T> {
    json: Box<RawValue>,
    object: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Packed<T> {
    /// Packs an object of the API.
    pub fn of(object: &T) -> Packed<T> {
        let json = to_raw_value(object).expect("an object of the API can be written as JSON");
        Packed { json, object: PhantomData }
    }

    /// The object.
    pub fn open(&self) -> T {
        serde_json::from_str(self.json.get()).expect("what was packed can be read")
    }

    /// Its JSON.
    pub fn json(&self) -> &RawValue {
        &self.json
    }
}

impl<T> fmt::Debug for Packed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.get().fmt(formatter)
    }
}

/// An object that is open while somebody works with it, and packed while it rests.
///
/// Invariant: one of the two is there.
pub struct Resting<T> {
    open: OnceLock<Box<T>>,
    packed: Option<Packed<T>>,
}

impl<T: Serialize + DeserializeOwned> Resting<T> {
    /// An object that is worked with.
    pub fn of(object: T) -> Resting<T> {
        Resting { open: OnceLock::from(Box::new(object)), packed: None }
    }

    /// Packs it until somebody looks at it again.
    pub fn rest(&mut self) {
        if let Some(open) = self.open.take() {
            self.packed.get_or_insert_with(|| Packed::of(&*open));
        }
    }
}

impl<T: Serialize + DeserializeOwned> Deref for Resting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let open = || Box::new(self.packed.as_ref().expect("what is not open is packed").open());
        self.open.get_or_init(open)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodStatus;

    use super::*;

    #[test]
    fn what_rests_is_what_it_was() {
        let status = PodStatus { phase: Some("Running".to_owned()), ..PodStatus::default() };
        let mut resting = Resting::of(status.clone());
        assert_eq!(*resting, status);
        for _ in 0..2 {
            resting.rest();
            assert!(resting.open.get().is_none());
            assert_eq!(*resting, status);
        }
    }
}
