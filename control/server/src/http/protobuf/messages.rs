//! Which field of a Kubernetes protobuf message is which JSON member: one line per message, `NUMBER:name:TYPE`.
//!
//! Types: `s` string, `i` a number that is absent when zero, `p` a number that counts when zero (a pointer in Go),
//! `b` and `o` the same for booleans, `B` bytes, `T` a time, `I` an int-or-string, `Q` a quantity; `[…]` a list,
//! `{…}` a map from strings; anything else is a message of this table.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The messages that a typed client writes when it creates one of the kinds at the end, or deletes (`kubectl drain`).
const TABLE: &str = "
ObjectMeta 1:name:s 2:generateName:s 3:namespace:s 4:selfLink:s 5:uid:s 6:resourceVersion:s 7:generation:i 8:creationTimestamp:T 9:deletionTimestamp:T 10:deletionGracePeriodSeconds:p 11:labels:{s} 12:annotations:{s} 13:ownerReferences:[OwnerReference] 14:finalizers:[s]
OwnerReference 1:kind:s 3:name:s 4:uid:s 5:apiVersion:s 6:controller:o 7:blockOwnerDeletion:o
LabelSelector 1:matchLabels:{s} 2:matchExpressions:[LabelSelectorRequirement]
LabelSelectorRequirement 1:key:s 2:operator:s 3:values:[s]
LocalObjectReference 1:name:s
ObjectReference 1:kind:s 2:namespace:s 3:name:s 4:uid:s 5:apiVersion:s 6:resourceVersion:s 7:fieldPath:s
NamespaceSpec 1:finalizers:[s]
NamespaceStatus 1:phase:s
ServiceSpec 1:ports:[ServicePort] 2:selector:{s} 3:clusterIP:s 4:type:s 5:externalIPs:[s] 7:sessionAffinity:s 8:loadBalancerIP:s 9:loadBalancerSourceRanges:[s] 10:externalName:s 11:externalTrafficPolicy:s 12:healthCheckNodePort:i 13:publishNotReadyAddresses:b 17:ipFamilyPolicy:s 18:clusterIPs:[s] 19:ipFamilies:[s] 20:allocateLoadBalancerNodePorts:o 21:loadBalancerClass:s 22:internalTrafficPolicy:s
ServicePort 1:name:s 2:protocol:s 3:port:i 4:targetPort:I 5:nodePort:i 6:appProtocol:s
ServiceStatus 1:loadBalancer:LoadBalancerStatus
LoadBalancerStatus
DeploymentSpec 1:replicas:p 2:selector:LabelSelector 3:template:PodTemplateSpec 4:strategy:DeploymentStrategy 5:minReadySeconds:i 6:revisionHistoryLimit:p 7:paused:b 9:progressDeadlineSeconds:p
DeploymentStrategy 1:type:s 2:rollingUpdate:RollingUpdateDeployment
RollingUpdateDeployment 1:maxUnavailable:I 2:maxSurge:I
DeploymentStatus 1:observedGeneration:i 2:replicas:i 3:updatedReplicas:i 4:availableReplicas:i 5:unavailableReplicas:i 7:readyReplicas:i 8:collisionCount:p 9:terminatingReplicas:p
JobSpec 1:parallelism:p 2:completions:p 3:activeDeadlineSeconds:p 4:selector:LabelSelector 5:manualSelector:o 6:template:PodTemplateSpec 7:backoffLimit:p 8:ttlSecondsAfterFinished:p 9:completionMode:s 10:suspend:o
JobStatus 4:active:i 5:succeeded:i 6:failed:i 7:completedIndexes:s
PodTemplateSpec 1:metadata:ObjectMeta 2:spec:PodSpec
PodSpec 2:containers:[Container] 3:restartPolicy:s 4:terminationGracePeriodSeconds:p 5:activeDeadlineSeconds:p 6:dnsPolicy:s 7:nodeSelector:{s} 8:serviceAccountName:s 9:serviceAccount:s 10:nodeName:s 11:hostNetwork:b 12:hostPID:b 13:hostIPC:b 14:securityContext:PodSecurityContext 15:imagePullSecrets:[LocalObjectReference] 16:hostname:s 17:subdomain:s 19:schedulerName:s 20:initContainers:[Container] 21:automountServiceAccountToken:o 24:priorityClassName:s 25:priority:p 27:shareProcessNamespace:o 29:runtimeClassName:s 30:enableServiceLinks:o
PodSecurityContext
Container 1:name:s 2:image:s 3:command:[s] 4:args:[s] 5:workingDir:s 6:ports:[ContainerPort] 7:env:[EnvVar] 8:resources:ResourceRequirements 13:terminationMessagePath:s 14:imagePullPolicy:s 16:stdin:b 17:stdinOnce:b 18:tty:b 20:terminationMessagePolicy:s
ContainerPort 1:name:s 2:hostPort:i 3:containerPort:i 4:protocol:s 5:hostIP:s
EnvVar 1:name:s 2:value:s
ResourceRequirements 1:limits:{Q} 2:requests:{Q}
Namespace 1:metadata:ObjectMeta 2:spec:NamespaceSpec 3:status:NamespaceStatus
ConfigMap 1:metadata:ObjectMeta 2:data:{s} 3:binaryData:{B} 4:immutable:o
Secret 1:metadata:ObjectMeta 2:data:{B} 3:type:s 4:stringData:{s} 5:immutable:o
ServiceAccount 1:metadata:ObjectMeta 2:secrets:[ObjectReference] 3:imagePullSecrets:[LocalObjectReference] 4:automountServiceAccountToken:o
Service 1:metadata:ObjectMeta 2:spec:ServiceSpec 3:status:ServiceStatus
Deployment 1:metadata:ObjectMeta 2:spec:DeploymentSpec 3:status:DeploymentStatus
Job 1:metadata:ObjectMeta 2:spec:JobSpec 3:status:JobStatus
DeleteOptions 1:gracePeriodSeconds:p 2:preconditions:Preconditions 3:orphanDependents:o 4:propagationPolicy:s 5:dryRun:[s] 6:ignoreStoreReadErrorWithClusterBreakingPotential:o
Preconditions 1:uid:s 2:resourceVersion:s
";

/// Kinds that can be read, with their API versions.
const KINDS: [(&str, &str); 7] = [
    ("v1", "Namespace"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
];

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Text,
    Number { keeps_zero: bool },
    Flag { keeps_false: bool },
    Bytes,
    Time,
    IntOrString,
    Quantity,
    Message(&'static str),
}

/// How often a field may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Once,
    List,
    Map,
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) of: Type,
}

static MESSAGES: LazyLock<HashMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter_map(|line| line.split_once(' ').or((!line.is_empty()).then_some((line, ""))));
    lines.map(|(name, fields)| (name, fields.split(' ').filter_map(field).collect())).collect()
});

/// The fields of a message; `None` for one that is not in the table.
pub(super) fn message(name: &str) -> Option<&'static [Field]> {
    MESSAGES.get(name).map(Vec::as_slice)
}

/// The message that objects of the kind are; `None` for a kind that can't be read.
pub(super) fn message_of(api_version: &str, kind: &str) -> Option<&'static str> {
    // Every API group has this kind, and all of them mean the same.
    if kind == "DeleteOptions" {
        return Some("DeleteOptions");
    }
    KINDS.iter().find(|known| **known == (api_version, kind)).map(|(_, message)| *message)
}

fn field(text: &'static str) -> Option<Field> {
    let mut parts = text.splitn(3, ':');
    let (number, name, of) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let (shape, inner) = match (of.strip_prefix('['), of.strip_prefix('{')) {
        (Some(rest), _) => (Shape::List, rest.strip_suffix(']')?),
        (_, Some(rest)) => (Shape::Map, rest.strip_suffix('}')?),
        _ => (Shape::Once, of),
    };
    let of = match inner {
        "s" => Type::Text,
        "i" => Type::Number { keeps_zero: false },
        "p" => Type::Number { keeps_zero: true },
        "b" => Type::Flag { keeps_false: false },
        "o" => Type::Flag { keeps_false: true },
        "B" => Type::Bytes,
        "T" => Type::Time,
        "I" => Type::IntOrString,
        "Q" => Type::Quantity,
        message => Type::Message(message),
    };
    Some(Field { number, name, shape, of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_parses_and_every_message_that_is_named_exists() {
        let fields: usize = TABLE.split_whitespace().filter(|word| word.contains(':')).count();
        assert_eq!(MESSAGES.values().map(Vec::len).sum::<usize>(), fields);
        for field in MESSAGES.values().flatten() {
            if let Type::Message(name) = field.of {
                assert!(message(name).is_some(), "{name}");
            }
        }
        assert!(KINDS.iter().all(|(_, kind)| message(kind).is_some()));
    }
}
