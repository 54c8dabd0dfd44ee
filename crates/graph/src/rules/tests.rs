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
    assert_eq!(
        read.all().map(|rule| rule.heads.len()).collect::<Vec<_>>(),
        [2, 1]
    );
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
            "that no pattern of facts binds: $y",
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
            "the expression (f $x) calls f, which is no function",
        ),
        ("(rule a (, (p $x) (< $x)) (, (q $x)))", "is not of two terms"),
        (
            "(rule a (, (p $x) (not (q $x))) (, (q $x)))",
            "it denies what follows from it",
        ),
        (
            "(rule a (, (p $x) (not (q $x))) (, (r $x))) (rule b (, (r $x)) (, (q $x)))",
            "it denies what follows from it",
        ),
        ("(rule a (, $x) (, (q $x)))", "the pattern $x"),
        ("(rule a (, ($f $x)) (, (q $x)))", "the pattern ($f $x)"),
        ("(rule a (, (p $x)) (, (q $y)))", "that no pattern of facts binds"),
        ("(rule a (, (p $x)) (, (q $x) (r $x $z)))", "(r $x $z)"),
        ("(rule a (, (p $x)) (, (exec 0 (,) (,))))", "the template (exec"),
        ("(exec 0 (, (p $x)) (, (q $x)))", "it is an exec"),
    ] {
        let said = refused(text);
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn what_can_not_be_computed_is_said() {
    for (text, why) in [
        ("(rule a (, (p $x) (:= $y (+ $z 1))) (, (q $y)))", "binds: $z"),
        ("(rule a (, (p $x) (:= $y (+ $y 1))) (, (q $y)))", "binds: $y"),
        (
            "(rule a (, (p $x) (:= 1 (+ $x 1))) (, (q $x)))",
            "is not (:= <variable>",
        ),
        (
            "(rule a (, (p $x) (:= $y (sqrt $x 2))) (, (q $y)))",
            "a wrong number of arguments",
        ),
        ("(rule a (, (p $x)) (, (q (:= (+ $y 1)))))", "binds: $y"),
        (
            "(rule a (, (p $x) (exists (f $y))) (, (q $y)))",
            "is not (exists <variable>",
        ),
        ("(rule a (, (p $x) (exists $y) (< $y 1)) (, (q $y)))", "binds: $y"),
        ("(rule a (, (p $x)) (O (- (p $x))))", "is none of (+ t)"),
        ("(rule a (, (p $x)) (O (count (q $k) $k)))", "is none of (+ t)"),
        (
            "(rule a (, (p $x)) (O (count (q 1) 1 $x)))",
            "no variable in the place of its value",
        ),
        (
            "(rule a (, (p $x)) (O (count (q (f $k)) $k $x)))",
            "for something else too",
        ),
        (
            "(rule a (, (p $x)) (O (top 0 (q $x) $x)))",
            "a whole number from 1",
        ),
        (
            "(rule a (, (p $x)) (O (min (q $k $x) $k $x)))",
            "as the last item",
        ),
        (
            "(rule a (, (p $x)) (O (count (p $k) $k $x)))",
            "it aggregates what follows from it",
        ),
        (
            "(rule a (, (p $x)) (O (min (q $x $k) $k $x))) (rule b (, (p $x)) (, (q $x 1)))",
            "another rule makes the same relation by min",
        ),
        (
            "(rule a (, (p $x)) (O (min (q $x $k) $k $x))) (rule b (, (p $x)) (O (max (q $x $k) $k $x)))",
            "another rule makes the same relation by min",
        ),
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

#[test]
fn places_and_names_are_said() {
    let said = refused("; a comment\n(p a)\n  (rule (to be)\n (, (p $who)) (, (q $whom)))");
    assert!(
        said.contains("line 3, column 3, rule (to be): the template (q $whom)"),
        "{said}"
    );
    let warned = |text: &str| Rules::read(text.as_bytes()).unwrap().warnings;
    let text = "(rule a (, (p $x $y) (p $_ $_z)) (, (q $x)))\n(rule b (, (q $x $y)) (, (r $x $y)))";
    assert_eq!(
        warned(text),
        [
            "line 1, column 1, rule a: $y stands in one place only; $_ says that it may",
            "q has 2 items in rule a and 3 in rule b: these are two relations",
        ]
    );
    assert!(warned("(rule a (, (p $x $y)) (O (count (q $x $k) $k $y)))").is_empty());
}

#[test]
fn what_is_counted_or_kept_lies_lower() {
    let text = "(rule far (, (dist $x $d) (< 3 $d)) (, (far $x)))
        (rule step (, (dist $x $d) (edge $x $y $w)) (O (min (dist $y $k) $k (:= (+ $d $w)))))
        (rule many (, (far $x)) (O (count (many $k) $k $x)))
        (rule start (, (edge a $x $w)) (O (min (dist a $k) $k 0)))";
    let read = Rules::read(text.as_bytes()).unwrap();
    let layers: Vec<Vec<&str>> = read
        .layers
        .iter()
        .map(|layer| layer.iter().map(|rule| rule.label.name.as_str()).collect())
        .collect();
    assert_eq!(layers, [vec!["step", "start"], vec!["far"], vec!["many"]]);
}
