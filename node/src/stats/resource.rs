//! `/metrics/resource`: what metrics-server reads, in kubelet's names.

use std::fmt::Write;

use jiff::Timestamp;

use super::{reading::PodReading, summary::NodeReading, text::Form};

/// One sample: its labels, its value, and the time it is of.
type Sample = (String, f64, Option<Timestamp>);

/// The text in the form that is asked for.
pub fn resource_metrics(node: &NodeReading, pods: &[PodReading], form: Form) -> String {
    let mut text = String::new();
    let now = Some(node.now);
    let containers = || pods.iter().flat_map(|pod| pod.containers.iter().map(move |it| (pod, it)));
    let of_pod = |pod: &PodReading| format!("namespace=\"{}\",pod=\"{}\"", pod.namespace, pod.name);
    let of_container = |pod: &PodReading, name: &str| format!("container=\"{name}\",{}", of_pod(pod));
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<Sample>| {
        write_family(&mut text, form, (name, kind, help), &samples);
    };
    family(
        "container_cpu_usage_seconds_total",
        "counter",
        "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        containers().map(|(pod, it)| (of_container(pod, &it.name), it.cpu.as_secs_f64(), now)).collect(),
    );
    family(
        "container_memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the container in bytes",
        containers().map(|(pod, it)| (of_container(pod, &it.name), it.memory_bytes as f64, now)).collect(),
    );
    let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1000.0;
    family(
        "container_start_time_seconds",
        "gauge",
        "[STABLE] Start time of the container since unix epoch in seconds",
        containers().filter_map(|(pod, it)| Some((of_container(pod, &it.name), seconds(it.started?), None))).collect(),
    );
    family(
        "node_cpu_usage_seconds_total",
        "counter",
        "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
        vec![(String::new(), node.cpu.0 as f64 / 1e9, now)],
    );
    family(
        "node_memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the node in bytes",
        vec![(String::new(), node.memory[1] as f64, now)],
    );
    family(
        "pod_cpu_usage_seconds_total",
        "counter",
        "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
        pods.iter().map(|pod| (of_pod(pod), pod.cpu().as_secs_f64(), now)).collect(),
    );
    family(
        "pod_memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the pod in bytes",
        pods.iter().map(|pod| (of_pod(pod), pod.memory_bytes() as f64, now)).collect(),
    );
    for name in ["resource_scrape_error", "scrape_error"] {
        let help = "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise";
        family(name, "gauge", help, vec![(String::new(), 0.0, None)]);
    }
    if form == Form::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_family(text: &mut String, form: Form, (name, kind, help): (&str, &str, &str), samples: &[Sample]) {
    if samples.is_empty() {
        return;
    }
    // In OpenMetrics a counter's family goes without the ending that its samples have.
    let family = if form == Form::OpenMetrics { name.trim_end_matches("_total") } else { name };
    let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}");
    for (labels, value, time) in samples {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let time = match (time, form) {
            (None, _) => String::new(),
            (Some(time), Form::Prometheus) => format!(" {}", time.as_millisecond()),
            (Some(time), Form::OpenMetrics) => format!(" {}", time.as_millisecond() as f64 / 1000.0),
        };
        let _ = writeln!(text, "{name}{labels} {value}{time}");
    }
}
