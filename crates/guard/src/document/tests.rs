use super::*;

fn check(text: &str) -> Result<Document> {
    Document::check(&Language::new().unwrap(), "d", text)
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let error = check(text).err().expect("it is refused");
    assert_eq!(error.reason(), "MalformedPolicyDocument");
    assert!(
        error.message().contains(part),
        "{} lacks {part:?}",
        error.message()
    );
}

#[test]
fn what_a_document_can_not_say() {
    refused("", "no policy");
    refused("forbid(principal, action, resource) when {", "unexpected");
    refused("permit(principal, action, resource);", "only forbids");
    refused("forbid(principal == ?principal, action, resource);", "slots");
    refused(
        r#"forbid(principal, action == Action::"s3:GetObjects", resource);"#,
        "s3:GetObjects",
    );
    refused(r#"forbid(principal, action, resource in Folder::"x");"#, "Folder");
    // An attribute that may be missing is asked for first.
    refused(
        r#"forbid(principal, action, resource) when { context.purpose == "x" };"#,
        "purpose",
    );
    refused(
        r#"forbid(principal, action, resource is Object) when { resource.getTag("a") == "x" };"#,
        "access to tag",
    );
    refused(
        r#"forbid(principal, action, resource is Object) when { resource.size > 1 };"#,
        "size",
    );
    refused(
        r#"@id("a") forbid(principal, action, resource); @id("a") forbid(principal, action, resource);"#,
        "two policies",
    );
    refused(r#"@id("a b") forbid(principal, action, resource);"#, "one word");
}

#[test]
fn names_that_no_entity_has() {
    refused(
        r#"forbid(principal, action, resource in Prefix::"b/raw");"#,
        "slash at the end",
    );
    refused(
        r#"forbid(principal, action, resource in Prefix::"b/");"#,
        "slash at the end",
    );
    refused(
        r#"forbid(principal, action, resource == Object::"b");"#,
        "BUCKET/KEY",
    );
    refused(
        r#"forbid(principal, action, resource in Graph::"g");"#,
        "BUCKET/GRAPH",
    );
    refused(
        r#"forbid(principal, action, resource in GraphPrefix::"b/g/(edge");"#,
        "whole items",
    );
    refused(
        r#"forbid(principal, action, resource in GraphPrefix::"b/g/");"#,
        "whole items",
    );
}

#[test]
fn policies_keep_their_order_and_their_names() {
    let many: String = (0..12)
        .map(|n| format!("forbid(principal == User::\"u{n}\", action, resource);\n"))
        .collect();
    let document = check(&(many + "@id(\"last\") forbid(principal, action, resource);")).unwrap();
    let names: Vec<&str> = document.policies().collect();
    assert_eq!(names[10], "d#10");
    assert_eq!(names[12], "d#last");
    assert_eq!(document.len(), 13);
    assert!(document.rules[10].policy.to_string().contains("u10"));
}

#[test]
fn what_a_policy_looks_at() {
    let document = check(
        r#"forbid(principal, action, resource) when { context.door == "s3" && context has purpose };
           forbid(principal, action, resource is Object) when { resource.key == "x" || principal.name == "y" };
           forbid(principal, action, resource is Object) when { principal.hasTag("x") };"#,
    )
    .unwrap();
    let [circumstances, attributes, tags] = &document.rules[..] else {
        panic!("three policies");
    };
    assert!(circumstances.needs.circumstance("door") && circumstances.needs.circumstance("purpose"));
    assert!(!circumstances.needs.circumstance("time") && !circumstances.needs.tags);
    assert_eq!(attributes.needs, Needs::default());
    assert!(tags.needs.tags);
}

#[test]
fn a_document_has_a_limit() {
    let long = "// ".to_owned() + &"x".repeat(DOCUMENT_BYTES_MAX);
    assert_eq!(check(&long).err().unwrap().reason(), "LimitExceeded");
}
