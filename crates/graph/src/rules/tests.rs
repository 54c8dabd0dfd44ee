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
    assert_eq!((read.layers.len(), read.facts.len()), (1, 2));
    assert_eq!(read.all().map(|rule| rule.templates).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn what_can_not_be_run_is_said() {
    for (text, why) in [
        ("(rule a (, (p $x)))", "a rule is"),
        ("(rule a (I (p $x)) (, (q $x)))", "a rule is"),
        ("(rule $a (, (p $x)) (, (q $x)))", "the name has a variable"),
        ("(rule a (,) (, (q 1)))", "no pattern of facts"),
        ("(rule a (, (not (p $x))) (, (q $x)))", "no pattern of facts"),
        ("(rule a (, (p $x)) (,))", "no template"),
        (
            "(rule a (, (p $x) (not (r $x $y))) (, (q $x)))",
            "the condition (r $",
        ),
        (
            "(rule a (, (p $x) (not $x)) (, (q $x)))",
            "is no expression with a symbol in front",
        ),
        (
            "(rule a (, (p $x) (not (r $x) (s $x))) (, (q $x)))",
            "is not (not <pattern>)",
        ),
        (
            "(rule a (, (p $x) (< $x $y)) (, (q $x)))",
            "that no pattern of facts binds",
        ),
        ("(rule a (, (p $x) (< 1 2)) (, (q $x)))", "is not of variables"),
        (
            "(rule a (, (p $x) (< $x (f $x))) (, (q $x)))",
            "is not of variables",
        ),
        ("(rule a (, (p $x) (< $x)) (, (q $x)))", "is not of two terms"),
        ("(rule a (, (p $x) (> $x 1)) (, (q $x)))", "the other way round"),
        (
            "(rule a (, (p $x) (not (q $x))) (, (q $x)))",
            "it denies what follows from it",
        ),
        (
            "(rule a (, (p $x) (not (q $x))) (, (r $x))) (rule b (, (r $x)) (, (q $x)))",
            "it denies what follows from it",
        ),
        ("(rule a (, $x) (, (q $x)))", "the pattern $"),
        ("(rule a (, ($f $x)) (, (q $x)))", "the pattern ($"),
        ("(rule a (, (p $x)) (, (q $y)))", "that no pattern of facts binds"),
        ("(rule a (, (p $x)) (, (q $x) (r $x $z)))", "(r $"),
        ("(rule a (, (p $x)) (, (q (s $x))))", "nested expression"),
        ("(rule a (, (p $x)) (, (exec 0 (,) (,))))", "the template (exec"),
        ("(exec 0 (, (p $x)) (, (q $x)))", "it is an exec"),
    ] {
        let said = refused(text);
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn what_is_denied_lies_lower() {
    let text = "(rule last (, (node $x) (not (bad $x))) (, (good $x)))
        (rule bad (, (node $x) (not (reached $x))) (, (bad $x)))
        (rule start (, (edge a $x)) (, (reached $x)))
        (rule on (, (reached $x) (edge $x $y) (< $x $y) (not (wall $y))) (, (reached $y)))
        (rule node (, (edge $x $y)) (, (node $x) (node $y)))";
    let read = Rules::read(text.as_bytes()).unwrap();
    let names = |layer: &Vec<super::Checked>| -> Vec<String> {
        let shown = layer.iter().map(|rule| crate::print::term(&rule.touches));
        shown
            .map(|text| text.split(' ').nth(1).unwrap().to_owned())
            .collect()
    };
    let layers: Vec<Vec<String>> = read.layers.iter().map(names).collect();
    assert_eq!(
        layers,
        [vec!["start", "node"], vec!["on"], vec!["bad"], vec!["last"]]
    );
}
