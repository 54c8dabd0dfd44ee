use proptest::prelude::*;

use super::{Form, Id, WIDTH_MAX};

#[test]
fn only_the_canonical_text_of_an_integer_is_one() {
    for text in ["0", "7", "-12", "1152921504606846975", "-1152921504606846976"] {
        let id = Id::of_text(text.as_bytes()).unwrap();
        assert_eq!(id.form(), Some(Form::Integer(text.parse().unwrap())), "{text}");
    }
    for text in [
        "",
        "-",
        "-0",
        "007",
        "+1",
        "1.0",
        "1e3",
        "1152921504606846976",
        "99999999999999999999",
        "a1",
    ] {
        assert_eq!(Id::of_text(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn integers_are_in_numeric_order() {
    let ids: Vec<_> = [-9_000, -1, 0, 1, 5_000_000_000]
        .map(|v| Id::integer(v).unwrap())
        .to_vec();
    assert!(ids.is_sorted());
}

#[test]
fn a_width_that_no_id_can_name_is_refused() {
    assert!(Id::expression(WIDTH_MAX, 0, false).is_some());
    assert!(Id::expression(WIDTH_MAX + 1, 0, false).is_none());
    assert!(Id::expression(1, 1 << 49, false).is_none());
}

proptest! {
    #[test]
    fn an_id_says_what_it_was_made_from(width in 0..=WIDTH_MAX, serial in 0..1u64 << 49, open: bool) {
        let id = Id::expression(width, serial, open).unwrap();
        let form = match open {
            true => Form::Open { width, serial },
            false => Form::Expression { width, serial },
        };
        prop_assert_eq!(id.form(), Some(form));
        prop_assert_eq!(id.has_variables(), open);
        let (least, most) = Id::expressions(width, open).unwrap();
        prop_assert!(least <= id && id <= most);
    }

    #[test]
    fn every_number_has_a_form_or_none(raw: u64) {
        let _ = Id(raw).form();
    }
}
