//! The invariants, each one query over Postgres and the card company's own journal: a row returned is a violation.
//!
//! Each file begins with the invariant in words; its number is the one that `docs/ARCHITECTURE.md` names it by. They hold
//! when everything is settled, and most of them always.

use sqlx::{AssertSqlSafe, PgPool, Row as _};

/// Rows shown per violated invariant.
const SHOWN_MAX: usize = 5;

/// The card company's journal as tables beside ours, loaded anew for each check.
const JOURNAL: &str = include_str!("journal.sql");

/// What is still owed: nothing, once all is settled.
const OWED: &str = include_str!("owed.sql");

const INVARIANTS: [(&str, &str); 17] = [
    ("I1: at most one charge per operation", include_str!("one_charge.sql")),
    ("I2: no charge without a record", include_str!("charge_has_record.sql")),
    ("I3: no record without a charge", include_str!("record_has_charge.sql")),
    ("I3: nothing of what ended is open", include_str!("nothing_open.sql")),
    ("I4: cancels and captures are what the card company did", include_str!("cancels.sql")),
    ("I5: the ledger balances and agrees with the card company", include_str!("ledger.sql")),
    ("I6: what was paid into accounts, and out of them, is in our books", include_str!("virtual_accounts.sql")),
    ("I7: amounts", include_str!("amounts.sql")),
    ("I8: everything accepted ends", include_str!("everything_ends.sql")),
    ("I8: what is approved is captured", include_str!("captured.sql")),
    ("I9: one key, one effect", include_str!("one_effect_per_key.sql")),
    ("I10: legal transitions only", include_str!("legal_transitions.sql")),
    ("I11: every version has its event", include_str!("no_event_lost.sql")),
    ("I13: what owes work is looked after", include_str!("nothing_forgotten.sql")),
    ("I13: every dead operation has a letter", include_str!("letters.sql")),
    ("I14: a stale worker can't write", include_str!("fences.sql")),
    ("moneyState agrees with the card company", include_str!("money_state.sql")),
];

/// What is owed and not done, one line each.
///
/// # Panics
/// When Postgres does not answer.
pub async fn owed(pool: &PgPool) -> Vec<String> {
    rows(pool, OWED).await
}

/// Every violation of every invariant, one line each. `journal` is the card company's, as it wrote it; `dedupes` says
/// whether it promises to recognise a reference it has seen.
///
/// # Panics
/// When Postgres does not answer, or the journal can't be read.
pub async fn violations(pool: &PgPool, journal: &str, dedupes: bool) -> Vec<String> {
    // A line that is being written has no end yet.
    let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
    let entries: Vec<serde_json::Value> =
        whole.lines().map(|line| serde_json::from_str(line).expect("the journal is JSON lines")).collect();
    sqlx::raw_sql(JOURNAL).execute(pool).await.expect("the journal's tables can be made");
    sqlx::query("insert into checker.setting (dedupes) values ($1)")
        .bind(dedupes)
        .execute(pool)
        .await
        .expect("it is set");
    let load = "insert into checker.entry select (entry ->> 'seq')::bigint, entry from unnest($1::jsonb[]) entry";
    sqlx::query(load).bind(entries).execute(pool).await.expect("the journal is loaded");

    let mut violations = Vec::new();
    for (name, query) in INVARIANTS {
        let rows = rows(pool, query).await;
        violations.extend(rows.iter().take(SHOWN_MAX).map(|row| format!("{name}: {row}")));
        if rows.len() > SHOWN_MAX {
            violations.push(format!("{name}: and {} more", rows.len() - SHOWN_MAX));
        }
    }
    violations
}

/// The rows of a query, as JSON.
async fn rows(pool: &PgPool, query: &str) -> Vec<String> {
    let json = format!("select to_jsonb(found)::text as found from ({query}\n) found");
    let rows = sqlx::query(AssertSqlSafe(json.as_str())).fetch_all(pool).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error} in {query}"));
    rows.iter().map(|row| row.get("found")).collect()
}
