use super::*;

fn resource(pattern: &str, arn: &str) -> bool {
    let arn = Arn::split(arn);
    ResourcePattern::parse(pattern, true)
        .unwrap()
        .matches(arn.as_ref(), &Context::new())
}

#[test]
fn actions_match_without_case() {
    for (pattern, action, fits) in [
        ("*", "s3:getobject", true),
        ("***", "s3:getobject", true),
        ("*:*", "s3:getobject", true),
        ("s3:*", "s3:getobject", true),
        ("S3:GetObject", "s3:getobject", true),
        ("s3:Get*", "s3:getobject", true),
        ("s3:Get*", "s3:putobject", false),
        ("s3:?etObject", "s3:getobject", true),
        ("s3:GetObject?", "s3:getobject", false),
        ("s3:*Object*", "s3:deleteobjectversion", true),
        ("s3:GetObject", "s3:getobjectversion", false),
        ("sts:*", "s3:getobject", false),
        ("*:GetObject", "s3:getobject", true),
    ] {
        let (service, name) = action.split_once(':').unwrap();
        let found = ActionPattern::parse(pattern).unwrap().matches(service, name);
        assert_eq!(found, fits, "{pattern} against {action}");
    }
}

#[test]
fn malformed_actions_are_refused() {
    for bad in [
        "",
        "s3",
        "GetObject",
        ":GetObject",
        "s3:",
        "s3*:Get",
        "s 3:Get",
        "s3:Get Object",
        "s3:a:b",
        "s3:é",
    ] {
        assert!(ActionPattern::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn resources_match_by_segment() {
    for (pattern, arn, fits) in [
        ("*", "arn:aws:s3:::b", true),
        ("arn:aws:s3:::b", "arn:aws:s3:::b", true),
        ("arn:aws:s3:::b", "arn:aws:s3:::B", false),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/k", false),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k", true),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/", true),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", false),
        ("arn:aws:s3:::b*", "arn:aws:s3:::bucket/k", true),
        ("arn:aws:s3:::*/k", "arn:aws:s3:::b/c/k", true),
        // In the resource, `*` covers ':' and '/'.
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b/c:d", true),
        ("arn:aws:s3:::*:d", "arn:aws:s3:::b/a:b/c:d", true),
        ("arn:aws:s3:::b/?", "arn:aws:s3:::b/:", true),
        // In the first five segments it stays inside.
        ("arn:*:b", "arn:aws:s3:::b", false),
        ("arn:aws:*:::b", "arn:aws:s3:::b", true),
        ("arn:aws:s3:*:*:b", "arn:aws:s3:::b", true),
        ("arn:aws:s3:?::b", "arn:aws:s3:::b", false),
        (
            "arn:aws:iam::*:user/*",
            "arn:aws:iam::123456789012:user/a/b",
            true,
        ),
        ("arn:aws:iam::*:user/*", "arn:aws:iam::1:2:user/a", false),
        // An incomplete ARN is completed with `*`.
        ("arn:aws:s3:*", "arn:aws:s3:::b/k", true),
        ("arn:aws:s3", "arn:aws:s3:::b/k", true),
        ("arn:aws:sqs:*", "arn:aws:s3:::b/k", false),
        // The request's side is text.
        ("arn:aws:s3:::b/secret", "arn:aws:s3:::b/*", false),
        ("arn:aws:s3:::b/?", "arn:aws:s3:::b/?", true),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", true),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", false),
    ] {
        assert_eq!(resource(pattern, arn), fits, "{pattern} against {arn}");
    }
}

#[test]
fn a_colon_inside_a_variable_does_not_end_a_segment() {
    let mut context = Context::new();
    context.set("aws:PrincipalAccount", "123456789012").unwrap();
    let pattern = ArnPattern::parse("arn:aws:iam::${aws:PrincipalAccount}:user/*", true).unwrap();
    let fits = |arn| pattern.matches(&Arn::split(arn).unwrap(), &context);
    assert!(fits("arn:aws:iam::123456789012:user/a"));
    assert!(!fits("arn:aws:iam::123456789013:user/a"));
}

#[test]
fn a_variable_cannot_reach_over_its_segment() {
    let mut context = Context::new();
    context.set("aws:x", "aws:s3").unwrap();
    let pattern = ArnPattern::parse("arn:${aws:x}:::b", true).unwrap();
    assert!(!pattern.matches(&Arn::split("arn:aws:s3:::b").unwrap(), &context));
}

#[test]
fn a_request_about_no_resource_matches_only_everything() {
    let context = Context::new();
    assert!(ResourcePattern::parse("*", true).unwrap().matches(None, &context));
    assert!(
        !ResourcePattern::parse("arn:aws:s3:::*", true)
            .unwrap()
            .matches(None, &context)
    );
}

#[test]
fn malformed_resources_are_refused() {
    for bad in [
        "",
        "b/*",
        "a*",
        "ARN:aws:s3:::b",
        "arn:aws:s3:::${",
        "${aws:username}",
    ] {
        assert!(ResourcePattern::parse(bad, true).is_err(), "{bad:?}");
    }
}

#[test]
fn the_literal_start_is_a_start_of_every_match() {
    for (pattern, start) in [
        ("*", ""),
        ("arn:aws:s3:::b", "arn:aws:s3:::b"),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/"),
        ("arn:aws:s3:::b?/x", "arn:aws:s3:::b"),
        ("arn:aws:s3:::${aws:username}/x", "arn:aws:s3:::"),
        ("arn:aws:s3", "arn:aws:s3"),
    ] {
        assert_eq!(ResourcePattern::parse(pattern, true).unwrap().start(), start);
    }
}
