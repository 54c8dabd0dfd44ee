use proptest::prelude::*;

use super::*;
use crate::policy::Context;

const KINDS: [Compares; 7] = [
    Compares::Text {
        wildcards: true,
        fold: false,
    },
    Compares::Text {
        wildcards: false,
        fold: true,
    },
    Compares::Number(Order::Equal),
    Compares::Number(Order::Less),
    Compares::Date(Order::GreaterOrEqual),
    Compares::Address,
    Compares::Arn,
];

fn text(pattern: &str) -> BoxedStrategy<String> {
    proptest::string::string_regex(pattern).unwrap().boxed()
}

/// A value of the policy, and one of the request that is near it.
fn texts(compares: Compares) -> (BoxedStrategy<String>, BoxedStrategy<String>) {
    let address = r"(10\.0\.[0-3]\.[0-9]|2001:db8::[0-9a-f]|::ffff:10\.0\.1\.[0-9])";
    match compares {
        Compares::Text { .. } => (
            text(r"[abÄé*?]{0,5}|[ab]\$\{aws:K\}[ab]?"),
            text("[abABÄäé]{0,5}"),
        ),
        Compares::Address => (text(&format!("{address}(/(8|22|31|32))?")), text(address)),
        Compares::Arn => (
            text(r"arn:aws:(s3|\*|\?3):::[ab]{1,2}[/*?]?[ab*]{0,2}|arn:aws:s3"),
            text("arn:aws:(s3|r3):::[ab]{1,2}/?[ab]{0,2}"),
        ),
        _ => (text("[0-3]?[0-9]"), text("[0-3]?[0-9]")),
    }
}

proptest! {
    /// A list fits what one of its values fits: of a single value nothing is indexed.
    #[test]
    fn a_long_list_fits_what_one_of_it_fits(
        (compares, values, found) in proptest::sample::select(&KINDS[..]).prop_flat_map(|compares| {
            let (value, found) = texts(compares);
            (Just(compares), proptest::collection::vec(value, 1..40), found)
        })
    ) {
        let mut facts = Context::new();
        facts.set("aws:K", "a").unwrap();
        let found = Value::from(found.as_str());
        let one = |value: &String| Wanted::parse(compares, std::slice::from_ref(value), true);
        let each: Vec<_> = values.iter().filter_map(|v| one(v).ok().map(|wanted| (v.clone(), wanted))).collect();
        let parsed: Vec<String> = each.iter().map(|(v, _)| v.clone()).collect();
        let all = Wanted::parse(compares, &parsed, true).unwrap();
        let expected = each.iter().any(|(_, wanted)| wanted.fits(&found, &facts));
        prop_assert_eq!(all.fits(&found, &facts), expected, "{:?} {:?} {:?}", compares, parsed, found);
    }
}

#[test]
fn times_and_addresses_are_compared_as_their_texts_are() {
    let at = craton_base::Timestamp::from_seconds(1_780_272_000);
    let dates = |value: &str| Wanted::parse(Compares::Date(Order::Equal), &[value.to_owned()], true).unwrap();
    for (value, fits) in [
        ("2026-06-01", true),
        ("1780272000", true),
        ("2026-06-01T00:00:01Z", false),
    ] {
        for found in [Value::Time(at), Value::Time(at).into_text().into_owned().into()] {
            assert_eq!(dates(value).fits(&found, &Context::new()), fits, "{value}");
        }
    }
    let networks = Wanted::parse(Compares::Address, &["10.0.0.0/8".to_owned()], true).unwrap();
    let text = Wanted::parse(
        Compares::Text {
            wildcards: true,
            fold: false,
        },
        &["10.*".to_owned()],
        true,
    )
    .unwrap();
    for wanted in [networks, text] {
        let fits = |address: &str| wanted.fits(&Value::Address(address.parse().unwrap()), &Context::new());
        assert!(fits("10.1.2.3") && fits("::ffff:10.1.2.3") && !fits("11.1.2.3"));
    }
}

#[test]
fn overlapping_networks_are_one() {
    let list = [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.255.255.255",
        "0.0.0.0/32",
        "::/0",
    ]
    .map(str::to_owned);
    let wanted = Wanted::parse(Compares::Address, &list, true).unwrap();
    let fits = |address: &str| wanted.fits(&Value::from(address), &Context::new());
    for inside in [
        "10.0.0.0",
        "10.255.255.255",
        "10.200.0.1",
        "0.0.0.0",
        "2001:db8::1",
    ] {
        assert!(fits(inside), "{inside}");
    }
    for outside in ["9.255.255.255", "11.0.0.0", "0.0.0.1", "255.255.255.255"] {
        assert!(!fits(outside), "{outside}");
    }
}
