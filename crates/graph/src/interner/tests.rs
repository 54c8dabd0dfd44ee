use std::collections::HashMap;

use proptest::prelude::*;

use super::{Interner, Name};
use crate::Id;

proptest! {
    #[test]
    fn equal_names_have_one_place(texts in prop::collection::vec("[ab]{0,5}", 0..3000), seed: [u64; 2]) {
        let mut interner = Interner::new(seed);
        let mut model: HashMap<String, Id> = HashMap::new();
        for text in &texts {
            let id = interner.symbol(text.as_bytes()).unwrap();
            prop_assert_eq!(*model.entry(text.clone()).or_insert(id), id);
        }
        prop_assert_eq!(interner.len(), model.len());
        for place in 0..interner.len() {
            let Some(Name::Symbol(text)) = interner.name(place) else { panic!("no symbol") };
            prop_assert_eq!(model[std::str::from_utf8(text).unwrap()], Id::fresh(place as u64, false));
        }
    }
}

#[test]
fn an_expression_is_no_symbol_with_its_bytes() {
    let mut interner = Interner::new([1, 2]);
    let symbol = interner.symbol(&7u64.to_le_bytes()).unwrap();
    let expression = interner.expression(&[7]).unwrap();
    assert_ne!(symbol, expression);
    assert_eq!(interner.name(1), Some(Name::Expression(&[7u64.to_le_bytes()])));
}

#[test]
fn levels_count_nesting_and_variables_show() {
    let mut interner = Interner::new([3, 4]);
    let a = interner.symbol(b"a").unwrap();
    let one = interner.expression(&[a.0]).unwrap();
    let open = interner.expression(&[one.0, Id::variable(0).0]).unwrap();
    let two = interner.expression(&[open.0, a.0]).unwrap();
    assert!(!one.has_variables() && open.has_variables() && two.has_variables());
    assert_eq!(
        (0..4).map(|p| interner.level(p)).collect::<Vec<_>>(),
        [(0, false), (1, false), (2, true), (3, true)]
    );
    let wide: Vec<u64> = (0..1000).collect();
    assert_eq!(
        interner.expression(&wide).unwrap(),
        interner.expression(&wide).unwrap()
    );
}

#[test]
fn what_is_settled_is_the_graphs_id() {
    let mut interner = Interner::new([5, 6]);
    let a = interner.symbol(b"a").unwrap();
    assert_eq!(interner.settled(a.0), None);
    interner.set_id(0, Id::symbol(9));
    interner.all_known();
    assert_eq!(interner.settled(a.0), Some(Id::symbol(9).0));
    assert_eq!(interner.settled(Id::symbol(3).0), Some(Id::symbol(3).0));
    assert!(interner.unknown().is_empty());
}
