use proptest::prelude::*;

use super::{Texts, Writer};
use crate::storage::Memory;

fn there_and_back(texts: &[Vec<u8>], first: u64) {
    let mut writer = Writer::new(&Memory, first);
    texts.iter().for_each(|t| writer.push(t).unwrap());
    let read = Texts::new(writer.finish().unwrap(), Texts::MEMORY);
    for (number, text) in (first..).zip(texts) {
        let mut out = Vec::new();
        read.text(number, &mut out).unwrap();
        assert_eq!(out, *text);
    }
    let mut out = Vec::new();
    assert!(read.text(first + texts.len() as u64, &mut out).is_err());
    assert!(first == 0 || read.text(first - 1, &mut out).is_err());
}

proptest! {
    #[test]
    fn texts_are_found_by_their_number(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..300), first in 0..1000u64
    ) {
        there_and_back(&texts, first);
    }
}

#[test]
fn many_and_large_ones() {
    let mut texts: Vec<Vec<u8>> = (0..20_000).map(|n| format!("symbol-{n}").into_bytes()).collect();
    texts.insert(700, vec![b'x'; 1 << 20]);
    texts.insert(900, Vec::new());
    there_and_back(&texts, 5);
}
