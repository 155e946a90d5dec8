//! Flags as kubelet reads them.

use std::time::Duration;

use super::{amount::Amount, signal::Signal, thresholds::*};

#[test]
fn bad_flags_are_explained_in_kubelets_words() {
    let hard = |text: &str| text.parse::<Thresholds>().unwrap_err().to_string();
    for (text, wanted) in [
        ("disk", "malformed pair, expect string<string"),
        ("mem.available<1Gi", "unsupported eviction signal mem.available"),
        ("memory.available<-1", "eviction threshold memory.available must be positive: -1"),
        ("memory.available<0", "eviction threshold memory.available must be positive: 0"),
        ("memory.available<-3%", "eviction percentage threshold memory.available must be >= 0%: -3%"),
        ("nodefs.available<101%", "eviction percentage threshold nodefs.available must be <= 100%: 101%"),
        ("pid.available<1,pid.available<2", "eviction signal pid.available is given twice"),
    ] {
        assert_eq!(hard(text), wanted);
    }
    assert!(hard("memory.available<x").starts_with("eviction threshold memory.available: quantities must match"));
    assert!(hard("memory.available<NaN%").contains("a percentage is a number"));
    let grace = |text: &str| text.parse::<GracePeriods>().unwrap_err().to_string();
    assert_eq!(grace("memory.available=soon"), "time: invalid duration \"soon\"");
    assert_eq!(grace("memory.available=-1s"), "invalid eviction grace period specified: -1s, must be a positive value");
    assert_eq!(grace("memory.available"), "malformed pair, expect string=string");
    let reclaim = |text: &str| text.parse::<MinimumReclaim>().unwrap_err().to_string();
    assert_eq!(
        reclaim("memory.available=0%"),
        "eviction percentage minimum reclaim memory.available must be positive: 0%"
    );
    assert_eq!(reclaim("memory.available=-1Mi"), "negative eviction minimum reclaim specified for memory.available");
}

#[test]
fn soft_thresholds_need_a_grace_period() {
    let mut settings = EvictionSettings { soft: "memory.available<1Gi".parse().unwrap(), ..Default::default() };
    assert_eq!(
        settings.thresholds().unwrap_err().to_string(),
        "grace period must be specified for the soft eviction threshold memory.available"
    );
    settings.soft_grace_periods = "memory.available=1m30s".parse().unwrap();
    settings.minimum_reclaim = "memory.available=500Mi".parse().unwrap();
    let all = settings.thresholds().unwrap();
    assert_eq!((all.len(), all[4].grace, all[0].grace), (5, Duration::from_secs(90), Duration::ZERO));
    assert_eq!(all[4].reclaim.unwrap().of(0), 500 << 20);
}

#[test]
fn nothing_and_everything_are_no_thresholds() {
    let given = "memory.available<0%,nodefs.available<100%,pid.available<10%".parse::<Thresholds>().unwrap();
    assert_eq!(given.0, [(Signal::Processes, Amount::Percent(10.0))]);
    assert_eq!(Amount::Percent(10.0).of(4000), 400);
    assert_eq!(Amount::Percent(10.0).quantity(10 << 20).to_string(), "1Mi");
}
