use proptest::prelude::*;

use super::*;

/// The examples of the specification.
#[test]
fn paths_of_the_specification() {
    let tile = Tile::new(0, 1_234_067, WIDTH).unwrap();
    assert_eq!(tile.path(), "tile/0/x001/x234/067");
    assert_eq!(tile.entries_path().unwrap(), "tile/entries/x001/x234/067");
    assert_eq!(Tile::new(3, 5, 17).unwrap().path(), "tile/3/005.p/17");
    assert_eq!(Tile::new(1, 0, 1).unwrap().entries_path(), None);
}

/// The two trees that the specification describes.
#[test]
fn trees_of_the_specification() {
    let tiles: Vec<Tile> = grown(0, 70_000).collect();
    let count = |level, partial| {
        tiles
            .iter()
            .filter(|t| t.level == level && t.is_partial() == partial)
            .count()
    };
    assert_eq!([count(0, false), count(0, true), count(1, false)], [273, 1, 1]);
    assert_eq!([count(1, true), count(2, false), count(2, true)], [1, 0, 1]);
    let widths: Vec<u16> = tiles
        .iter()
        .filter(|t| t.is_partial())
        .map(|t| t.width())
        .collect();
    assert_eq!(widths, [112, 17, 1]);
    let paths: Vec<String> = grown(0, 256).map(Tile::path).collect();
    assert_eq!(paths, ["tile/0/000", "tile/1/000.p/1"]);
}

#[test]
fn other_paths_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/+1/000",
        "tile/8/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/x001/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000.p/1.p/1",
        "tile/0/../001",
        "tile/0/0\u{661}1",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/entries/000",
    ] {
        assert!(Tile::parse_path(path).is_err(), "{path:?}");
    }
    assert!(Tile::parse_entries_path("tile/0/000").is_err());
}

#[test]
fn a_tile_has_a_level_and_a_width() {
    for (level, width) in [(8, 1), (255, 1), (0, 0), (0, 257), (0, u16::MAX)] {
        assert!(Tile::new(level, 0, width).is_err());
    }
    assert_eq!(Tile::in_tree(0, 0, 0), None);
    assert_eq!(Tile::in_tree(256, 0, 1), None);
    assert_eq!(Tile::in_tree(u64::MAX, 0, u64::MAX), None);
    assert_eq!(Tile::in_tree(u64::MAX, 7, 0).unwrap().width(), 255);
}

#[test]
fn tile_bytes_are_whole_hashes() {
    let tile = Tile::new(0, 0, 2).unwrap();
    let bytes: Vec<u8> = (0..96).collect();
    assert_eq!(tile.hashes(&bytes).unwrap().concat(), bytes[..64]);
    for wrong in [0, 63, 65, 95, FULL_LEN + 32] {
        assert!(tile.hashes(&vec![0; wrong]).is_err(), "{wrong}");
    }
}

#[test]
fn a_long_entry_is_refused() {
    let mut bundle = vec![7];
    push_entry(&mut bundle, &vec![0; ENTRY_MAX]).unwrap();
    let error = push_entry(&mut bundle, &vec![0; ENTRY_MAX + 1]).unwrap_err();
    assert_eq!((error.kind(), bundle.len()), (Kind::TooLarge, 1 + 2 + ENTRY_MAX));
}

proptest! {
    #[test]
    fn path_round_trip(level in 0u8..8, index: u64, shift in 0u32..64, width in 1u16..=256) {
        let tile = Tile::new(level, index >> shift, width).unwrap();
        prop_assert_eq!(Tile::parse_path(&tile.path()).unwrap(), tile);
        if let Some(path) = tile.entries_path() {
            prop_assert_eq!(Tile::parse_entries_path(&path).unwrap(), tile);
        }
    }

    #[test]
    fn what_parses_prints_the_same(path in "tile/[0-9]{1,2}/(x?[0-9]{3}/){0,3}x?[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = Tile::parse_path(&path) {
            prop_assert_eq!(tile.path(), path);
        }
    }

    /// Growing in two steps names every tile of growing in one, and nothing that the old tree had.
    #[test]
    fn growth_adds_up(a in 0u64..200_000, b in 0u64..2_000) {
        let has = |size| move |t: &Tile| Tile::in_tree(size, t.level, t.index) == Some(*t);
        let step: Vec<Tile> = grown(a, a + b).collect();
        prop_assert!(step.iter().all(has(a + b)));
        prop_assert!(!step.iter().any(has(a)));
        let missing = grown(0, a + b).filter(|t| !has(a)(t) && !step.contains(t)).count();
        prop_assert_eq!(missing, 0);
    }

    #[test]
    fn bundle_round_trip(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..256),
                         fewer: prop::sample::Index, cut: prop::sample::Index) {
        let mut bundle = Vec::new();
        for entry in &list {
            push_entry(&mut bundle, entry).unwrap();
        }
        let all = list.len() as u16;
        prop_assert_eq!(entries(&bundle, all).unwrap(), list.clone());
        let fewer = fewer.index(list.len() + 1);
        prop_assert_eq!(entries(&bundle, fewer as u16).unwrap(), &list[..fewer]);
        prop_assert!(entries(&bundle, all + 1).is_err());
        if !bundle.is_empty() {
            prop_assert!(entries(&bundle[..cut.index(bundle.len())], all).is_err());
        }
    }
}

#[test]
fn a_bundle_has_at_most_256_entries() {
    assert_eq!(entries(&[0; 512], 256).unwrap().len(), 256);
    assert!(entries(&[0; 514], 256).is_err());
}
