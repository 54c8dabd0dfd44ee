use super::Rules;

fn refused(text: &str) -> String {
    let error = Rules::read(text.as_bytes()).expect_err(text);
    assert_eq!(error.reason(), "BadRule", "{error}");
    error.to_string()
}

#[test]
fn rules_and_facts_are_told_apart() {
    let text = "(edge a b) (rule base (, (edge $x $y)) (, (path $x $y) (node $x)))
        (rule (step 2) (, (path $x $y) (edge $y $z)) (, (path $x $z))) (rules are not (rule))";
    let read = Rules::read(text.as_bytes()).unwrap();
    assert_eq!((read.rules.len(), read.facts.len()), (2, 2));
    assert_eq!(
        read.rules.iter().map(|rule| rule.sinks.len()).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[test]
fn what_can_not_be_run_is_said() {
    for (text, why) in [
        ("(rule a (, (p $x)))", "a rule is"),
        ("(rule a (I (p $x)) (, (q $x)))", "a rule is"),
        ("(rule $a (, (p $x)) (, (q $x)))", "the name has a variable"),
        ("(rule a (,) (, (q 1)))", "no pattern"),
        ("(rule a (, (p $x)) (,))", "no template"),
        ("(rule a (, $x) (, (q $x)))", "the pattern $"),
        ("(rule a (, ($f $x)) (, (q $x)))", "the pattern ($"),
        ("(rule a (, (p $x)) (, (q $y)))", "that no pattern binds"),
        ("(rule a (, (p $x)) (, (q $x) (r $x $z)))", "(r $"),
        ("(rule a (, (p $x)) (, (q (s $x))))", "nested expression"),
        ("(rule a (, (p $x)) (, (exec 0 (,) (,))))", "the template (exec"),
        ("(exec 0 (, (p $x)) (, (q $x)))", "it is an exec"),
    ] {
        let said = refused(text);
        assert!(said.contains(why), "{text}: {said}");
    }
}
