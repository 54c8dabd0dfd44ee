//! What a commit requires of a table, and whether it holds.
//!
//! Source: Iceberg REST catalog, `TableRequirement`.

use craton_base::Result;
use serde_json::Value;

use crate::{
    error::{bad, commit_failed},
    metadata::{Metadata, NO_PARTITION_ID, number},
};

/// Whether requirements say that the table is not to exist.
pub(crate) fn wants_none(requirements: &[Value]) -> bool {
    requirements.iter().any(is_for_none)
}

/// Whether this one says so.
pub(crate) fn is_for_none(requirement: &Value) -> bool {
    requirement.get("type").and_then(Value::as_str) == Some("assert-create")
}

/// Fails unless a requirement holds of a table as it is.
pub(crate) fn check(metadata: &Metadata, requirement: &Value) -> Result<()> {
    let kind = requirement
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let field = match kind {
        "assert-create" => return Err(failed("table already exists")),
        "assert-table-uuid" => {
            let wanted = requirement.get("uuid").and_then(Value::as_str);
            let is = metadata.text("table-uuid");
            let same = wanted.zip(is).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
            return same
                .then_some(())
                .ok_or_else(|| failed("table UUID does not match"));
        }
        "assert-ref-snapshot-id" => return check_ref(metadata, requirement),
        "assert-last-assigned-field-id" => ("last-assigned-field-id", "last-column-id", 0),
        "assert-current-schema-id" => ("current-schema-id", "current-schema-id", -1),
        "assert-last-assigned-partition-id" => {
            ("last-assigned-partition-id", "last-partition-id", NO_PARTITION_ID)
        }
        "assert-default-spec-id" => ("default-spec-id", "default-spec-id", -1),
        "assert-default-sort-order-id" => ("default-sort-order-id", "default-sort-order-id", -1),
        other => return Err(bad(format!("unknown requirement {other:?}"))),
    };
    let (asked, name, without) = field;
    let wanted = number(requirement, asked).ok_or_else(|| bad(format!("{kind} has no {asked}")))?;
    let is = metadata.number(name).unwrap_or(without);
    match is == wanted {
        true => Ok(()),
        false => Err(failed(&format!(
            "{name} has changed: expected {wanted}, it is {is}"
        ))),
    }
}

fn check_ref(metadata: &Metadata, requirement: &Value) -> Result<()> {
    let name = requirement.get("ref").and_then(Value::as_str);
    let name = name.ok_or_else(|| bad("assert-ref-snapshot-id has no ref"))?;
    let wanted = number(requirement, "snapshot-id");
    let refs = metadata.get("refs").and_then(|refs| refs.get(name));
    let is = match (refs, name) {
        (Some(found), _) => number(found, "snapshot-id"),
        // Version 1 may have no refs at all.
        (None, "main") => metadata.number("current-snapshot-id").filter(|id| *id >= 0),
        (None, _) => None,
    };
    match is == wanted {
        true => Ok(()),
        false => Err(failed(&format!(
            "branch or tag {name} has changed: expected {wanted:?}, it is {is:?}"
        ))),
    }
}

fn failed(message: &str) -> craton_base::Error {
    commit_failed(format!("Requirement failed: {message}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_requirement_holds_of_what_it_says_and_of_nothing_else() {
        let mut metadata = Metadata::empty("AB", "s3://b");
        metadata.change_map("refs", |refs| {
            drop(refs.insert("main".into(), json!({ "snapshot-id": 7 })))
        });
        let good = [
            json!({ "type": "assert-table-uuid", "uuid": "ab" }),
            json!({ "type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 7 }),
            json!({ "type": "assert-ref-snapshot-id", "ref": "other", "snapshot-id": null }),
            json!({ "type": "assert-last-assigned-field-id", "last-assigned-field-id": 0 }),
            json!({ "type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999 }),
            json!({ "type": "assert-default-sort-order-id", "default-sort-order-id": -1 }),
        ];
        good.iter().for_each(|r| check(&metadata, r).unwrap());
        let wrong = [
            json!({ "type": "assert-create" }),
            json!({ "type": "assert-table-uuid", "uuid": "b" }),
            json!({ "type": "assert-ref-snapshot-id", "ref": "main" }),
            json!({ "type": "assert-ref-snapshot-id", "ref": "other", "snapshot-id": 7 }),
            json!({ "type": "assert-current-schema-id", "current-schema-id": 0 }),
            json!({ "type": "assert-default-spec-id", "default-spec-id": 3 }),
        ];
        for requirement in wrong {
            let error = check(&metadata, &requirement).unwrap_err();
            assert_eq!(error.reason(), "CommitFailedException", "{requirement}");
        }
        for odd in [
            json!({ "type": "assert-x" }),
            json!({ "type": "assert-default-spec-id" }),
            json!(1),
        ] {
            assert_eq!(
                check(&metadata, &odd).unwrap_err().reason(),
                "BadRequestException",
                "{odd}"
            );
        }
    }
}
