use proptest::prelude::*;

use super::{Dictionary, resolve};
use crate::{Form, Id, Names, interner::Interner, manifest::NamesManifest, storage::Memory};

fn text_of(names: &dyn Names, id: Id) -> String {
    let mut out = Vec::new();
    names.text(id, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn names_keep_their_ids_over_many_batches(batches in prop::collection::vec(prop::collection::vec("[a-d]{1,3}", 0..20), 1..12)) {
        let mut names = NamesManifest::default();
        let mut seen = std::collections::BTreeMap::new();
        for (n, batch) in batches.iter().enumerate() {
            let mut interner = Interner::new([n as u64, 7]);
            for text in batch {
                let symbol = interner.symbol(text.as_bytes()).unwrap();
                let one = interner.expression(&[symbol.0, Id::integer(1).unwrap().0]).unwrap();
                interner.expression(&[one.0, one.0, Id::variable(0).0]).unwrap();
            }
            resolve(&mut interner, &mut names, &Memory).unwrap();
            let dictionary = Dictionary::new(names.clone(), 0);
            for text in batch {
                let id = dictionary.symbol(text.as_bytes()).unwrap().unwrap();
                prop_assert_eq!(*seen.entry(text.clone()).or_insert(id), id);
                prop_assert_eq!(text_of(&dictionary, id), text.clone());
                let one = dictionary.expression(&[id, Id::integer(1).unwrap()]).unwrap().unwrap();
                let two = dictionary.expression(&[one, one, Id::variable(0)]).unwrap().unwrap();
                prop_assert!(two.has_variables() && !one.has_variables());
                let mut items = Vec::new();
                dictionary.items(two, &mut items).unwrap();
                prop_assert_eq!(items, vec![one, one, Id::variable(0)]);
            }
        }
        let dictionary = Dictionary::new(names, 0);
        prop_assert_eq!(dictionary.symbol(b"zzz").unwrap(), None);
        let all: std::collections::BTreeSet<_> = seen.values().collect();
        prop_assert_eq!(all.len(), seen.len());
    }
}

#[test]
fn an_interner_that_goes_on_gets_ids_for_what_is_new() {
    let mut names = NamesManifest::default();
    let mut interner = Interner::new([1, 1]);
    let a = interner.symbol(b"a").unwrap();
    resolve(&mut interner, &mut names, &Memory).unwrap();
    let b = interner.symbol(b"b").unwrap();
    resolve(&mut interner, &mut names, &Memory).unwrap();
    let ids = [a, b].map(|id| Id(interner.settled(id.0).unwrap()).form());
    assert_eq!(ids, [Some(Form::Symbol(0)), Some(Form::Symbol(1))]);
    let dictionary = Dictionary::new(names, 0);
    assert_eq!(text_of(&dictionary, Id::symbol(1)), "b");
    assert_eq!(text_of(&dictionary, Id::integer(-5).unwrap()), "-5");
}
