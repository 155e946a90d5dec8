//! Priority levels: how many requests run at a time, and how long the others wait.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{carry_over, has, integer, object, part, sections, set_default, text};
use crate::kinds::table::{AGE, NONE, age, column};
use crate::{meta, names};

/// The level that is never limited.
const EXEMPT: &str = "exempt";
const MAX_QUEUES: i64 = 10_000_000;
/// Bits of the hash that a hand of queues is dealt from.
const HASH_BITS: u32 = 60;

/// The rules of the row.
pub static PRIORITY_LEVEL_CONFIGURATION: Rules = Rules {
    defaults,
    prepare_create: |level| level["status"] = json!({}),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_status: |new, _| super::conditions(new),
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column(
        "Type",
        "`type` indicates whether this priority level is subject to limitation on request execution.  A value \
             of `\"Exempt\"` means that requests of this priority level are not subject to a limit (and thus are \
             never queued) and do not detract from the capacity made available to other priority levels.  A value \
             of `\"Limited\"` means that (a) requests of this priority level _are_ subject to limits and (b) some \
             of the server's limited capacity is made available exclusively to this priority level. Required.",
    ),
    column(
        "NominalConcurrencyShares",
        "`nominalConcurrencyShares` (NCS) contributes to the computation of the NominalConcurrencyLimit \
             (NominalCL) of this level. This is the number of execution seats available at this priority level. \
             This is used both for requests dispatched from this priority level as well as requests dispatched from \
             other priority levels borrowing seats from this level. The server's concurrency limit (ServerCL) is \
             divided among the Limited priority levels in proportion to their NCS values:\n\nNominalCL(i)  = ceil( \
             ServerCL * NCS(i) / sum_ncs ) sum_ncs = sum[priority level k] NCS(k)\n\nBigger numbers mean a larger \
             nominal concurrency limit, at the expense of every other priority level.\n\nIf not specified, this \
             field defaults to a value of 30.\n\nSetting this field to zero supports the construction of a \"jail\" \
             for this priority level that is used to hold some request(s)",
    ),
    column(
        "Queues",
        "`queues` is the number of queues for this priority level. The queues exist independently at each \
             apiserver. The value must be positive.  Setting it to 1 effectively precludes shufflesharding and thus \
             makes the distinguisher method of associated flow schemas irrelevant.  This field has a default value \
             of 64.",
    ),
    column(
        "HandSize",
        "`handSize` is a small positive number that configures the shuffle sharding of requests into queues.  \
             When enqueuing a request at this priority level the request's flow identifier (a string pair) is \
             hashed and the hash value is used to shuffle the list of queues and deal a hand of the size specified \
             here.  The request is put into one of the shortest queues in that hand. `handSize` must be no larger \
             than `queues`, and should be significantly smaller (so that a few heavy flows do not saturate most of \
             the queues).  See the user-facing documentation for more extensive guidance on setting this field.  \
             This field has a default value of 8.",
    ),
    column(
        "QueueLengthLimit",
        "`queueLengthLimit` is the maximum number of requests allowed to be waiting in a given queue of this \
             priority level at a time; excess requests are rejected.  This value must be positive.  If not \
             specified, it will be defaulted to 50.",
    ),
    AGE,
];

fn defaults(level: &mut Value) {
    sections(level, &["spec"]);
    let Some(spec) = level.get_mut("spec").filter(|s| s.is_object()) else { return };
    for (section, shares) in [("exempt", 0), ("limited", 30)] {
        if (has(spec, section) || (section == EXEMPT && text(spec, "type") == "Exempt"))
            && let Some(map) = object(spec, section)
        {
            set_default(map, "nominalConcurrencyShares", shares);
            set_default(map, "lendablePercent", 0);
        }
    }
    if has(spec, "limited.limitResponse.queuing")
        && let Some(queuing) = spec.pointer_mut("/limited/limitResponse/queuing").and_then(Value::as_object_mut)
    {
        for (field, value) in [("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)] {
            crate::kinds::json::set_if_zero(queuing, field, value);
        }
    }
    let _ = object(level, "status");
}

fn cells(level: &Value, now_seconds: i64) -> RowCells {
    let limited = |field: &str| match part(level, &format!("spec.limited.{field}")) {
        Value::Null => json!(NONE),
        value => value,
    };
    let cells = vec![
        json!(text(level, "spec.type")),
        limited("nominalConcurrencyShares"),
        limited("limitResponse.queuing.queues"),
        limited("limitResponse.queuing.handSize"),
        limited("limitResponse.queuing.queueLengthLimit"),
        age(level, now_seconds),
    ];
    RowCells { cells }
}

fn validate(level: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(level, "spec"));
    let kind = text(&spec, "type");
    if (meta::name(level) == EXEMPT) != (kind == "Exempt") {
        let detail = "type must be 'Exempt' if and only if name is 'exempt'";
        errors.invalid(&path.child("type"), &kind, detail);
    }
    match kind {
        "Exempt" if has(&spec, "limited") => {
            errors.forbidden(&path.child("limited"), "must be nil if the type is not Limited");
        }
        "Exempt" => shares(&mut errors, &part(&spec, "exempt"), &path.child("exempt")),
        "Limited" => {
            if has(&spec, "exempt") {
                errors.forbidden(&path.child("exempt"), "must be nil if the type is Limited");
            }
            if has(&spec, "limited") {
                limited(&mut errors, &part(&spec, "limited"), &path.child("limited"));
            } else {
                errors.required(&path.child("limited"), "must not be empty when type is Limited");
            }
        }
        other => errors.not_supported(&path.child("type"), other, &["Exempt", "Limited"]),
    }
    errors.0.extend(super::conditions(level));
    errors.0
}

fn shares(errors: &mut Errors, level: &Value, path: &Path) {
    let (shares, lendable) = (integer(level, "nominalConcurrencyShares"), integer(level, "lendablePercent"));
    if shares < 0 {
        errors.invalid(&path.child("nominalConcurrencyShares"), &shares, "must be a non-negative integer");
    }
    if !(0..=100).contains(&lendable) {
        errors.invalid(&path.child("lendablePercent"), &lendable, "must be between 0 and 100, inclusive");
    }
}

fn limited(errors: &mut Errors, level: &Value, path: &Path) {
    shares(errors, level, path);
    let borrows = integer(level, "borrowingLimitPercent");
    if borrows < 0 {
        let detail = "if specified, must be a non-negative integer";
        errors.invalid(&path.child("borrowingLimitPercent"), &borrows, detail);
    }
    let path = path.child("limitResponse");
    let has_queue = has(level, "limitResponse.queuing");
    match text(level, "limitResponse.type") {
        "Reject" if has_queue => {
            let detail = "must be nil if limited.limitResponse.type is not Limited";
            errors.forbidden(&path.child("queuing"), detail);
        }
        "Reject" => {}
        "Queue" if has_queue => {
            queuing(errors, &part(level, "limitResponse.queuing"), &path.child("queuing"));
        }
        "Queue" => {
            let detail = "must not be empty if limited.limitResponse.type is Limited";
            errors.required(&path.child("queuing"), detail);
        }
        other => errors.not_supported(&path.child("type"), other, &["Queue", "Reject"]),
    }
}

fn queuing(errors: &mut Errors, queuing: &Value, path: &Path) {
    let field = |name: &str| integer(queuing, name);
    let (queues, hand) = (field("queues"), field("handSize"));
    if field("queueLengthLimit") <= 0 {
        errors.invalid(&path.child("queueLengthLimit"), &field("queueLengthLimit"), "must be positive");
    }
    if queues <= 0 {
        errors.invalid(&path.child("queues"), &queues, "must be positive");
    } else if queues > MAX_QUEUES {
        errors.invalid(&path.child("queues"), &queues, &format!("must not be greater than {MAX_QUEUES}"));
    }
    let hand_path = path.child("handSize");
    if hand <= 0 {
        errors.invalid(&hand_path, &hand, "must be positive");
    } else if hand > queues {
        errors.invalid(&hand_path, &hand, &format!("should not be greater than queues ({queues})"));
    } else if needs_too_many_bits(queues, hand) {
        let detail = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}"
        );
        errors.invalid(&hand_path, &hand, &detail);
    }
}

/// Whether dealing the hand takes more bits than the hash has: the logarithm of the number of hands.
fn needs_too_many_bits(queues: i64, hand: i64) -> bool {
    let mut hands: u128 = 1;
    for dealt in 0..hand {
        hands = hands.saturating_mul(u128::from((queues - dealt).unsigned_abs()));
        if hands > 1 << HASH_BITS {
            return true;
        }
    }
    false
}
