//! What queries read, and what is refused before any graph is looked at.

use craton_graph::print;

use super::compile;

fn read(text: &str) -> Vec<String> {
    let compiled = compile(text).unwrap();
    compiled
        .rules()
        .iter()
        .map(|rule| print::term(&rule.exec))
        .collect()
}

fn reason(text: &str) -> &'static str {
    compile(text).map(drop).unwrap_err().reason()
}

#[test]
fn what_is_read_is_known_by_its_constants() {
    assert_eq!(
        read("SELECT * { <a:b> <c:d> ?x . ?x ?p ?x OPTIONAL { ?x <c:e> \"t\"@en } }"),
        [
            "(exec 0 (, (triple <a:b> <c:d> $a)) (,))",
            "(exec 0 (, (triple $a $b $a)) (,))",
            "(exec 0 (, (triple $a <c:e> (lang \"t\" en))) (,))",
        ]
    );
    // A walk that may have no step looks at every node.
    assert_eq!(read("ASK { <a:b> <c:d>* ?x }").len(), 3);
    assert!(read("SELECT (1 AS ?x) {}").is_empty());
}

#[test]
fn what_is_no_query_or_not_supported_says_so() {
    assert_eq!(reason("SELECT"), "BadQuery");
    assert_eq!(reason("DESCRIBE <a:b>"), "NotSupported");
    assert_eq!(
        reason(
            "SELECT * { ?x <a:b> ?y FILTER EXISTS { ?z <a:b> ?w OPTIONAL { ?w <a:b> ?v FILTER(?v = ?x) } } }"
        ),
        "NotSupported"
    );
    assert_eq!(reason(&"(".repeat(1000)), "QueryTooDeep");
    assert_eq!(
        reason(&format!("SELECT ({}1 AS ?x) {{}}", "- ".repeat(100))),
        "QueryTooDeep"
    );
    assert_eq!(
        reason(&format!("SELECT ({}1 AS ?x) {{}}", "1 + ".repeat(5000))),
        "QueryTooDeep"
    );
    assert_eq!(reason(&" ".repeat(1 << 20)), "EntityTooLarge");
}
