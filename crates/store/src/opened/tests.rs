//! What is kept is found by its whole name alone, and few are kept.

use std::num::NonZeroUsize;

use super::Opened;

#[test]
fn only_the_whole_name_finds_and_few_are_kept() {
    let opened = Opened::new(NonZeroUsize::MIN);
    let get = |name: &[&[u8]], value: u8| *opened.get(name, || Ok(value)).unwrap();
    assert_eq!((get(&[b"a", b"b"], 1), get(&[b"a", b"b"], 2)), (1, 1));
    assert_eq!(get(&[b"ab"], 3), 3, "another name");
    assert_eq!(get(&[b"a", b"b"], 4), 4, "the first had to leave");
    opened.clear();
    assert_eq!(get(&[b"ab"], 5), 5);
    assert!(
        opened
            .get(&[b"x"], || Err(craton_base::Error::corrupt("no")))
            .is_err()
    );
    assert_eq!(get(&[b"x"], 6), 6, "a failure is not kept");
}
