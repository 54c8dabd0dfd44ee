use proptest::prelude::*;

use super::Waiting;
use crate::{Id, interner::Interner};

/// Symbols and, of what came before, expressions.
fn steps() -> impl Strategy<Value = Vec<(u8, Vec<prop::sample::Index>)>> {
    prop::collection::vec(
        (0u8..40, prop::collection::vec(any::<prop::sample::Index>(), 0..4)),
        1..200,
    )
}

proptest! {
    #[test]
    fn names_that_waited_are_those_that_did_not(
        steps in steps(), seed: [u64; 2], variables: bool, often in 1usize..50
    ) {
        let (mut now, mut later) = (Interner::new(seed), Interner::new(seed));
        let mut waiting = Waiting::default();
        let (mut known, mut cells): (Vec<u64>, Vec<u64>) = Default::default();
        for (at, (n, items)) in steps.iter().enumerate() {
            if items.is_empty() || known.is_empty() {
                let text = format!("name-{n}");
                known.push(now.symbol(text.as_bytes()).unwrap().0);
                cells.push(waiting.symbol(text.as_bytes()).0);
            } else {
                let pick = |from: &[u64]| -> Vec<u64> {
                    let mut out: Vec<u64> = items.iter().map(|i| *i.get(from)).collect();
                    if variables && *n == 0 {
                        out.push(Id::variable(0).0);
                    }
                    out
                };
                let (one, other) = (pick(&known), pick(&cells));
                known.push(now.expression(&one).unwrap().0);
                cells.push(waiting.expression(&other).0);
            }
            if at % often == 0 {
                waiting.settle(&mut later).unwrap();
                waiting.put(&mut cells);
            }
        }
        waiting.settle(&mut later).unwrap();
        waiting.put(&mut cells);
        prop_assert!(waiting.is_empty());
        prop_assert_eq!(now.len(), later.len());
        // Places are given in another order: what stands at them is the same.
        let shown = |interner: &Interner, raw: u64| shown(interner, raw);
        for (one, other) in known.iter().zip(&cells) {
            prop_assert_eq!(shown(&now, *one), shown(&later, *other));
            prop_assert_eq!(Id(*one).has_variables(), Id(*other).has_variables());
        }
    }
}

/// A name as text, up to a length.
fn shown(interner: &Interner, raw: u64) -> String {
    let (mut out, mut left) = (String::new(), vec![raw]);
    while let Some(raw) = left.pop().filter(|_| out.len() < 2000) {
        let Some(crate::Form::Fresh(place)) = Id(raw).form() else {
            out.push_str(&format!("{:?} ", Id(raw)));
            continue;
        };
        let place = usize::try_from(place).unwrap();
        out.push_str(&format!("{:?} ", interner.level(place)));
        match interner.name(place).unwrap() {
            crate::interner::Name::Symbol(text) => out.push_str(&String::from_utf8_lossy(text)),
            crate::interner::Name::Expression(items) => {
                out.push_str(&format!("{} ", items.len()));
                left.extend(items.iter().rev().map(|i| u64::from_le_bytes(*i)));
            }
        }
    }
    out
}
