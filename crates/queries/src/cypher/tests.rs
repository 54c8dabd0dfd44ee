//! Errors say where; what queries read is known by its constants.

use craton_graph::print;

use super::compile;

fn message(text: &str) -> String {
    compile(text).map(drop).unwrap_err().message().to_owned()
}

#[test]
fn errors_say_where() {
    for (text, why) in [
        (
            "MATCH (a:B RETURN a",
            "line 1, column 12: here should be \")\", not RETURN",
        ),
        (
            "MATCH (a:B)\nRETURN a +",
            "line 2, column 11: here should be an expression, not the end",
        ),
        (
            "MATCH (a:B) WHERE\n  c.d = 1 RETURN a",
            "line 2, column 3: c is not known here",
        ),
        (
            "MATCH (a:B) RETURN 'a",
            "line 1, column 20: a quotation has no end",
        ),
        (
            "MATCH (a:B) RETURN a # b",
            "line 1, column 22: '#' is no part of a query",
        ),
        (
            "MATCH (a)-[:r]->(b) SET a.b = 1",
            "SET in openCypher is not supported",
        ),
    ] {
        assert_eq!(message(text), why, "{text}");
    }
}

#[test]
fn what_is_read_is_known_by_its_constants() {
    let compiled =
        compile("MATCH (a:Person {age: 4})-[:knows|`<x:y>`]->(b {id: 'bob'}) WHERE a.name = 'Ann' RETURN b")
            .unwrap();
    let mut read: Vec<String> = compiled
        .rules()
        .iter()
        .map(|rule| print::term(&rule.exec))
        .collect();
    read.sort();
    assert_eq!(
        read,
        [
            "(exec 0 (, (Person $a)) (,))",
            "(exec 0 (, (age $a $b)) (,))",
            "(exec 0 (, (knows $a $b)) (,))",
            "(exec 0 (, (name $a $b)) (,))",
            "(exec 0 (, (triple $a <x:y> $b)) (,))",
        ]
    );
}

#[test]
fn numbers_and_ranges_are_told_apart() {
    for text in [
        "MATCH (a)-[:r*1..3]->(b) RETURN 1.5, 2, 3e4",
        "MATCH (a)-[:r*..3]-(b) RETURN a",
        "MATCH (a)<-[:r*2]-(b) RETURN a",
    ] {
        assert!(compile(text).is_ok(), "{text}");
    }
    assert!(message("MATCH (a)-[:r*3..1]->(b) RETURN a").contains("more edges"));
}
