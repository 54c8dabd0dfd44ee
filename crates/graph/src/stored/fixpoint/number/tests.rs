use super::{Number, Operator, compute};

fn of(operator: Operator, texts: &[&str]) -> String {
    let numbers: Vec<Number> = texts
        .iter()
        .map(|t| Number::read(t.as_bytes()).expect(t))
        .collect();
    compute(operator, &numbers).map_or_else(str::to_owned, Number::text)
}

#[test]
fn numbers_are_computed() {
    for (operator, texts, expected) in [
        (Operator::Add, vec!["1", "2", "3"], "6"),
        (Operator::Add, vec!["0.5", "0.5"], "1"),
        (Operator::Add, vec!["0.1", "0.2"], "0.30000000000000004"),
        (Operator::Subtract, vec!["5"], "-5"),
        (Operator::Subtract, vec!["5", "7.5"], "-2.5"),
        (Operator::Multiply, vec!["-3", "4"], "-12"),
        (Operator::Divide, vec!["7", "2"], "3.5"),
        (Operator::Divide, vec!["8", "2"], "4"),
        (Operator::Divide, vec!["8", "0"], "is divided by zero"),
        (Operator::Quotient, vec!["-7", "2"], "-4"),
        (Operator::Remainder, vec!["-7", "2"], "1"),
        (Operator::Remainder, vec!["7", "-2"], "-1"),
        (Operator::Remainder, vec!["7.5", "2"], "is not of whole numbers"),
        (Operator::Least, vec!["2", "1.5", "3"], "1.5"),
        (Operator::Greatest, vec!["2", "1e3"], "1000"),
        (
            Operator::Power,
            vec!["2", "100"],
            "1267650600228229401496703205376",
        ),
        (Operator::Power, vec!["2", "-1"], "0.5"),
        (Operator::Power, vec!["2", "127"], "is beyond 128 bits"),
        (Operator::Root, vec!["16"], "4"),
        (Operator::Root, vec!["-1"], "is no finite number"),
        (Operator::Floor, vec!["-1.5"], "-2"),
        (Operator::Ceiling, vec!["-1.5"], "-1"),
        (Operator::Round, vec!["2.5"], "3"),
        (Operator::Absolute, vec!["-0.25"], "0.25"),
        (Operator::Multiply, vec!["1e200", "1e-250"], "1e-50"),
        (Operator::Multiply, vec!["1e200", "1e200"], "is no finite number"),
    ] {
        assert_eq!(of(operator, &texts), expected, "{operator:?} {texts:?}");
    }
}

#[test]
fn names_are_no_numbers() {
    for text in ["inf", "nan", "-infinity", "", "x1", "1x", "\"1\"", "1e999", "--1"] {
        assert_eq!(Number::read(text.as_bytes()), None, "{text}");
    }
    for (text, written) in [
        ("007", "7"),
        ("+5", "5"),
        ("1.50", "1.5"),
        ("-0", "0"),
        ("1e3", "1000"),
    ] {
        let number = Number::read(text.as_bytes()).expect(text);
        assert_eq!(Number::float(number.as_float()).expect(text).text(), written);
    }
}
