//! Addresses of Services, and the ranges that they come from (KEP-1880).

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::generation;
use crate::kinds::json::{carry_over, part, text, texts};
use crate::kinds::table::{AGE, age, column, or_none};
use crate::names;

/// The rules of the row.
pub static IP_ADDRESS: Rules = Rules {
    validate: |address| {
        let mut errors = Errors::default();
        let (path, parent) = (Path::root("spec").child("parentRef"), part(address, "spec.parentRef"));
        if parent.is_null() {
            errors.required(&path, "");
            return errors.0;
        }
        for field in ["resource", "name"] {
            errors.required_name(&path.child(field), text(&parent, field), names::path_segment);
        }
        for (field, rule) in
            [("group", names::dns1123_subdomain as fn(&str) -> Vec<String>), ("namespace", names::path_segment)]
        {
            let value = text(&parent, field);
            if !value.is_empty() {
                errors.named(&path.child(field), value, rule);
            }
        }
        errors.0
    },
    validate_update: |new, old| frozen(new, old, "parentRef"),
    name_errors: |name, _| match name.parse::<IpAddr>() {
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".into()],
        Ok(address) if address.to_string() != name => {
            vec![format!("must be in canonical form (\"{address}\")")]
        }
        Ok(_) => Vec::new(),
    },
    columns: &[column(
        "ParentRef",
        "ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a \
             parent object.",
    )],
    cells: |address, _| RowCells { cells: vec![or_none(&parent(&part(address, "spec.parentRef")))] },
    ..Rules::GENERIC
};

/// `services/default/kubernetes`
fn parent(reference: &Value) -> String {
    let resource = match text(reference, "group") {
        "" => text(reference, "resource").to_string(),
        group => format!("{}.{group}", text(reference, "resource")),
    };
    let parts = [resource.to_lowercase(), text(reference, "namespace").into(), text(reference, "name").into()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The rules of the row.
pub static SERVICE_CIDR: Rules = Rules {
    prepare_create: |range| {
        generation::none(range);
        range["status"] = json!({});
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: service_cidr,
    validate_update: |new, old| frozen(new, old, "cidrs"),
    name_errors: names::subdomain_name,
    columns: &[
        column(
            "CIDRs",
            "CIDRs defines the IP blocks in CIDR notation (e.g. \"192.168.0.0/24\" or \"2001:db8::/64\") from \
                 which to assign service cluster IPs. Max of two CIDRs is allowed, one of each IP family. This \
                 field is immutable.",
        ),
        AGE,
    ],
    cells: |range, now_seconds| RowCells {
        cells: vec![json!(texts(range, "spec.cidrs").join(",")), age(range, now_seconds)],
    },
    ..Rules::GENERIC
};

fn frozen(new: &Value, old: &Value, field: &str) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let at = format!("spec.{field}");
    if !same(&part(new, &at), &part(old, &at)) {
        errors.invalid(&Path::root("spec").child(field), &part(new, &at), crate::metadata::IMMUTABLE);
    }
    errors.0
}

fn service_cidr(range: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, cidrs) = (Path::root("spec").child("cidrs"), texts(range, "spec.cidrs"));
    if cidrs.is_empty() {
        errors.required(&path, "at least one CIDR required");
        return errors.0;
    }
    if cidrs.len() > 2 {
        errors.invalid(&path, &cidrs, "may only hold up to 2 values");
    }
    let mut parsed = Vec::new();
    for (index, cidr) in cidrs.iter().enumerate() {
        match cidr.parse::<IpNet>() {
            Err(_) => errors.invalid(
                &path.index(index),
                cidr,
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ),
            Ok(net) if net.trunc().to_string() != *cidr => {
                let detail = format!("must be in canonical form (\"{}\")", net.trunc());
                errors.invalid(&path.index(index), cidr, &detail);
            }
            Ok(net) => parsed.push(net.addr().is_ipv6()),
        }
    }
    if let [one, other] = parsed.as_slice()
        && one == other
    {
        let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96";
        errors.invalid(&path, &cidrs, detail);
    }
    errors.0
}
