//! What is wrong with a bucket's policy, in S3's words: tools look for them.
//!
//! Deliberately absent: finding it ([`super::parse`], [`super::ResourcePolicy::check_bucket`]).

use std::borrow::Cow;

use craton_base::{Error, Kind};

/// The elements that must be there, by how the parser asks for each.
const REQUIRED: &[(&str, &str)] = &[
    ("expected Statement", "Statement"),
    ("expected Effect", "Effect"),
    ("expected Action or NotAction", "Action"),
    ("expected one of Principal and NotPrincipal", "Principal"),
];

/// An error of the parser, of a bucket's policy.
pub(super) fn of_bucket(error: &Error) -> Error {
    let said = error.message();
    if error.kind() == Kind::TooLarge {
        return malformed(said.to_owned());
    }
    let (place, complaint) = said.split_once(": ").unwrap_or(("", said));
    let words = words(place, complaint);
    malformed(format!("{words} ({said})"))
}

fn words(place: &str, complaint: &str) -> Cow<'static, str> {
    let last = place.rsplit('.').next().unwrap_or(place);
    if let Some((_, name)) = REQUIRED.iter().find(|(asked, _)| *asked == complaint) {
        return format!("Missing required field {name}").into();
    }
    if complaint.starts_with("not an element here") {
        return format!("Unknown field {last}").into();
    }
    match element(place) {
        "policy" => "Policies must be valid JSON and the first byte must be '{'",
        "Version" => "The policy must contain a valid version string",
        "Principal" | "NotPrincipal" => "Invalid principal in policy",
        "Action" | "NotAction" => "Policy has invalid action",
        "Resource" | "NotResource" => "Policy has invalid resource",
        "Condition" if complaint.contains("condition key") => "Policy has an invalid condition key",
        "Condition" if complaint.contains("condition operator") => {
            return format!("Invalid Condition type : {last}").into();
        }
        "Effect" => "Invalid effect",
        "Sid" => "Statement IDs (SID) in a single policy must be unique",
        _ => "Invalid policy syntax.",
    }
    .into()
}

/// The element of the document or of a statement that a place is in: `Condition` of
/// `Statement[2].Condition.StringLike`.
fn element(place: &str) -> &str {
    let outer = place.split(['.', '[']).next().unwrap_or(place);
    let rest = place.strip_prefix("Statement").unwrap_or_default();
    let inner = rest.split_once('.').map(|(_, inner)| inner);
    let inner = inner.and_then(|inner| inner.split(['.', '[']).next());
    inner.unwrap_or(outer)
}

pub(super) fn malformed(message: String) -> Error {
    Error::new(Kind::Invalid, "MalformedPolicy", message)
}
