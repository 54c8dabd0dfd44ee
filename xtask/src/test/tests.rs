use super::*;

fn names(arguments: &[&str]) -> Vec<&'static str> {
    Choice::parse(arguments)
        .unwrap()
        .steps()
        .map(|s| s.name)
        .collect()
}

#[test]
fn steps_are_chosen_by_name() {
    assert_eq!(names(&[]).len(), STEPS.len());
    assert_eq!(names(&["--only", "tidy"]), ["tidy"]);
    assert_eq!(names(&["--from", "power"]), ["power"]);
    assert!(Choice::parse(&["--only", "nothing"]).is_err());
    assert!(Choice::parse(&["--what"]).is_err());
}

#[test]
fn what_is_not_yet_is_a_step() {
    for name in NOT_YET {
        assert!(known(name).is_ok(), "{name}");
    }
}

fn context() -> Context {
    Context {
        root: crate::root(),
        target: PathBuf::new(),
        cargo: "cargo".to_owned(),
    }
}

#[test]
fn a_missing_folder_fails_unless_it_is_not_yet() {
    let step = |name| Step {
        name,
        about: "",
        folder: Some("no such folder"),
        run: |_| Ok(Counts::default()),
    };
    assert!(run_step(&context(), &step("unit")).is_err());
    for name in NOT_YET {
        assert!(matches!(run_step(&context(), &step(name)), Ok(Outcome::NotYet)));
    }
}

#[test]
fn a_step_in_which_no_test_ran_fails() {
    let step = Step {
        name: "unit",
        about: "",
        folder: None,
        run: |_| Ok(Counts::default()),
    };
    assert!(run_step(&context(), &step).is_err_and(|e| e == "no test ran"));
}
