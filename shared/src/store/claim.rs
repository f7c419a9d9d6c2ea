//! Claiming work.

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::{OperationRow, PaymentRow, json};
use super::{Store, StoreError, write};
use crate::domain::attempt::{Because, Call, Earlier, Manners, OpenAttempt, RefusedBecause};
use crate::domain::course::Claimed;
use crate::domain::id::{AttemptId, OperationId, Reference, WorkerId};
use crate::domain::operation::{CHANGE_WITHIN, CRASH_BUDGET, OperationKind};

/// An operation that a worker would like to claim.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Which.
    pub operation: OperationId,
    /// The id of the attempt, should one be sent.
    pub attempt: AttemptId,
    /// How far ahead of its due time its hint may come, in milliseconds.
    pub early_ms: i64,
    /// Whether an earlier claim of ours may have been carried out though its answer was lost.
    pub again: bool,
}

impl Store {
    /// Claims those of `wanted` that may be claimed, several in one statement: raises their fence, makes `worker` their
    /// owner, and writes down the attempt that will be sent, before any byte leaves. Returns them with their
    /// payments and the attempts whose outcome is open, and the database's time.
    ///
    /// Left out is what is not due, settled, somebody else's, or has an unsettled operation of its payment before it that it has
    /// to wait for; and everything, when the worker's own lease is out. Nothing waits for a net-cancel, and a net-cancel for its
    /// approval only: it is of a reference that nothing else is about. A change has its deadline from its first claim. An attempt is written down only when none is open, in time,
    /// and within the row's crash budget.
    ///
    /// # Errors
    /// When Postgres can't be reached; the claims may hold all the same, and are taken over in time.
    pub async fn claim(
        &self,
        worker: WorkerId,
        wanted: &[Wanted],
        manners: Manners,
    ) -> Result<Vec<(Claimed, OffsetDateTime)>, StoreError> {
        let ids: Vec<Uuid> = wanted.iter().map(|w| w.operation.0).collect();
        let attempts: Vec<Uuid> = wanted.iter().map(|w| w.attempt.0).collect();
        let early: Vec<i64> = wanted.iter().map(|w| w.early_ms).collect();
        let again: Vec<bool> = wanted.iter().map(|w| w.again).collect();
        let references: Vec<String> = wanted.iter().map(|w| Reference::of(w.attempt).0).collect();
        let doubtful: Vec<&str> =
            RefusedBecause::ALL.iter().filter(|why| why.is_doubtful()).map(|why| why.as_str()).collect();
        let changes: Vec<&str> =
            OperationKind::ALL.iter().filter(|kind| kind.is_change()).map(|kind| kind.as_str()).collect();
        let rows = write!(
            self,
            sqlx::query!(
                r#"
                with wanted as (
                    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $7::boolean[])
                        as w(id, attempt, reference, early_ms, again)
                ), seen as materialized (
                    select o.id, o.fence, o.status from operations o where o.id = any($1)
                ), due as (
                    select o.id, w.attempt, w.reference
                    from wanted w join seen s on s.id = w.id
                    -- A row that was claimed or recorded since this statement began is left alone: what it says would
                    -- be new, and the attempts that are read below would be old.
                    join operations o on o.id = w.id and o.fence = s.fence and o.status = s.status
                    where (
                            (o.status in ('queued', 'waiting', 'unknown')
                                and o.due_at <= now() + w.early_ms * interval '1 millisecond')
                            or (o.status = 'processing' and ((o.owner = $5 and w.again)
                                or o.claimed_at < now() - interval '60 seconds'
                                or not exists (select 1 from workers k where k.id = o.owner and k.alive_until > now())))
                        )
                        and not exists (
                            select 1 from operations e
                            where e.payment_id = o.payment_id and e.number < o.number
                                and e.kind <> 'net_cancel' and (o.kind <> 'net_cancel' or e.kind = 'approve')
                                and e.status in ('queued', 'processing', 'waiting', 'unknown'))
                        and exists (select 1 from workers k where k.id = $5 and k.alive_until > now())
                    order by o.id for update of o skip locked
                ), claimed as (
                    update operations o set status = 'processing', fence = o.fence + 1, owner = $5, claimed_at = now(),
                        claim_count = o.claim_count + 1,
                        deadline_at = case when o.fence = 0 and o.kind = any($9)
                            then greatest(o.deadline_at, now() + make_interval(secs => $10)) else o.deadline_at end,
                        nudge_at = now() + interval '60 seconds', nudge_count = 0
                    from due where o.id = due.id
                    returning o.*, due.attempt, due.reference
                ), open as (
                    select a.operation_id, jsonb_agg(jsonb_build_object(
                        'id', a.id, 'call', a.call, 'reference', a.reference,
                        'doubted', case when a.call <> 'approve' and a.answer = 'declined' and a.code = any($8) then a.code end,
                        'condemned', (select n.because from attempts n
                            where n.reference = a.reference and n.call = 'net_cancel' order by n.sent_at limit 1),
                        'sentAt', to_char(a.sent_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) order by a.sent_at) as attempts
                    from attempts a join claimed c on c.id = a.operation_id
                    where a.call not in ('inquire', 'net_cancel') and a.resolution is null
                    group by a.operation_id
                ), earlier as (
                    -- What never left us needs no asking; nor what a bank refused: it has no other words for its books. What was
                    -- done, and not taken, is asked about before anything is sent anew.
                    select e.operation_id, jsonb_agg(jsonb_build_object('call', e.call, 'reference', e.reference)
                        order by e.sent_at) as attempts
                    from (
                        select distinct on (a.operation_id, a.reference) a.operation_id, a.call, a.reference, a.sent_at
                        from attempts a join claimed c on c.id = a.operation_id
                        where c.kind = any($9) and a.call not in ('inquire', 'net_cancel')
                            and (a.resolution in ('not_moved', 'approved')
                                or (a.resolution = 'declined' and c.connector <> 'virtual_account'))
                            and coalesce(a.answer not in ('busy', 'not_sent'), true)
                        order by a.operation_id, a.reference, a.sent_at) e
                    group by e.operation_id
                ), sent as (
                    insert into attempts (id, operation_id, call, reference, fence, worker)
                    select c.attempt, c.id, 'approve', c.reference, c.fence, $5
                    from claimed c left join open on open.operation_id = c.id
                    where c.kind = 'approve' and open.operation_id is null and c.deadline_at > now()
                        and c.claim_count <= $6
                    returning id, operation_id, reference, sent_at
                )
                select c.id, c.payment_id, c.number, c.kind, c.connector, c.amount, c.target_reference, c.status, c.fence,
                    c.claim_count, c.attempt_count, c.inquiry_count, c.look_count, c.due_at, c.deadline_at, c.result,
                    c.result_version, c.letter, c.letter_reason, c.unknown_since, c.rearmed, c.trace_parent, c.created_at,
                    p.payment_key, p.checkout_id, p.merchant_id, m.mid, p.mode, p.source, p.order_id, p.order_name,
                    p.currency, p.total_amount, p.tax_free_amount, p.details, p.operation_count, p.version, p.state,
                    p.created_at as payment_created_at,
                    coalesce((select (extract(epoch from k.ahead) * 1000000)::bigint from merchant_clocks k
                        where k.merchant_id = p.merchant_id and k.mode = p.mode), 0) as "ahead_us!",
                    open.attempts as "open?", earlier.attempts as "earlier?", sent.id as "sent_id?", sent.reference as "sent_reference?",
                    sent.sent_at as "sent_at?", now() as "now!"
                from claimed c
                join payments p on p.id = c.payment_id
                join merchants m on m.id = p.merchant_id
                left join open on open.operation_id = c.id
                left join earlier on earlier.operation_id = c.id
                left join sent on sent.operation_id = c.id
                "#,
                &ids,
                &attempts,
                &references,
                &early,
                worker.0,
                CRASH_BUDGET,
                &again,
                &doubtful as _,
                &changes as _,
                CHANGE_WITHIN.as_seconds_f64(),
            ),
            fetch_all
        )?;
        let claims = rows.into_iter().map(|row| {
            let id = row.id;
            let claim = (|| {
                let open: Vec<OpenRow> =
                    row.open.map(|open| json(open, "attempts", "open", row.id)).transpose()?.unwrap_or_default();
                let earlier: Vec<EarlierRow> =
                    row.earlier.map(|rows| json(rows, "attempts", "earlier", row.id)).transpose()?.unwrap_or_default();
                let fresh = match (row.sent_id, row.sent_reference, row.sent_at) {
                    (Some(id), Some(reference), Some(sent_at)) => Some(OpenAttempt {
                        id: AttemptId(id),
                        call: Call::Approve,
                        doubted: None,
                        reference: Reference(reference),
                        sent_at,
                        condemned: None,
                    }),
                    _ => None,
                };
                let payment = PaymentRow {
                    id: row.payment_id,
                    payment_key: row.payment_key,
                    checkout_id: row.checkout_id,
                    merchant_id: row.merchant_id,
                    mid: row.mid,
                    mode: row.mode,
                    source: row.source,
                    order_id: row.order_id,
                    order_name: row.order_name,
                    currency: row.currency.clone(),
                    total_amount: row.total_amount,
                    tax_free_amount: row.tax_free_amount,
                    details: row.details,
                    operation_count: row.operation_count,
                    version: row.version,
                    state: row.state,
                    created_at: row.payment_created_at,
                    ahead_us: row.ahead_us,
                };
                let operation = OperationRow {
                    id: row.id,
                    payment_id: row.payment_id,
                    number: row.number,
                    kind: row.kind,
                    connector: row.connector,
                    amount: row.amount,
                    currency: row.currency,
                    target_reference: row.target_reference,
                    status: row.status,
                    fence: row.fence,
                    claim_count: row.claim_count,
                    attempt_count: row.attempt_count,
                    inquiry_count: row.inquiry_count,
                    look_count: row.look_count,
                    due_at: row.due_at,
                    deadline_at: row.deadline_at,
                    result: row.result,
                    result_version: row.result_version,
                    letter: row.letter,
                    letter_reason: row.letter_reason,
                    unknown_since: row.unknown_since,
                    rearmed: row.rearmed,
                    trace_parent: row.trace_parent,
                    created_at: row.created_at,
                };
                let claimed = Claimed {
                    operation: operation.into_operation()?,
                    payment: payment.into_payment()?,
                    open: open.into_iter().map(OpenRow::into_attempt).collect(),
                    earlier: earlier
                        .into_iter()
                        .map(|row| Earlier { call: row.call, reference: Reference(row.reference) })
                        .collect(),
                    fresh,
                    manners,
                };
                Ok((claimed, row.now))
            })();
            (OperationId(id), claim)
        });
        // One row that can't be read must not take down those that were claimed with it.
        Ok(claims
            .filter_map(|(operation, claim): (_, Result<_, StoreError>)| {
                claim
                    .inspect_err(
                        |error| tracing::error!(%operation, %error, "a row can't be read: it is left for a person"),
                    )
                    .ok()
            })
            .collect())
    }
}

/// An open attempt as the claim aggregates it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenRow {
    id: Uuid,
    call: Call,
    doubted: Option<RefusedBecause>,
    reference: String,
    #[serde(with = "time::serde::rfc3339")]
    sent_at: OffsetDateTime,
    condemned: Option<Because>,
}

/// A reference that was given up, as the claim aggregates it.
#[derive(serde::Deserialize)]
struct EarlierRow {
    call: Call,
    reference: String,
}

impl OpenRow {
    fn into_attempt(self) -> OpenAttempt {
        OpenAttempt {
            id: AttemptId(self.id),
            call: self.call,
            doubted: self.doubted,
            reference: Reference(self.reference),
            sent_at: self.sent_at,
            condemned: self.condemned,
        }
    }
}
