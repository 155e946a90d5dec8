//! Flags about the node, under the names that kubelet has for them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use coracle_node::{
    EvictionSettings, GracePeriods, ImageGcPolicy, MinimumReclaim, NodeConfig, Reserved, ShutdownGrace, Thresholds,
    parse_duration,
};
use coracle_wasi_host::Isolation;

use crate::sandbox;

/// How the node is run.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Node")]
pub struct NodeArgs {
    /// Pods that the node takes at most.
    #[arg(long, value_name = "N", default_value_t = coracle_node::DEFAULT_MAX_PODS)]
    pub max_pods: u32,
    /// From when on the node is short of something, as kubelet has it; signals that are left out are not watched
    /// [default: memory.available<100Mi,nodefs.available<5%,nodefs.inodesFree<5%,pid.available<500].
    #[arg(long, value_name = "SIGNAL<AMOUNT,…")]
    pub eviction_hard: Option<Thresholds>,
    /// From when on the node is short of something, if that lasts for --eviction-soft-grace-period.
    #[arg(long, value_name = "SIGNAL<AMOUNT,…")]
    pub eviction_soft: Option<Thresholds>,
    /// How long each soft threshold may be crossed before pods are evicted.
    #[arg(long, value_name = "SIGNAL=DURATION,…")]
    pub eviction_soft_grace_period: Option<GracePeriods>,
    /// What a pod has at most to end when a soft threshold is crossed, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub eviction_max_pod_grace_period: u32,
    /// How much more than its threshold is freed when the node is short of something.
    #[arg(long, value_name = "SIGNAL=AMOUNT,…")]
    pub eviction_minimum_reclaim: Option<MinimumReclaim>,
    /// How long a pressure condition stays after its last sign [default: 5m].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub eviction_pressure_transition_period: Option<Duration>,
    /// What of the machine is for the system and not for pods: cpu, memory, ephemeral-storage, pid.
    #[arg(long, value_name = "RESOURCE=AMOUNT,…")]
    pub system_reserved: Option<Reserved>,
    /// What of the machine is for Kubernetes itself and not for pods.
    #[arg(long, value_name = "RESOURCE=AMOUNT,…")]
    pub kube_reserved: Option<Reserved>,
    /// How long pods have to end when this command is told to stop; 0 leaves them as they are, and they come back
    /// [default: 0].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub shutdown_grace_period: Option<Duration>,
    /// The part of --shutdown-grace-period that is for critical pods, which end last [default: 0].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub shutdown_grace_period_critical_pods: Option<Duration>,
    /// Manifests of static pods: a directory, or one file. They run whether there is an API server or not.
    #[arg(long, value_name = "PATH")]
    pub pod_manifest_path: Option<PathBuf>,
    /// Part of the disk in use, in percent, from which unused images are removed; 100 is never.
    #[arg(long, value_name = "PERCENT", default_value_t = 85)]
    pub image_gc_high_threshold: u8,
    /// Part of the disk in use, in percent, down to which they are.
    #[arg(long, value_name = "PERCENT", default_value_t = 80)]
    pub image_gc_low_threshold: u8,
    /// An image younger than this is not removed [default: 2m].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub image_minimum_gc_age: Option<Duration>,
    /// Whether programs may use WASI 0.3; with `false` those that need it are refused.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub wasi_p3: bool,
    /// Registries in containerd's form: DIR/HOST[:PORT]/hosts.toml with mirrors, certificates, plain HTTP.
    #[arg(long, value_name = "DIR")]
    pub registry_config_dir: Option<PathBuf>,
}

impl NodeArgs {
    /// What a node has when nobody says anything.
    pub fn usual() -> Self {
        let max_pods = coracle_node::DEFAULT_MAX_PODS;
        Self { max_pods, image_gc_high_threshold: 85, image_gc_low_threshold: 80, wasi_p3: true, ..Self::default() }
    }

    /// Puts the flags into a configuration. Those that contradict each other are refused.
    pub fn apply(&self, config: &mut NodeConfig) -> anyhow::Result<()> {
        config.capacity.pods = Some(self.max_pods);
        let usual = EvictionSettings::default();
        config.eviction = EvictionSettings {
            hard: self.eviction_hard.clone().unwrap_or(usual.hard),
            soft: self.eviction_soft.clone().unwrap_or(usual.soft),
            soft_grace_periods: self.eviction_soft_grace_period.clone().unwrap_or_default(),
            minimum_reclaim: self.eviction_minimum_reclaim.clone().unwrap_or_default(),
            max_pod_grace_period: Duration::from_secs(self.eviction_max_pod_grace_period.into()),
            pressure_transition_period: self
                .eviction_pressure_transition_period
                .unwrap_or(usual.pressure_transition_period),
        };
        config.eviction.thresholds().context("the flags --eviction-… contradict each other")?;
        config.reserved =
            [self.system_reserved.clone().unwrap_or_default(), self.kube_reserved.clone().unwrap_or_default()];
        let grace = ShutdownGrace {
            total: self.shutdown_grace_period.unwrap_or_default(),
            critical: self.shutdown_grace_period_critical_pods.unwrap_or_default(),
        };
        config.shutdown = grace.check()?;
        config.pod_manifest_path = self.pod_manifest_path.clone();
        let policy = ImageGcPolicy {
            high_percent: self.image_gc_high_threshold,
            low_percent: self.image_gc_low_threshold,
            min_age: self.image_minimum_gc_age.unwrap_or(ImageGcPolicy::default().min_age),
        };
        config.image_gc = policy.check()?;
        config.engine.wasi_p3 = self.wasi_p3;
        // This very program, whatever has become of its file.
        let isolation = Isolation::new("/proc/self/exe".into(), vec![sandbox::VERB.into()]);
        config.isolation = Some(isolation.context("cannot start the thread that starts the processes of pods")?);
        if let Some(dir) = &self.registry_config_dir {
            anyhow::ensure!(dir.is_dir(), "--registry-config-dir {}: there is no such directory", dir.display());
            config.registries.set_config_dir(dir.clone());
        }
        Ok(())
    }
}
