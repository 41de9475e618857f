//! The overlay alone: undo, settling, eviction. Its agreement with a model is tested through `TaskState`.

use std::ops::Bound;

use super::{Known, Overlay};
use crate::backend::Family;

const F: Family = Family(0);
const G: Family = Family(1);
const ALL: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

/// Commits and writes.
fn commit(overlay: &mut Overlay) {
    overlay.settle();
    overlay.written();
}

fn changes(overlay: &Overlay, family: Family) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    overlay
        .with_changes_in(family, ALL, |changes| changes.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect())
}

#[test]
fn a_rollback_restores_absent_clean_and_dirty_slots() {
    for scanned_first in [false, true] {
        let mut overlay = Overlay::new(2, 1 << 20);
        overlay.put(F, b"clean", Some(b"1"));
        commit(&mut overlay);
        overlay.put(F, b"dirty", Some(b"2"));
        if scanned_first {
            assert_eq!(changes(&overlay, F).len(), 1);
        }
        let before = (overlay.dirty_bytes(), overlay.clean_bytes());
        overlay.begin_record();
        overlay.put(F, b"clean", Some(b"11"));
        overlay.put(F, b"clean", None);
        overlay.put(F, b"dirty", Some(b"22"));
        overlay.put(F, b"dirty", Some(b"222"));
        overlay.put(F, b"absent", Some(b"3"));
        overlay.put(G, b"absent", None);
        overlay.rollback_record();
        assert_eq!(overlay.get(F, b"clean"), Known::Value(b"1"));
        assert_eq!(overlay.get(F, b"dirty"), Known::Value(b"2"));
        assert_eq!(overlay.get(F, b"absent"), Known::Nothing);
        assert_eq!(changes(&overlay, F), [(b"dirty".to_vec(), Some(b"2".to_vec()))]);
        assert_eq!(changes(&overlay, G), []);
        assert_eq!((overlay.dirty_bytes(), overlay.clean_bytes()), before);
    }
}

#[test]
fn a_held_change_survives_rollback_discard_and_a_write_in_mid_transaction() {
    let held =
        |overlay: &Overlay| -> Vec<_> { overlay.sorted_held().iter().map(|write| write.value.map(<[u8]>::to_vec)).collect() };
    let mut overlay = Overlay::new(2, 1 << 20);
    overlay.put(F, b"a", Some(b"1"));
    overlay.put(F, b"b", None);
    overlay.settle();
    let bytes = overlay.held_bytes();
    for is_in_record in [true, false] {
        if is_in_record {
            overlay.begin_record();
        }
        overlay.put(F, b"a", Some(b"22"));
        overlay.put(F, b"a", None);
        overlay.put(F, b"b", Some(b"2"));
        assert_eq!(changes(&overlay, F), [(b"a".to_vec(), None), (b"b".to_vec(), Some(b"2".to_vec()))]);
        if is_in_record {
            overlay.rollback_record();
        } else {
            assert_eq!(held(&overlay), [Some(b"1".to_vec()), None]);
            overlay.discard();
        }
        assert_eq!((overlay.get(F, b"a"), overlay.get(F, b"b")), (Known::Value(b"1"), Known::Deleted));
        assert_eq!(held(&overlay), [Some(b"1".to_vec()), None]);
        assert_eq!((overlay.dirty_bytes(), overlay.held_bytes()), (0, bytes));
    }
    overlay.put(F, b"a", Some(b"3"));
    overlay.written();
    assert_eq!((overlay.held_bytes(), held(&overlay).len()), (0, 0));
    assert_eq!(changes(&overlay, F), [(b"a".to_vec(), Some(b"3".to_vec()))], "the transaction's change stays");
    overlay.discard();
    assert_eq!((overlay.get(F, b"a"), changes(&overlay, F).len()), (Known::Nothing, 0), "the disk has it");
}

#[test]
fn settled_entries_stay_readable_and_deletes_do_not() {
    let mut overlay = Overlay::new(2, 1 << 20);
    overlay.put(F, b"a", Some(b"1"));
    overlay.put(F, b"b", None);
    commit(&mut overlay);
    assert!(!overlay.is_dirty());
    assert_eq!(overlay.get(F, b"a"), Known::Value(b"1"));
    assert_eq!(overlay.get(F, b"b"), Known::Nothing);
    assert_eq!(overlay.dirty_bytes(), 0);
}

#[test]
fn a_discard_drops_the_changes_even_of_an_open_record() {
    let mut overlay = Overlay::new(2, 1 << 20);
    overlay.put(F, b"a", Some(b"1"));
    overlay.begin_record();
    overlay.put(F, b"b", Some(b"1"));
    overlay.discard();
    assert_eq!(overlay.get(F, b"a"), Known::Nothing);
    assert_eq!(overlay.get(F, b"b"), Known::Nothing);
    assert!(!overlay.is_dirty() && overlay.dirty_bytes() == 0 && !overlay.is_record_open());
}

#[test]
fn clean_entries_keep_to_their_bytes_and_the_used_ones_stay() {
    let mut overlay = Overlay::new(1, 20_000);
    for round in 0..50_u32 {
        for entry in 0..20_u32 {
            let key = (round * 100 + entry).to_be_bytes();
            overlay.put(F, &key, Some(&[7; 100]));
        }
        overlay.put(F, b"hot", Some(&round.to_be_bytes()));
        commit(&mut overlay);
        assert!(overlay.clean_bytes() <= 20_000, "round {round}");
        assert_ne!(overlay.get(F, b"hot"), Known::Nothing, "round {round}");
    }
}

#[test]
fn writing_what_is_there_is_no_change() {
    let mut overlay = Overlay::new(1, 1 << 20);
    overlay.put(F, b"a", Some(b"1"));
    commit(&mut overlay);
    overlay.put(F, b"a", Some(b"1"));
    assert!(!overlay.is_dirty());
}

#[test]
fn changes_come_in_order_of_family_and_key() {
    let mut overlay = Overlay::new(2, 0);
    for (family, key) in [(G, "b"), (F, "z"), (G, "a"), (F, "c")] {
        overlay.put(family, key.as_bytes(), Some(b""));
    }
    let order: Vec<_> = overlay.sorted_changes().iter().map(|change| (change.family, change.key.to_vec())).collect();
    assert_eq!(order, [(F, b"c".to_vec()), (F, b"z".to_vec()), (G, b"a".to_vec()), (G, b"b".to_vec())]);
}
