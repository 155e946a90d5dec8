//! Frees the disk of images that no pod here uses, as kubelet's image garbage collection does: from a high mark of the
//! disk's use down to a low one, the longest unused first.
//!
//! Invariant: an image that a pod here names, has run or has mounted is never removed.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    time::Duration,
};

use coracle_oci::{Image, ImageStore, Reference, StoreError};
use tokio::time::Instant;

use crate::machine::Disk;

/// How often images are looked at (kubelet `ImageGCPeriod`).
pub const PERIOD: Duration = Duration::from_secs(300);

/// When images are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageGcPolicy {
    /// Part of the disk in use, in percent, from which images are removed; 100 is never.
    pub high_percent: u8,
    /// Part of the disk in use, in percent, down to which they are.
    pub low_percent: u8,
    /// An image younger than this stays: whoever pulled it may be about to use it.
    pub min_age: Duration,
}

impl Default for ImageGcPolicy {
    /// Kubelet's: 85 %, 80 %, two minutes.
    fn default() -> Self {
        Self { high_percent: 85, low_percent: 80, min_age: Duration::from_secs(120) }
    }
}

/// A policy makes no sense (kubelet's words).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// no percentage
    #[error("invalid configuration: {name} ({flag}) {percent} must be between 0 and 100, inclusive")]
    Percent {
        /// The setting.
        name: &'static str,
        /// Its flag.
        flag: &'static str,
        /// What is given.
        percent: u8,
    },
    /// low is not below high
    #[error(
        "invalid configuration: imageGCLowThresholdPercent (--image-gc-low-threshold) {low} must be less than imageGCHighThresholdPercent (--image-gc-high-threshold) {high}"
    )]
    Order {
        /// The low one.
        low: u8,
        /// The high one.
        high: u8,
    },
}

impl ImageGcPolicy {
    /// The policy, if it makes sense.
    ///
    /// # Errors
    /// When a threshold is no percentage, or the low one is not below the high one.
    pub fn check(self) -> Result<Self, PolicyError> {
        let (high, low) = (self.high_percent, self.low_percent);
        for (name, flag, percent) in [
            ("imageGCHighThresholdPercent", "--image-gc-high-threshold", high),
            ("imageGCLowThresholdPercent", "--image-gc-low-threshold", low),
        ] {
            if percent > 100 {
                return Err(PolicyError::Percent { name, flag, percent });
            }
        }
        if low < high { Ok(self) } else { Err(PolicyError::Order { low, high }) }
    }
}

/// Why a pass did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// too little could be freed (kubelet's words)
    #[error(
        "Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, but only found {freed} bytes eligible to free."
    )]
    TooLittle {
        /// What should have been freed, in bytes.
        wanted: u64,
        /// What was, in bytes.
        freed: u64,
    },
    /// the store can't be written
    #[error("images can't be removed: {0}")]
    Store(#[from] StoreError),
}

/// Remembers when images were used.
#[derive(Debug, Default)]
pub struct Collector {
    policy: ImageGcPolicy,
    /// By name. Holds exactly the images that were here at the last look.
    seen: HashMap<String, Seen>,
    /// What is found at the first look was here before the node, and is old.
    begun: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// When it was first found; None if it was here before the node.
    since: Option<Instant>,
    used: Option<Instant>,
}

impl Collector {
    /// One that has seen nothing yet.
    pub fn new(policy: ImageGcPolicy) -> Collector {
        Collector { policy, ..Collector::default() }
    }

    /// Removes what no pod here uses, whatever the disk has left. Returns the bytes freed. Blocks on the disk.
    pub fn collect_unused(&mut self, store: &ImageStore, names: &[String], now: Instant) -> Result<u64, StoreError> {
        self.free(store, names, u64::MAX, now)
    }

    /// One pass. `names` are the images of all pods here, as their containers name them. Returns the bytes freed.
    /// Blocks on the disk.
    pub fn collect(
        &mut self,
        store: &ImageStore,
        names: &[String],
        disk: Disk,
        now: Instant,
    ) -> Result<u64, CollectError> {
        let wanted = self.policy.excess_bytes(disk);
        let freed = self.free(store, names, wanted, now)?;
        if freed < wanted { Err(CollectError::TooLittle { wanted, freed }) } else { Ok(freed) }
    }

    /// Removes images until so many bytes are free.
    fn free(&mut self, store: &ImageStore, names: &[String], wanted: u64, now: Instant) -> Result<u64, StoreError> {
        let resolved = names.iter().filter_map(|name| store.resolve(&Reference::from_str(name).ok()?));
        let images = store.list();
        // What a volume shows is held, whatever its name stands for by now.
        let held = images.iter().filter(|image| store.is_in_use(image)).map(|image| image.digest.clone());
        let in_use: HashSet<String> = resolved.map(|image| image.digest).chain(held).collect();
        self.look(&images, &in_use, now);
        let remains = store.prune()?;
        let mut freed = remains;
        for image in self.removable(&images, &in_use, now) {
            if freed >= wanted {
                break;
            }
            let Ok(reference) = Reference::from_str(&image.reference) else { continue };
            store.remove(&reference)?;
            tracing::info!(image = image.reference, bytes = image.size_bytes, "unused image removed");
            self.seen.remove(&image.reference);
            freed += image.size_bytes;
        }
        Ok(freed)
    }

    /// Takes note of what is here and what of it is used.
    fn look(&mut self, images: &[Image], in_use: &HashSet<String>, now: Instant) {
        let here: HashSet<&str> = images.iter().map(|image| &*image.reference).collect();
        self.seen.retain(|name, _| here.contains(&**name));
        let since = self.begun.then_some(now);
        for image in images {
            let seen = self.seen.entry(image.reference.clone()).or_insert(Seen { since, used: None });
            if in_use.contains(&image.digest) {
                seen.used = Some(now);
            }
        }
        self.begun = true;
    }

    /// The images that may go, the longest unused first, and of those never used the oldest.
    fn removable<'a>(&self, images: &'a [Image], in_use: &HashSet<String>, now: Instant) -> Vec<&'a Image> {
        let mut idle: Vec<(Seen, &Image)> = images
            .iter()
            .filter(|image| !in_use.contains(&image.digest))
            .filter_map(|image| Some((*self.seen.get(&image.reference)?, image)))
            .filter(|(seen, _)| seen.since.is_none_or(|since| now.duration_since(since) >= self.policy.min_age))
            .collect();
        idle.sort_by_key(|(seen, _)| (seen.used, seen.since));
        idle.into_iter().map(|(_, image)| image).collect()
    }
}

impl ImageGcPolicy {
    /// What has to go for the disk to be at the low mark; 0 while it is below the high one.
    fn excess_bytes(self, disk: Disk) -> u64 {
        let used = disk.capacity_bytes.saturating_sub(disk.available_bytes);
        let never = disk.capacity_bytes == 0 || self.high_percent >= 100;
        if never || used.saturating_mul(100) / disk.capacity_bytes < u64::from(self.high_percent) {
            return 0;
        }
        let free = disk.capacity_bytes.saturating_mul(100 - u64::from(self.low_percent.min(100))) / 100;
        free.saturating_sub(disk.available_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, digest: &str) -> Image {
        Image {
            reference: format!("registry.test/{name}:1"),
            digest: digest.to_owned(),
            manifest_digest: digest.to_owned(),
            config_digest: String::new(),
            size_bytes: 10,
            format: coracle_oci::Format::WasmConfigV0,
            config: coracle_oci::ImageConfig::default(),
            layers: Vec::new(),
            annotations: Default::default(),
            module: None,
            rootfs: None,
        }
    }

    fn names(images: &[&Image]) -> Vec<String> {
        images.iter().map(|image| image.reference["registry.test/".len()..].to_owned()).collect()
    }

    #[test]
    fn disks_are_emptied_from_the_high_mark_to_the_low_one() {
        let policy = ImageGcPolicy::default();
        let excess =
            |available_bytes| policy.excess_bytes(Disk { capacity_bytes: 1000, available_bytes, ..Disk::default() });
        assert_eq!([excess(1000), excess(151), excess(150), excess(0)], [0, 0, 50, 200]);
        assert_eq!(policy.excess_bytes(Disk::default()), 0);
        let never = ImageGcPolicy { high_percent: 100, ..policy };
        assert_eq!(never.excess_bytes(Disk { capacity_bytes: 1000, ..Disk::default() }), 0);
    }

    #[test]
    fn a_policy_without_sense_is_refused_in_kubelets_words() {
        let check = |high_percent, low_percent| {
            let policy = ImageGcPolicy { high_percent, low_percent, ..ImageGcPolicy::default() };
            policy.check().map_err(|error| error.to_string())
        };
        assert!(check(85, 80).is_ok());
        assert_eq!(
            check(101, 80).unwrap_err(),
            "invalid configuration: imageGCHighThresholdPercent (--image-gc-high-threshold) 101 must be between 0 and 100, inclusive"
        );
        assert!(check(80, 80).unwrap_err().contains("(--image-gc-low-threshold) 80 must be less than"));
    }

    #[test]
    fn the_longest_unused_goes_first_and_what_is_used_never() {
        let (begin, all) = (Instant::now(), [image("a", "1"), image("b", "2"), image("c", "3"), image("d", "1")]);
        let used = |digests: &[&str]| digests.iter().map(|digest| (*digest).to_owned()).collect::<HashSet<_>>();
        let mut collector = Collector::default();
        collector.look(&all, &used(&["2"]), begin);
        collector.look(&all, &used(&["3"]), begin + PERIOD);
        let now = begin + 2 * PERIOD;
        collector.look(&all, &used(&["1"]), now);
        // "a" and "d" are two names of the same bytes.
        assert_eq!(names(&collector.removable(&all, &used(&["1"]), now)), ["b:1", "c:1"]);
        assert_eq!(names(&collector.removable(&all, &used(&[]), now)), ["b:1", "c:1", "a:1", "d:1"]);
    }

    #[test]
    fn what_was_just_pulled_stays_and_what_is_gone_is_forgotten() {
        let (begin, none) = (Instant::now(), HashSet::new());
        let mut collector = Collector::default();
        collector.look(&[image("old", "1")], &none, begin);
        let all = [image("old", "1"), image("new", "2")];
        collector.look(&all, &none, begin);
        assert_eq!(names(&collector.removable(&all, &none, begin)), ["old:1"]);
        assert_eq!(
            names(&collector.removable(&all, &none, begin + ImageGcPolicy::default().min_age)),
            ["old:1", "new:1"]
        );
        collector.look(&all[1..], &none, begin);
        assert_eq!(collector.seen.len(), 1);
    }

    #[test]
    fn a_disk_that_can_not_be_emptied_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path(), coracle_oci::Limits::default()).unwrap();
        let mut collector = Collector::default();
        let mut pass = |available_bytes| {
            let disk = Disk { capacity_bytes: 1000, available_bytes, ..Disk::default() };
            collector.collect(&store, &["no image".to_owned(), "a/b:1".to_owned()], disk, Instant::now())
        };
        assert_eq!(pass(500).unwrap(), 0);
        assert_eq!(
            pass(0).unwrap_err().to_string(),
            "Failed to garbage collect required amount of images. Attempted to free 200 bytes, but only found 0 bytes eligible to free."
        );
    }
}
