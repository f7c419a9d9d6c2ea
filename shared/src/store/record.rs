//! Recording what claims came to: many in one commit.

mod bury;
mod columns;
mod payee;

use sqlx::Connection as _;
use time::{Duration, OffsetDateTime};

use self::bury::bury;
use self::columns::Columns;
use super::operation::HintOwed;
use super::row::{json, known, to_json};
use super::{Conn, Late, Store, StoreError, account_look, deposit, evidence, write};
use crate::domain::attempt::{AnswerWord, Call, Resolution};
use crate::domain::course::{Claimed, Decision, Next};
use crate::domain::event::PaymentEvent;
use crate::domain::id::{AttemptId, OperationId, PaymentId, Reference};
use crate::domain::ledger::{Posting, posting};
use crate::domain::operation::{OperationKind, OperationResult};
use crate::domain::payment::PaymentState;
use crate::domain::virtual_account::{Account, AccountEvent};

/// How long after a row is due the sweeper sends another hint, should the first have been lost.
const NUDGE_AFTER: Duration = Duration::seconds(5);

/// What one call to an acquirer brought, for its attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Which attempt.
    pub attempt: AttemptId,
    /// What was asked.
    pub call: Call,
    /// The answer, in a word.
    pub word: AnswerWord,
    /// The acquirer's code, or the fault.
    pub code: Option<String>,
    /// How long the answer took.
    pub latency_ms: i32,
}

/// What one claim came to, ready to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which operation.
    pub operation: OperationId,
    /// What it was to do.
    pub kind: OperationKind,
    /// Under which claim.
    pub fence: i64,
    /// Of which payment.
    pub payment: PaymentId,
    /// The version of the payment that the decision was made on.
    pub version: i64,
    /// How the payment stands afterwards; nothing when the event is none, or does not fit.
    pub state: Option<PaymentState>,
    /// Whether the payment takes the event as the claim saw it. If not it is decided again on how it stands by then.
    pub fits: bool,
    /// Whether it says that no money is out under a reference that an earlier claim may have sent: somebody else may have
    /// heard otherwise.
    pub may_be_contradicted: bool,
    /// Whether it says that a deposit went twice, as the claim saw its payment.
    pub went_twice: bool,
    /// What was decided.
    pub decision: Decision,
    /// What it moves between accounts.
    pub posting: Option<Posting>,
    /// The answer of the call that the claim wrote down.
    pub answered: Option<Answered>,
    /// The trace of the request that accepted the work, 32 hex digits.
    pub trace_id: String,
}

/// What became of an outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// It stands. The version the payment has now, and the operations whose turn it is next.
    Stands {
        /// The payment's version now.
        version: i64,
        /// How it stands.
        state: Option<Box<PaymentState>>,
        /// Whose turn it is next.
        next: Vec<HintOwed>,
        /// What was done about what others have heard that contradicts it.
        late: Late,
    },
    /// The claim was lost to somebody else: the decision is refused, the answer is kept.
    Refused {
        /// What was done about the answer.
        late: Late,
    },
    /// It says that a change was not made of which somebody else has heard that it was: it stays open, is asked after again,
    /// and a person's case says so.
    Doubted,
    /// The payment does not take what happened, which can't be: the operation is dead, with a letter that asks for a
    /// person, and an approval that was to be recorded is reversed.
    Unfit {
        /// What was done about the answer.
        late: Late,
    },
}

impl Outcome {
    /// What a claim came to, with how its payment stands afterwards.
    #[must_use]
    pub fn new(claimed: &Claimed, decision: Decision, answered: Option<Answered>, trace_id: String) -> Self {
        let Claimed { operation, payment, .. } = claimed;
        let state = decision.event.as_ref().map(|event| payment.state.on(event)).transpose();
        Self {
            operation: operation.id,
            kind: operation.kind,
            fence: operation.fence,
            payment: payment.id,
            version: payment.version,
            fits: state.is_ok(),
            state: state.ok().flatten(),
            posting: decision.event.as_ref().and_then(|event| posting(payment, event)),
            may_be_contradicted: operation.kind != OperationKind::NetCancel
                && decision.denies().is_some_and(|reference| claimed.was_sent(reference)),
            went_twice: decision.event.as_ref().is_some_and(|event| payment.state.went_twice(event).is_some()),
            decision,
            answered,
            trace_id,
        }
    }

    /// Whether the common statement is enough. What others have heard is weighed by a statement of its own, which sees
    /// all that was written before the payment was held; the common one sees only what was there when it began.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let looks = self.decision.looks || self.issued().is_some();
        let decision = &self.decision;
        let extra = looks || decision.case.is_some() || decision.refused.is_some() || self.went_twice;
        self.fits && !self.may_be_contradicted && !extra
    }

    /// The account that it had opened.
    const fn issued(&self) -> Option<&Account> {
        match &self.decision.event {
            Some(PaymentEvent::Account(AccountEvent::Issued { account })) => Some(account),
            Some(_) | None => None,
        }
    }

    /// When the sweeper should look after it, if work is still owed.
    fn nudge_at(&self) -> Option<OffsetDateTime> {
        self.decision.next.due_at().map(|due_at| due_at + NUDGE_AFTER)
    }

    fn result(&self) -> Option<&OperationResult> {
        match &self.decision.next {
            Next::Settled(result) => Some(result),
            Next::Waiting { .. } | Next::Unknown { .. } | Next::Dead => None,
        }
    }

    fn spent(&self) -> bool {
        match &self.decision.next {
            Next::Waiting { spent, .. } => *spent,
            // A settled try was a try.
            Next::Settled(_) => self.answered.is_some(),
            Next::Unknown { .. } | Next::Dead => false,
        }
    }

    fn inquired(&self) -> bool {
        matches!(self.decision.next, Next::Unknown { .. })
    }

    /// Whether its account is looked at for why it was refused.
    fn looked(&self) -> bool {
        self.decision.looks && matches!(self.decision.next, Next::Waiting { .. })
    }
}

impl Store {
    /// Records outcomes of different payments in one statement and one commit: operations, attempts, payments and
    /// events. All of them, or none. Returns the operations whose turn it is now that these are settled.
    ///
    /// # Errors
    /// [`StoreError::BatchDisagrees`] when a claim was lost, a payment has moved on, or an outcome needs more than this:
    /// then record them one by one. Unavailable: write them again until they are recorded or refused.
    pub async fn record_batch(&self, outcomes: &[Outcome]) -> Result<Vec<HintOwed>, StoreError> {
        if !outcomes.iter().all(Outcome::is_plain) {
            return Err(StoreError::BatchDisagrees);
        }
        let column = Columns::of(outcomes);
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with item as (
                    select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                        $6::boolean[], $7::boolean[], $8::jsonb[], $9::text[], $10::uuid[], $11::bigint[], $12::text[],
                        $13::text[], $14::jsonb[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[],
                        $20::uuid[], $21::text[], $22::text[], $23::integer[], $26::bigint[], $27::bigint[],
                        $28::timestamptz[], $29::text[], $30::text[], $31::text[], $32::bigint[], $33::text[])
                    as i(operation, fence, next, due_at, nudge_at, spent, inquired, result, letter, payment, version,
                        status, money_state, state, class, type, trace_id, reference, resolution, attempt, answer, code,
                        latency_ms, canceled, reserved, capture_at, posting, debit, credit, moved, letter_reason)
                ), locked as (
                    -- Every writer takes payments before operations, and payments in the order of their ids.
                    select p.id from payments p join item i on i.payment = p.id order by p.id for update of p
                ), operation as (
                    update operations o set status = i.next, owner = null, claimed_at = null, claim_count = 0,
                        attempt_count = o.attempt_count + i.spent::integer,
                        inquiry_count = o.inquiry_count + i.inquired::integer,
                        due_at = coalesce(i.due_at, o.due_at), nudge_at = i.nudge_at, nudge_count = 0,
                        result = i.result,
                        result_version = case when i.result is not null
                            then i.version + (i.status is not null)::integer end,
                        settled_at = case when i.result is not null then now() end,
                        unknown_since = case when i.next = 'unknown' then coalesce(o.unknown_since, now()) end,
                        letter = coalesce(i.letter, o.letter), letter_reason = coalesce(i.letter_reason, o.letter_reason),
                        letter_fence = case when i.letter is null then o.letter_fence else o.fence end
                    from item i join locked on locked.id = i.payment
                    where o.id = i.operation and o.fence = i.fence and o.status = 'processing'
                    returning o.id
                ), payment as (
                    update payments p set version = p.version + 1, status = i.status, money_state = i.money_state,
                        state = i.state, canceled_amount = i.canceled, reserved_amount = i.reserved,
                        capture_at = i.capture_at, updated_at = now(),
                        expires_at = case when i.status in ('READY', 'IN_PROGRESS') then p.expires_at end
                    from item i join operation o on o.id = i.operation
                    where p.id = i.payment and p.version = i.version and i.status is not null
                    returning p.id, p.version, p.merchant_id, p.mode, p.currency,
                        (select k.ahead from merchant_clocks k where k.merchant_id = p.merchant_id and k.mode = p.mode) as ahead
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select p.id, p.version, i.class, i.type, i.state, i.trace_id, p.ahead
                    from payment p join item i on i.payment = p.id
                    returning 1
                ), posting as (
                    insert into postings (payment_id, version, operation_id, merchant_id, mode, connector, kind, debit,
                        credit, currency, amount, posted_at)
                    select p.id, p.version, i.operation, p.merchant_id, p.mode, o.connector, i.posting, i.debit,
                        i.credit, p.currency, i.moved, now() + coalesce(p.ahead, '0')
                    from payment p join item i on i.payment = p.id join operations o on o.id = i.operation
                    where i.posting is not null
                ), attempt as (
                    -- By reference, whichever operation sent it: a net-cancel settles the attempts of an approval.
                    update attempts a set resolution = coalesce(i.resolution, a.resolution),
                        answered_at = case when a.id = i.attempt then now() else a.answered_at end,
                        answer = case when a.id = i.attempt then i.answer else a.answer end,
                        code = case when a.id = i.attempt then i.code else a.code end,
                        latency_ms = case when a.id = i.attempt then i.latency_ms else a.latency_ms end
                    from item i
                    where a.call not in ('inquire', 'net_cancel') and (a.id = i.attempt or a.reference = i.reference)
                ), next as (
                    select distinct on (o.payment_id, o.kind = 'net_cancel') o.id as operation, o.kind, o.status, o.connector, o.attempt_count, o.due_at, o.trace_parent
                    from item i join operations o on o.payment_id = i.payment
                    where o.id <> i.operation and o.status in ('queued', 'waiting', 'unknown')
                        and i.next in ('succeeded', 'failed', 'dead')
                    order by o.payment_id, o.kind = 'net_cancel', o.number
                )
                select naru_must_agree($24, (select count(*) from operation)) as "operations!",
                    naru_must_agree($25, (select count(*) from payment), (select count(*) from event)) as "payments!",
                    (select coalesce(jsonb_agg(to_jsonb(next)), '[]') from next) as "next!"
                "#,
                &column.operation,
                &column.fence,
                &column.next as _,
                &column.due_at as _,
                &column.nudge_at as _,
                &column.spent,
                &column.inquired,
                &column.result as _,
                &column.letter as _,
                &column.payment,
                &column.version,
                &column.status as _,
                &column.money_state as _,
                &column.state as _,
                &column.class as _,
                &column.kind as _,
                &column.trace_id as _,
                &column.reference as _,
                &column.resolution as _,
                &column.attempt as _,
                &column.answer as _,
                &column.code as _,
                &column.latency_ms as _,
                i64::try_from(outcomes.len()).unwrap_or(i64::MAX),
                column.moved,
                &column.canceled,
                &column.reserved,
                &column.capture_at as _,
                &column.posting as _,
                &column.debit as _,
                &column.credit as _,
                &column.amount as _,
                &column.letter_reason as _,
            ),
            fetch_one
        )?;
        HintOwed::from_json(row.next)
    }

    /// Records one outcome whatever it needs, in one transaction of several round trips: keeps the answer, refuses
    /// the decision of a lost claim (and then deals with an answer that says money moved), decides again when the
    /// payment has moved on, opens a case.
    ///
    /// # Errors
    /// Unavailable: write it again until it is recorded or refused.
    pub async fn record_one(&self, outcome: &Outcome) -> Result<Recorded, StoreError> {
        let mut conn = self.conn().await?;
        let transaction = async {
            let mut tx = conn.begin().await.map_err(StoreError::not_written)?;
            let recorded = record_in(&mut tx, outcome).await?;
            tx.commit().await.map_err(StoreError::write)?;
            Ok(recorded)
        };
        match tokio::time::timeout(super::ANSWER_WITHIN, transaction).await {
            Ok(done) => done,
            Err(_) => {
                conn.forget();
                Err(StoreError::write(super::error::no_answer()))
            }
        }
    }
}

async fn record_in(conn: Conn<'_>, outcome: &Outcome) -> Result<Recorded, StoreError> {
    // Payments before operations, as every writer takes them.
    let payment = sqlx::query!(
        "select version, state, operation_count, currency from payments where id = $1 for update",
        outcome.payment.0
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    let holds = sqlx::query_scalar!(
        r#"select (fence = $2 and status = 'processing') as "holds!" from operations where id = $1 for update"#,
        outcome.operation.0,
        outcome.fence,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    if let Some(answered) = &outcome.answered {
        keep_answer(&mut *conn, answered).await?;
    }
    let standing: PaymentState = json(payment.state, "payments", "state", outcome.payment)?;
    if !holds {
        let late = evidence::weigh_refused(&mut *conn, outcome).await?;
        return Ok(Recorded::Refused { late });
    }

    // The payment may have moved on since the claim: what happened is decided on how it stands now.
    let revised = payee::given_meanwhile(&mut *conn, outcome, payment.version, &standing).await?;
    let outcome = revised.as_ref().unwrap_or(outcome);
    let decision = &outcome.decision;
    let event = decision.event.as_ref();
    if event.is_some_and(|event| standing.on(event).is_err()) {
        let late = bury(&mut *conn, outcome, &standing).await?;
        return Ok(Recorded::Unfit { late });
    }
    if let (OperationKind::Cancel | OperationKind::Capture | OperationKind::ReturnDeposit, Some(reference)) =
        (outcome.kind, decision.denies())
        && evidence::was_made(&mut *conn, reference.as_str(), outcome.answered.as_ref().map(|a| a.attempt)).await?
    {
        evidence::open_case(&mut *conn, reference.as_str(), AnswerWord::Approved).await?;
        evidence::doubt(&mut *conn, outcome.operation).await?;
        return Ok(Recorded::Doubted);
    }
    // What contradicts the decision goes first: then nobody is ever told that no money is out while a reversal is owed.
    let late = weigh_decision(&mut *conn, outcome).await?;
    let (version, standing) = match late {
        Late::Reversing(_) => standing_of(&mut *conn, outcome.payment).await?,
        Late::Nothing | Late::Kept | Late::Case | Late::Looked => (payment.version, standing),
    };
    let next = event.map(|event| standing.on(event)).transpose().ok();
    let next = known(next, "payments", "state", outcome.payment)?;
    let version = version + i64::from(next.is_some());
    let result = decision.result_after(next.as_ref().unwrap_or(&standing));
    sqlx::query!(
        r#"update operations set status = $2, owner = null, claimed_at = null, claim_count = 0,
            attempt_count = attempt_count + $3::boolean::integer, inquiry_count = inquiry_count + $4::boolean::integer,
            due_at = coalesce($5, due_at), nudge_at = $6, nudge_count = 0, result = $7,
            result_version = case when $7::jsonb is not null then $8::bigint end,
            settled_at = case when $7::jsonb is not null then now() end,
            letter = coalesce($9, letter), letter_reason = coalesce($10, letter_reason),
            letter_fence = case when $9::text is null then letter_fence else fence end,
            unknown_since = case when $2 = 'unknown' then coalesce(unknown_since, now()) end,
            look_count = look_count + $11::boolean::integer
        where id = $1"#,
        outcome.operation.0,
        decision.next.status().as_str(),
        outcome.spent(),
        outcome.inquired(),
        decision.next.due_at() as _,
        outcome.nudge_at() as _,
        result.as_ref().map(to_json) as _,
        version,
        decision.letter.map(|letter| letter.kind.as_str()) as _,
        decision.letter.map(|letter| letter.reason.as_str()) as _,
        outcome.looked(),
    )
    .execute(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    if let (Some(next), Some(event)) = (&next, event) {
        move_payment(&mut *conn, outcome.payment, next, event, &outcome.trace_id).await?;
        if let Some(posting) = outcome.posting {
            post(&mut *conn, (outcome.payment, version), outcome.operation, posting).await?;
        }
        deposit::went_twice(&mut *conn, &standing, event).await?;
    }
    if let Some(reference) = &decision.refused {
        resolve(&mut *conn, reference, Resolution::Declined).await?;
    }
    if let Some((reference, kind)) = &decision.case {
        sqlx::query!(
            r#"insert into cases (id, payment_id, operation_id, reference, kind, detail)
            values (gen_random_uuid(), $1, $2, $3, $4, $5) on conflict on constraint cases_once do nothing"#,
            outcome.payment.0,
            outcome.operation.0,
            reference.as_str(),
            kind.as_str(),
            serde_json::json!({ "answer": outcome.answered.as_ref().map(|a| a.word.as_str()),
                "code": outcome.answered.as_ref().and_then(|a| a.code.clone()) }),
        )
        .execute(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    }
    if let Some(account) = outcome.issued() {
        account_look::begin(&mut *conn, outcome.payment, &account.reference, Some(account.due_at)).await?;
    }
    if decision.looks {
        account_look::at_once(&mut *conn, outcome.payment).await?;
    }
    let owed = match decision.next.status().is_unsettled() && revised.is_none() {
        true => Vec::new(),
        false => HintOwed::of_payment(&mut *conn, outcome.payment).await?,
    };
    Ok(Recorded::Stands { version, state: next.map(Box::new), next: owed, late })
}

/// Writes what became of the attempts, and queues a reversal when somebody has heard otherwise.
async fn weigh_decision(conn: Conn<'_>, outcome: &Outcome) -> Result<Late, StoreError> {
    if let Some((reference, resolution)) = &outcome.decision.resolved {
        resolve(&mut *conn, reference, *resolution).await?;
    }
    match (outcome.kind, outcome.decision.denies()) {
        (
            OperationKind::Approve
            | OperationKind::Cancel
            | OperationKind::Capture
            | OperationKind::IssueAccount
            | OperationKind::CloseAccount
            | OperationKind::ReturnDeposit,
            Some(reference),
        ) => {
            let own = outcome.answered.as_ref().map(|answered| answered.attempt);
            evidence::weigh_decision(conn, reference.as_str(), own, &outcome.trace_id).await
        }
        (
            OperationKind::Approve
            | OperationKind::Cancel
            | OperationKind::Capture
            | OperationKind::NetCancel
            | OperationKind::IssueAccount
            | OperationKind::CloseAccount
            | OperationKind::ReturnDeposit,
            _,
        ) => Ok(Late::Nothing),
    }
}

/// Writes what an outcome moves between accounts, beside the event of that version.
pub(super) async fn post(
    conn: Conn<'_>,
    (payment, version): (PaymentId, i64),
    operation: OperationId,
    posting: Posting,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"insert into postings (payment_id, version, operation_id, merchant_id, mode, connector, kind, debit, credit,
            currency, amount, posted_at)
        select p.id, $2, o.id, p.merchant_id, p.mode, o.connector, $4, $5, $6, p.currency, $7,
            now() + coalesce(k.ahead, '0')
        from payments p join operations o on o.id = $3
        left join merchant_clocks k on k.merchant_id = p.merchant_id and k.mode = p.mode where p.id = $1"#,
        payment.0,
        version,
        operation.0,
        posting.kind.as_str(),
        posting.debit.as_str(),
        posting.credit.as_str(),
        posting.amount,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// The version of a payment whose row the transaction holds, and how it stands.
async fn standing_of(conn: Conn<'_>, payment: PaymentId) -> Result<(i64, PaymentState), StoreError> {
    let row = sqlx::query!("select version, state from payments where id = $1", payment.0)
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    Ok((row.version, json(row.state, "payments", "state", payment)?))
}

/// Writes what became of a reference to every attempt that used it.
async fn resolve(conn: Conn<'_>, reference: &Reference, resolution: Resolution) -> Result<(), StoreError> {
    sqlx::query!(
        r#"update attempts set resolution = $2
        where reference = $1 and call not in ('inquire', 'net_cancel')"#,
        reference.as_str(),
        resolution.as_str(),
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// Evidence is never fenced.
pub(super) async fn keep_answer(conn: Conn<'_>, answered: &Answered) -> Result<(), StoreError> {
    sqlx::query!(
        r#"update attempts set answered_at = now(), answer = $2, code = $3, latency_ms = $4
        where id = $1 and answered_at is null"#,
        answered.attempt.0,
        answered.word.as_str(),
        answered.code,
        answered.latency_ms,
    )
    .execute(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// Moves a payment, whose row the transaction holds, one version on.
pub(super) async fn move_payment(
    conn: Conn<'_>,
    payment: PaymentId,
    next: &PaymentState,
    event: &PaymentEvent,
    trace_id: &str,
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"
        with payment as (
            update payments set version = version + 1, status = $2, money_state = $3, state = $4, updated_at = now(),
                canceled_amount = $8, reserved_amount = $9, capture_at = $10,
                expires_at = case when $2 in ('READY', 'IN_PROGRESS') then expires_at end
            where id = $1 returning id, version, merchant_id, mode
        )
        insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
        select p.id, p.version, $5, $6, $4, $7, k.ahead
        from payment p left join merchant_clocks k on k.merchant_id = p.merchant_id and k.mode = p.mode
        returning version
        "#,
        payment.0,
        next.status().as_str(),
        next.money_state.as_str(),
        to_json(next),
        event.class().as_str(),
        event.name(),
        trace_id,
        next.canceled,
        next.reserved,
        next.capture_at() as _,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)
}
