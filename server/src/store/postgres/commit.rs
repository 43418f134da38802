//! A commit: one transaction, with its conditions.

use tokio_postgres::IsolationLevel;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::pool::{Pooled, failed};
use crate::store::{StoreError, Write, end_of};

/// Makes all `writes` or none.
///
/// A transaction sees what is committed when each of its statements begins, and every record that it expects something of is locked
/// until it ends: shared, so that those who expect the same do not wait for one another, or alone where it changes the record, too.
pub(super) async fn commit(client: &mut Pooled, federation: &String, writes: &[Write]) -> Result<(), StoreError> {
    let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await;
    let transaction = transaction.map_err(|error| failed(&error))?;
    for write in writes {
        make(&transaction, federation, writes, write).await?;
    }
    transaction.commit().await.map_err(|error| failed(&error))
}

async fn make(
    transaction: &Transaction<'_>,
    federation: &String,
    writes: &[Write],
    write: &Write,
) -> Result<(), StoreError> {
    match write {
        Write::Put { key, value } if is_expected_absent(writes, key) => {
            // There is no record to lock: who adds it first wins.
            if insert(transaction, federation, key, value).await? {
                Ok(())
            } else {
                Err(StoreError::Conflict(key.clone()))
            }
        }
        Write::Put { key, value } => {
            let put = "insert into emofed_records (federation, key, value) values ($1, $2, $3) \
                       on conflict (federation, key) do update set value = excluded.value";
            let values = [(federation as _, Type::TEXT), (key as _, Type::TEXT), (value as _, Type::BYTEA)];
            transaction.query_typed(put, &values).await.map(|_| ()).map_err(|error| failed(&error))
        }
        Write::Insert { key, value } => {
            if insert(transaction, federation, key, value).await? {
                Ok(())
            } else {
                Err(StoreError::Exists(key.clone()))
            }
        }
        Write::Delete { key } => {
            let delete = "delete from emofed_records where federation = $1 and key = $2";
            let values = [(federation as _, Type::TEXT), (key as _, Type::TEXT)];
            transaction.query_typed(delete, &values).await.map(|_| ()).map_err(|error| failed(&error))
        }
        Write::Expect { key, value } => {
            // Locked alone at once where it is changed: two who share it and then want it alone would wait for one another.
            let lock = if is_changed(writes, key) { "for update" } else { "for share" };
            let select = format!("select value from emofed_records where federation = $1 and key = $2 {lock}");
            let values = [(federation as _, Type::TEXT), (key as _, Type::TEXT)];
            let found = transaction.query_typed(&select, &values).await.map_err(|error| failed(&error))?;
            let found: Option<&[u8]> = found.first().map(|row| row.get(0));
            if found == value.as_deref() { Ok(()) } else { Err(StoreError::Conflict(key.clone())) }
        }
        Write::AtMost { prefix, limit } => {
            // One at a time, so that the records of all who were before are counted.
            let name = format!("{federation}/at-most/{prefix}");
            let lock = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
            transaction.query_typed(lock, &[(&name, Type::TEXT)]).await.map_err(|error| failed(&error))?;
            let count = "select count(*) from emofed_records where federation = $1 and key >= $2 and key < $3";
            let end = end_of(prefix);
            let values = [(federation as _, Type::TEXT), (prefix as _, Type::TEXT), (&end as _, Type::TEXT)];
            let count = transaction.query_typed(count, &values).await.map_err(|error| failed(&error))?;
            let count: i64 = count.first().map_or(0, |row| row.get(0));
            if u64::try_from(count).unwrap_or(0) > *limit { Err(StoreError::Full(prefix.clone())) } else { Ok(()) }
        }
    }
}

/// Adds a record, unless there is one. Waits for whoever is adding it at the moment.
async fn insert(
    transaction: &Transaction<'_>,
    federation: &String,
    key: &String,
    value: &Vec<u8>,
) -> Result<bool, StoreError> {
    let insert =
        "insert into emofed_records (federation, key, value) values ($1, $2, $3) on conflict do nothing returning 1";
    let values = [(federation as _, Type::TEXT), (key as _, Type::TEXT), (value as _, Type::BYTEA)];
    let added = transaction.query_typed(insert, &values).await.map_err(|error| failed(&error))?;
    Ok(!added.is_empty())
}

fn is_expected_absent(writes: &[Write], wanted: &str) -> bool {
    writes.iter().any(|write| matches!(write, Write::Expect { key, value: None } if key == wanted))
}

fn is_changed(writes: &[Write], wanted: &str) -> bool {
    writes.iter().any(|write| match write {
        Write::Put { key, .. } | Write::Insert { key, .. } | Write::Delete { key } => key == wanted,
        Write::Expect { .. } | Write::AtMost { .. } => false,
    })
}
