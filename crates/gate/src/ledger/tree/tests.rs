use craton_crypto::merkle::CompactRange;

use super::*;

/// Against the other way to know a root, at every size up to where three levels have something.
#[test]
fn the_root_is_the_one_of_the_whole_tree() {
    let mut tree = Tree::default();
    let mut range = CompactRange::new();
    let mut written = Vec::new();
    assert_eq!(tree.root(), range.root());
    for n in 0..66_000u32 {
        let envelope = n.to_be_bytes();
        tree.append(&envelope, &mut written).unwrap();
        range
            .append(merkle::leaf_hash(&envelope::leaf_data(&envelope)), |_, _| {})
            .unwrap();
        if n < 1100 || n % 977 == 0 || n > 65_500 {
            assert_eq!(tree.root(), range.root(), "{n}");
        }
    }
    let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"tile/0/000") && names.contains(&"tile/1/000") && names.contains(&"bundle/256"));
    assert_eq!(names.len(), 257 + 257 + 1);
}

#[test]
fn a_cut_bundle_is_told() {
    let mut tree = Tree::default();
    for n in 0..3u8 {
        tree.append(&[n; 5], &mut vec![]).unwrap();
    }
    let bundle = tree.bundle.clone();
    assert_eq!(envelopes(&bundle).flatten().count(), 3);
    for len in 0..bundle.len() {
        let whole = envelopes(&bundle[..len]).all(|envelope| envelope.is_some());
        assert_eq!(whole, len % 9 == 0, "{len}");
    }
}

#[test]
fn only_what_has_grown_is_written() {
    let mut tree = Tree::default();
    for _ in 0..300 {
        tree.append(b"x", &mut vec![]).unwrap();
    }
    let names = |since| {
        let mut out = Vec::new();
        tree.partial(since, &mut out);
        out.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(300), Vec::<String>::new());
    assert_eq!(names(299), ["tile/0/001", "bundle/001"]);
    assert_eq!(names(200), ["tile/0/001", "tile/1/000", "bundle/001"]);
}
