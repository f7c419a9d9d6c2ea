-- Everything that was paid into an account at the bank, taken back or paid out of it is in our books, once: as a deposit, as an
-- operation that succeeded, in the payment's standing, and in the ledger; and nothing else is. What came back to an account after
-- it was paid out is a person's, who is told by a case.
with lost as (
    -- It went back, and was taken back after that.
    select p.id as payment_id,
        coalesce(sum((d ->> 'lost')::bigint) filter (where d -> 'because' is null), 0) as of_merchant,
        coalesce(sum((d ->> 'lost')::bigint) filter (where d -> 'because' is not null), 0) as of_payers
    from payments p left join lateral jsonb_array_elements(p.state -> 'deposits') d on true group by p.id
), told as (
    select payment_id from cases where kind = 'books_disagree' and detail ->> 'why' = 'balance'
), held as (
    select i.payment_id, coalesce(sum(e.amount) filter (where e.effect in ('deposited', 'restored')), 0)
        - coalesce(sum(e.amount) filter (where e.effect in ('taken_back', 'paid_out')), 0) as holds, count(e.seq) as effects
    from checker.issued i left join checker.account_effect e on e.account = i.reference
    group by i.payment_id
)
-- What the bank's journal has of deposits, `deposits` has, and the other way round.
select 'deposit' as what, coalesce(e.own_reference, d.transaction_key) as place, e.effect as there,
    d.fact || ' ' || d.amount as here
from (select * from checker.account_effect where effect in ('deposited', 'taken_back')) e
full join deposits d on d.transaction_key = e.own_reference and d.fact = e.effect
where (d.transaction_key is null and not (e.effect = 'deposited' and exists (
        -- It was gone before anybody looked.
        select from deposits gone where gone.transaction_key = e.own_reference and gone.fact = 'taken_back')))
    or e.seq is null or d.amount <> e.amount or d.reference <> e.account
union all
-- What was paid out was asked for by one operation, of that amount, which knows it.
select 'pay-out', e.own_reference, e.amount::text, o.kind || ' ' || o.status || ' ' || o.amount
from checker.account_effect e
left join lateral (
    select o.* from checker.asked a join operations o on o.id = a.operation_id
    where a.reference = e.own_reference and a.effect = 'refunded' limit 1) o on true
where e.effect = 'paid_out' and (o.id is null or o.amount <> e.amount or o.status <> 'succeeded'
    -- Out of the deposit that it is about, and for what.
    or (e.seq > 0 and e.purpose <> case o.kind when 'return_deposit' then 'return_deposit' else 'refund' end)
    or (e.seq > 0 and not exists (select from deposits d where d.transaction_key = e.deposit
        and d.payment_id = o.payment_id and (o.kind <> 'return_deposit' or d.transaction_key = o.target_reference))))
union all
select 'operation', o.id::text, count(e.seq)::text, o.kind || ' ' || o.status || ' ' || o.amount
from operations o join payments p on p.id = o.payment_id
left join checker.asked a on a.operation_id = o.id and a.effect = 'refunded'
left join checker.account_effect e on e.own_reference = a.reference and e.effect = 'paid_out'
where o.connector = 'virtual_account' and o.kind in ('cancel', 'return_deposit')
group by o.id, o.kind, o.status, o.amount
having count(distinct e.seq) <> case when o.status = 'succeeded' and (o.kind = 'return_deposit' or exists (
    select from attempts a where a.operation_id = o.id and a.call = 'refund' and a.resolution = 'approved')
    or exists (select from checker.word w where w.operation_id = o.id)) then 1 else 0 end
union all
-- The payment's own list says what `deposits` says.
select 'list of deposits', p.id::text, jsonb_array_length(coalesce(p.state -> 'deposits', '[]'))::text,
    count(distinct d.transaction_key)::text
from payments p left join deposits d on d.payment_id = p.id
group by p.id
having jsonb_array_length(coalesce(p.state -> 'deposits', '[]')) + coalesce((p.state ->> 'depositsGone')::integer, 0)
    <> count(distinct d.transaction_key)
union all
-- Where the payment says the money is, there it is.
select 'moneyState', p.id::text, h.holds || ' of ' || h.effects || ' effects', p.status || ' ' || p.money_state
from payments p join held h on h.payment_id = p.id join lost l on l.payment_id = p.id
where p.id not in (select payment_id from told) and case p.money_state
    when 'NOT_MOVED' then h.effects > 0
    when 'MOVED' then h.holds <= 0
    when 'REVERSED' then h.holds <> -(l.of_merchant + l.of_payers) or h.effects = 0
    when 'UNKNOWN' then not exists (
        select from operations o where o.payment_id = p.id and o.status in ('unknown', 'dead')
            and (o.letter = 'needs_person' or p.state -> 'disputed' ? o.id::text))
    end
union all
-- The ledger holds what the bank holds, and owes it to the merchant or to whoever paid it in.
select 'ledger', p.id::text, h.holds::text, jsonb_build_array(b.receivable, b.payable, b.returnable)::text
from payments p join held h on h.payment_id = p.id join lost l on l.payment_id = p.id
left join lateral (
    select coalesce(sum(case when debit = 'receivable' then amount when credit = 'receivable' then -amount end), 0) as receivable,
        coalesce(sum(case when debit = 'payable' then amount when credit = 'payable' then -amount end), 0) as payable,
        coalesce(sum(case when debit = 'returnable' then amount when credit = 'returnable' then -amount end), 0) as returnable
    from postings q where q.payment_id = p.id) b on true
where (b.receivable <> h.holds and p.id not in (select payment_id from told))
    or b.payable <> l.of_merchant - (case when p.status in ('DONE', 'PARTIAL_CANCELED') and l.of_merchant = 0
        then p.total_amount - p.canceled_amount else 0 end)
    or b.returnable <> l.of_payers - coalesce((select sum((d ->> 'amount')::bigint)
        from jsonb_array_elements(p.state -> 'deposits') d where d ->> 'standing' = 'owed'), 0)
union all
-- A payment waits for its deposit, or is paid, with the account that the bank opened for it.
select 'account', p.id::text, i.number, p.state #>> '{account,number}'
from payments p left join checker.issued i on i.reference = p.state #>> '{account,reference}'
where p.state ? 'account' and i.number is distinct from p.state #>> '{account,number}'
    and (select dedupes from checker.setting)
union all
-- The account of a payment that is over, or was not paid in time, is closed at the bank, or it is known who sees to that.
select 'open account', i.payment_id::text, i.reference, p.status || ' ' || p.money_state
from checker.issued i join payments p on p.id = i.payment_id
where (p.status in ('CANCELED', 'ABORTED', 'EXPIRED') or p.state #> '{account,expired}' = 'true')
    and not exists (select from checker.entry e where e.entry ->> 'request' = 'close'
        and e.entry ->> 'originalReference' = i.reference and (e.entry ->> 'result' = 'approved' or exists (
            select from checker.entry later where later.entry ->> 'request' = 'inquire'
                and later.entry ->> 'reference' = e.entry ->> 'reference' and later.entry ->> 'result' = 'approved')))
    -- It will be looked at for the first time since something happened to it.
    and not exists (select from account_looks l where l.reference = i.reference and l.looks = 0)
    and not exists (select from operations o where o.payment_id = p.id and o.status not in ('succeeded', 'failed'))
    and not exists (select from cases c where c.payment_id = p.id)
