use super::*;

fn name(text: &str) -> GraphName {
    GraphName::new(text).unwrap()
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|l| (*l).to_owned()).collect()
}

#[test]
fn labels_are_of_one_graph_each() {
    let all = GraphLabels::default();
    let all = all.with(&name("b"), &words(&["pii", "secret", "pii"])).unwrap();
    let all = all.with(&name("a"), &words(&["x"])).unwrap();
    assert_eq!(all.of(&name("b")), ["pii", "secret"]);
    assert_eq!(all.of(&name("a")), ["x"]);
    assert!(all.of(&name("ab")).is_empty());
    let again = GraphLabels::parse(&all.encode_to_vec().into()).unwrap();
    assert_eq!(again, all);
    let without = all.with(&name("b"), &[]).unwrap();
    assert!(without.of(&name("b")).is_empty());
    assert_eq!(without.of(&name("a")), ["x"]);
}

#[test]
fn a_label_is_one_word() {
    let all = GraphLabels::default();
    for wrong in ["", "a b", "a\n", &"x".repeat(LABEL_BYTES_MAX + 1)] {
        let refused = all.with(&name("g"), &words(&[wrong])).unwrap_err();
        assert_eq!(refused.reason(), "InvalidLabel", "{wrong:?}");
    }
    let many: Vec<String> = (0..=GRAPH_LABELS_MAX).map(|n| n.to_string()).collect();
    assert!(all.with(&name("g"), &many).is_err());
}
