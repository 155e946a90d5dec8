//! Query and path parameters of operations.

/// Types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterType {
    String,
    Integer,
    Boolean,
}

impl ParameterType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// `path` or `query`
    pub(super) location: &'static str,
    pub(super) ty: ParameterType,
    pub(super) description: &'static str,
}

impl Parameter {
    /// Path parameters are the required ones.
    pub(super) fn is_required(&self) -> bool {
        self.location == "path"
    }
}

const fn text(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, location: "query", ty: ParameterType::String, description }
}

const fn number(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, location: "query", ty: ParameterType::Integer, description }
}

const fn flag(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, location: "query", ty: ParameterType::Boolean, description }
}

const fn path(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, location: "path", ty: ParameterType::String, description }
}

const PRETTY: Parameter = text("pretty", "If 'true', then the output is pretty printed.");
const DRY_RUN: Parameter = text(
    "dryRun",
    "When present, indicates that modifications should not be persisted. The only valid value is All: all dry run stages \
     will be processed.",
);
const FIELD_MANAGER: Parameter = text(
    "fieldManager",
    "A name associated with the actor or entity that is making these changes. Must be less than 128 characters long and \
     only contain printable characters.",
);
const FIELD_VALIDATION: Parameter = text(
    "fieldValidation",
    "Instructs the server on how to handle objects in the request containing unknown or duplicate fields: Ignore, Warn \
     (the default) or Strict.",
);
const FORCE: Parameter = flag("force", "Force apply requests: take over fields that other managers own.");
const FIELD_SELECTOR: Parameter =
    text("fieldSelector", "Restrict the objects by their fields. Defaults to everything.");
const LABEL_SELECTOR: Parameter =
    text("labelSelector", "Restrict the objects by their labels. Defaults to everything.");
const LIMIT: Parameter =
    number("limit", "The maximum number of objects to return; the rest is there for a continue token.");
const CONTINUE: Parameter = text("continue", "The token of a previous, limited list, to get the next part of it.");
const RESOURCE_VERSION: Parameter = text("resourceVersion", "What resource versions a request may be served from.");
const RESOURCE_VERSION_MATCH: Parameter = text("resourceVersionMatch", "How resourceVersion is applied to list calls.");
const TIMEOUT: Parameter = number("timeoutSeconds", "Timeout for the call, however active it is.");
const GRACE_PERIOD: Parameter = number(
    "gracePeriodSeconds",
    "The duration in seconds before the object should be deleted. Zero means delete immediately; nil means the default.",
);
const PROPAGATION: Parameter =
    text("propagationPolicy", "Whether and how dependents are deleted: Orphan, Background or Foreground.");

/// Parameters of everything below an object's or a collection's path.
pub(super) const NAME: Parameter = path("name", "name of the object");
/// Parameters of everything in a namespace.
pub(super) const NAMESPACE: Parameter = path("namespace", "object name and auth scope, such as for teams and projects");

pub(super) const GET: &[Parameter] = &[PRETTY];
pub(super) const WRITE: &[Parameter] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, PRETTY];
pub(super) const PATCH: &[Parameter] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, FORCE, PRETTY];
pub(super) const DELETE: &[Parameter] = &[DRY_RUN, GRACE_PERIOD, PRETTY, PROPAGATION];
pub(super) const LIST: &[Parameter] = &[
    flag("allowWatchBookmarks", "Ask for watch events with type BOOKMARK."),
    CONTINUE,
    FIELD_SELECTOR,
    LABEL_SELECTOR,
    LIMIT,
    PRETTY,
    RESOURCE_VERSION,
    RESOURCE_VERSION_MATCH,
    flag("sendInitialEvents", "Begin a watch with the objects that there are, and a bookmark after them."),
    TIMEOUT,
    flag("watch", "Watch for changes and return them as a stream of add, update and remove notifications."),
];
pub(super) const DELETE_COLLECTION: &[Parameter] = &[
    CONTINUE,
    DRY_RUN,
    FIELD_SELECTOR,
    GRACE_PERIOD,
    LABEL_SELECTOR,
    LIMIT,
    PRETTY,
    PROPAGATION,
    RESOURCE_VERSION,
    RESOURCE_VERSION_MATCH,
    TIMEOUT,
];
pub(super) const LOG: &[Parameter] = &[
    text("container", "The container for which to stream logs. Defaults to the only container, if there is one."),
    flag("follow", "Follow the log stream of the pod. Defaults to false."),
    number("limitBytes", "If set, the number of bytes to read from the server before terminating the log output."),
    PRETTY,
    flag("previous", "Return logs of the previously terminated container. Defaults to false."),
    number("sinceSeconds", "A relative time in seconds before the current time from which to show logs."),
    number("tailLines", "If set, the number of lines from the end of the logs to show."),
    flag("timestamps", "If true, add an RFC 3339 timestamp at the beginning of every line. Defaults to false."),
];
