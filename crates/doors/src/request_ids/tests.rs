use std::collections::BTreeSet;

use craton_base::{Error, Kind, Result, clock::SystemClock};

use super::*;

struct Fixed(u64);

impl Random for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(&self.0.to_be_bytes());
        Ok(())
    }
}

struct Broken;

impl Random for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<()> {
        Err(Error::new(Kind::Unavailable, "RandomUnavailable", "none"))
    }
}

#[test]
fn no_two_ids_are_the_same_and_each_has_sixteen_digits() {
    let ids = RequestIds::new(&Fixed(u64::MAX - 500), &SystemClock::default());
    let drawn: BTreeSet<Arc<str>> = (0..1000).map(|_| ids.draw()).collect();
    assert_eq!(drawn.len(), 1000);
    let is_digit = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    assert!(drawn.iter().all(|id| id.len() == 16 && id.chars().all(is_digit)));
}

#[test]
fn ids_begin_where_randomness_says_and_do_without_it() {
    let of = |first| RequestIds::new(&Fixed(first), &SystemClock::default()).draw();
    assert_ne!(of(1), of(2));
    // The finaliser's published value for this input.
    assert_eq!(mixed(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    assert_eq!(RequestIds::new(&Broken, &SystemClock::default()).draw().len(), 16);
}
