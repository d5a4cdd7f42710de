//! Tests of the tables of keys, of their values and of the hashes of both.

use super::*;

#[test]
fn no_two_values_of_a_key_have_the_same_hash() {
    let all_differ = |hashes: &[NameHash]| (1..hashes.len()).all(|at| hashes[at].position(&hashes[..at]).is_none());
    assert!(all_differ(KEY_HASHES) && all_differ(SHIFT_HASHES));
    for (key, list) in (0..).zip(VALUE_NAMES) {
        let hashes = value_hashes(key);
        assert_eq!(hashes.len(), name_list::count(list), "{list}");
        assert!(all_differ(hashes), "{list}");
        for (name, hash) in name_list::names(list).zip(hashes) {
            assert_eq!(NameHash::of(name), *hash, "{name}");
        }
    }
}

#[test]
fn values_are_in_the_order_of_the_enums() {
    for (key, names) in [
        (TASK, Task::NAMES),
        (INPUT, Input::NAMES),
        (CELL, Cell::NAMES),
        (POOL, Pooling::NAMES),
        (OUTPUT, Output::NAMES),
        (PACKING, Packing::NAMES),
    ] {
        assert_eq!(VALUE_NAMES[usize::from(key)], names);
    }
}
