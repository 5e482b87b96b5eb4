//! The store's compare-and-swap, on which leases and generations rest.

use futures_util::future::join_all;

use super::*;

const WRITERS: usize = 40;

against_both!(
    an_absent_object_is_created_once,
    an_object_is_replaced_only_by_who_has_seen_its_latest_version,
    an_object_is_deleted_only_by_who_has_seen_its_latest_version,
    deleting_what_is_not_there_is_no_error,
    an_update_of_what_was_deleted_is_refused,
    of_forty_that_create_one_wins,
    of_forty_that_replace_one_wins,
    of_forty_that_delete_or_replace_the_last_state_fits_the_winner,
);

async fn an_absent_object_is_created_once(store: Store) {
    let created = store
        .s3
        .put("locks/a.json", b"one".to_vec(), Condition::Absent, None)
        .await
        .unwrap();
    assert_eq!(
        store
            .s3
            .put("locks/a.json", b"two".to_vec(), Condition::Absent, None)
            .await
            .unwrap(),
        Written::Refused
    );
    let object = store.s3.get("locks/a.json", 100).await.unwrap().unwrap();
    assert_eq!(
        (object.body.as_slice(), Written::Stored(object.etag)),
        (&b"one"[..], created)
    );
}

async fn an_object_is_replaced_only_by_who_has_seen_its_latest_version(store: Store) {
    let first = put(&store.s3, "current.json", b"one").await;
    let Written::Stored(second) = store
        .s3
        .put(
            "current.json",
            b"two".to_vec(),
            Condition::Matches(&first),
            None,
        )
        .await
        .unwrap()
    else {
        panic!("the latest version was refused")
    };
    assert_ne!(first, second);
    assert_eq!(
        store
            .s3
            .put(
                "current.json",
                b"three".to_vec(),
                Condition::Matches(&first),
                None
            )
            .await
            .unwrap(),
        Written::Refused
    );
    assert_eq!(
        store
            .s3
            .get("current.json", 100)
            .await
            .unwrap()
            .unwrap()
            .body,
        b"two"
    );
}

async fn an_object_is_deleted_only_by_who_has_seen_its_latest_version(store: Store) {
    let first = put(&store.s3, "locks/a.json", b"one").await;
    let second = put(&store.s3, "locks/a.json", b"two").await;
    assert_eq!(
        store
            .s3
            .delete("locks/a.json", Condition::Matches(&first))
            .await
            .unwrap(),
        Removed::Refused
    );
    assert_eq!(
        store
            .s3
            .get("locks/a.json", 100)
            .await
            .unwrap()
            .unwrap()
            .body,
        b"two"
    );
    assert_eq!(
        store
            .s3
            .delete("locks/a.json", Condition::Matches(&second))
            .await
            .unwrap(),
        Removed::Gone
    );
    assert_eq!(store.s3.get("locks/a.json", 100).await.unwrap(), None);
}

async fn deleting_what_is_not_there_is_no_error(store: Store) {
    assert_eq!(
        store
            .s3
            .delete("locks/a.json", Condition::Always)
            .await
            .unwrap(),
        Removed::Gone
    );
    let gone = put(&store.s3, "locks/a.json", b"one").await;
    assert_eq!(
        store
            .s3
            .delete("locks/a.json", Condition::Always)
            .await
            .unwrap(),
        Removed::Gone
    );
    assert_eq!(
        store
            .s3
            .delete("locks/a.json", Condition::Matches(&gone))
            .await
            .unwrap(),
        Removed::Gone
    );
}

async fn an_update_of_what_was_deleted_is_refused(store: Store) {
    let etag = put(&store.s3, "locks/a.json", b"one").await;
    store
        .s3
        .delete("locks/a.json", Condition::Always)
        .await
        .unwrap();
    assert_eq!(
        store
            .s3
            .put(
                "locks/a.json",
                b"two".to_vec(),
                Condition::Matches(&etag),
                None
            )
            .await
            .unwrap(),
        Written::Refused
    );
    assert_eq!(store.s3.get("locks/a.json", 100).await.unwrap(), None);
}

async fn of_forty_that_create_one_wins(store: Store) {
    assert_one_wins(&store.s3, WRITERS, Condition::Absent).await;
}

async fn of_forty_that_replace_one_wins(store: Store) {
    let seen = put(&store.s3, "locks/a.json", b"before").await;
    assert_one_wins(&store.s3, WRITERS, Condition::Matches(&seen)).await;
}

pub(super) async fn assert_one_wins(s3: &S3, writers: usize, condition: Condition<'_>) {
    let bodies: Vec<_> = (0..writers)
        .map(|n| format!("writer {n}").into_bytes())
        .collect();
    let written = join_all(
        bodies
            .iter()
            .map(|body| s3.put("locks/a.json", body.clone(), condition, None)),
    )
    .await;
    let winners: Vec<_> = bodies
        .iter()
        .zip(written)
        .filter(|(_, written)| matches!(written.as_ref().unwrap(), Written::Stored(_)))
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(
        &s3.get("locks/a.json", 100).await.unwrap().unwrap().body,
        winners[0].0
    );
}

async fn of_forty_that_delete_or_replace_the_last_state_fits_the_winner(store: Store) {
    let seen = put(&store.s3, "locks/a.json", b"before").await;
    let deletes = join_all(
        (0..WRITERS / 2).map(|_| store.s3.delete("locks/a.json", Condition::Matches(&seen))),
    );
    let puts = join_all((0..WRITERS / 2).map(|n| {
        store.s3.put(
            "locks/a.json",
            vec![b'a'; n + 1],
            Condition::Matches(&seen),
            None,
        )
    }));
    let (deleted, put) = tokio::join!(deletes, puts);
    let stored = put
        .iter()
        .filter(|written| matches!(written.as_ref().unwrap(), Written::Stored(_)))
        .count();
    let deleted = deleted
        .iter()
        .filter(|removed| *removed.as_ref().unwrap() == Removed::Gone)
        .count();
    match store.s3.get("locks/a.json", 100).await.unwrap() {
        Some(_) => assert_eq!((stored, deleted), (1, 0)),
        None => assert!(
            stored == 0 && deleted > 0,
            "{stored} stored, {deleted} deleted"
        ),
    }
}
