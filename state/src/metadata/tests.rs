//! The metadata's layout to the letter, and the comparison of a catalogue with the wanted stores.

use super::*;

fn specs() -> Vec<StoreSpec> {
    vec![
        StoreSpec::new("kv", StoreKind::KeyValue),
        StoreSpec::new("ids", StoreKind::Dedup { memory_hours: 25 }),
        StoreSpec::new("w", StoreKind::Window { retention_ms: 5 }).unlogged(),
    ]
}

fn loaded(writes: &[MetaWrite]) -> Metadata {
    let mut metadata = Metadata::default();
    for write in writes {
        metadata.take(&write.key, write.value.as_ref().unwrap()).unwrap();
    }
    metadata
}

#[test]
fn the_layout_is_a_tag_what_it_is_about_and_the_value() {
    let log_position = LogPosition { log_id: [9; 16], next: 258 };
    let cases: [(MetaWrite, &[u8], &[u8]); 6] = [
        (format(1), b"f", &[0, 0, 0, 1]),
        (stamp(2), b"s", &[0, 0, 0, 0, 0, 0, 0, 2]),
        (catalogue_entry(&specs()[1], 7), b"cids", &[0, 7, 4, 1, 0, 0, 0, 0, 0, 0, 0, 25]),
        (position(7, &log_position), b"p\0\x07", &[9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 1, 2]),
        (horizon(7, 3), b"h\0\x07", &[0, 0, 0, 0, 0, 0, 0, 3]),
        (bucket(7, 3, Some(4)), b"b\0\x07\x80\0\0\0\0\0\0\x03", &[0, 0, 0, 0, 0, 0, 0, 4]),
    ];
    for (write, key, value) in cases {
        assert_eq!((write.key.as_slice(), write.value.as_deref()), (key, Some(value)));
    }
}

#[test]
fn stores_keep_their_numbers_when_others_come_and_go() {
    let metadata = loaded(&[catalogue_entry(&specs()[0], 3), catalogue_entry(&specs()[1], 1)]);
    let wanted = [specs()[2].clone(), specs()[0].clone()];
    let plan = metadata.plan(&wanted).unwrap();
    assert_eq!(plan, Plan { numbers: vec![4, 3], new: vec![0], gone: vec![("ids".to_owned(), 1)], retouched: false });
}

#[test]
fn another_kind_is_refused_and_another_retention_is_not() {
    let metadata = loaded(&[catalogue_entry(&specs()[2], 0)]);
    let cases = [
        (StoreSpec::new("w", StoreKind::Window { retention_ms: 6 }).unlogged(), true),
        (StoreSpec::new("w", StoreKind::Window { retention_ms: 5 }), false),
        (StoreSpec::new("w", StoreKind::KeyValue).unlogged(), false),
    ];
    for (spec, is_accepted) in cases {
        let plan = metadata.plan(std::slice::from_ref(&spec));
        assert_eq!(plan.is_ok(), is_accepted, "{spec:?}");
        assert!(plan.is_err() || plan.unwrap().retouched);
    }
}

#[test]
fn damaged_metadata_is_noticed() {
    for (key, value) in [
        (&b""[..], &b""[..]),
        (b"f", b"x"),
        (b"z", b""),
        (b"p\0", b""),
        (b"c\xff", b""),
        (b"ckv", b"\0\0\x09\x01\0\0\0\0\0\0\0\0"),
    ] {
        assert_eq!(Metadata::default().take(key, value), None, "{key:?}");
    }
}
