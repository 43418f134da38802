//! What every registry of federations must do: folders and Postgres run the same functions.

use super::*;

/// Federations that these tests make.
pub const IDS: [&str; 3] = ["kx7dq2mbw4ta", "kx7dq2mbw4tb", "kx7dq2mbw4tc"];
const LIMIT: usize = 2;
/// Longer than any grace time.
const LATER_S: u64 = 1_000_000;

/// Makes the federation `id` with a record of its own, and with the first one's object `blobs/x`.
pub fn make(registry: &dyn FederationRegistry, id: &str) -> Result<(), StoreError> {
    begin(registry, id)?;
    registry.complete(id, LIMIT, 1)
}

fn begin(registry: &dyn FederationRegistry, id: &str) -> Result<(), StoreError> {
    let store = registry.begin(id, LIMIT, 0)?;
    store.commit(&[Write::Insert { key: "id".into(), value: id.as_bytes().to_vec() }])?;
    registry.give_object(id, "blobs/x", b"weights")
}

fn is_whole(registry: &dyn FederationRegistry, id: &str) -> bool {
    let store = registry.store(id).unwrap();
    let id_there = store.get("id").unwrap();
    id_there.as_deref() == Some(id.as_bytes()) && store.object("blobs/x").is_ok_and(|object| object == b"weights")
}

/// Two are made, and both end; `first` has an object `blobs/x` before.
pub fn federations_begin_and_end(first: &dyn Store, registry: &dyn FederationRegistry) {
    let [one, two, three] = IDS;
    assert!(!registry.is_used().unwrap() && registry.ids().unwrap().is_empty());
    begin(registry, one).unwrap();
    assert!(registry.ids().unwrap().is_empty(), "it is not there before it is complete");
    registry.complete(one, LIMIT, 1).unwrap();
    assert!(registry.is_used().unwrap());
    make(registry, two).unwrap();
    assert_eq!(registry.ids().unwrap(), [one, two]);
    assert!(is_whole(registry, one) && is_whole(registry, two));
    assert!(matches!(registry.begin(three, LIMIT, 2), Err(StoreError::Full(_))));

    registry.end(one, 3).unwrap();
    assert_eq!(registry.ids().unwrap(), [two]);
    for none in [one, three] {
        assert!(matches!(registry.end(none, 3), Err(StoreError::Missing(_))), "{none}");
    }
    registry.release(one).unwrap();
    registry.tidy(LATER_S).unwrap();
    make(registry, three).unwrap();
    assert_eq!(registry.ids().unwrap(), [two, three]);
    assert!(is_whole(registry, two) && is_whole(registry, three));
    assert_eq!(first.object("blobs/x").unwrap(), b"weights", "nothing of another one goes");
    assert_eq!(first.get("id").unwrap(), None, "no record of another one is the first one's");
    for id in [two, three] {
        registry.end(id, LATER_S).unwrap();
        registry.release(id).unwrap();
    }
    registry.tidy(2 * LATER_S).unwrap();
    assert!(registry.ids().unwrap().is_empty());
}

/// What is given up is nothing, and of three that are made at once no more are completed than there may be.
pub fn what_is_given_up_or_too_many_is_nothing(registry: &dyn FederationRegistry) {
    let [one, two, three] = IDS;
    begin(registry, one).unwrap();
    registry.give_up(one, 1).unwrap();
    registry.give_up(one, 1).unwrap();
    assert!(registry.complete(one, LIMIT, 1).is_err());
    assert!(registry.ids().unwrap().is_empty());
    registry.tidy(LATER_S).unwrap();
    for id in IDS {
        begin(registry, id).unwrap();
    }
    registry.complete(one, LIMIT, 1).unwrap();
    registry.complete(two, LIMIT, 1).unwrap();
    assert!(matches!(registry.complete(three, LIMIT, 1), Err(StoreError::Full(_))));
    registry.give_up(three, 1).unwrap();
    assert_eq!(registry.ids().unwrap(), [one, two]);
}
