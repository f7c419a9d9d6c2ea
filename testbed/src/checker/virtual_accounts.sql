-- Everything that was paid into an account at the bank, taken back or paid out of it is in our books, once: as a deposit, as an
-- operation that succeeded, in the payment's standing, and in the ledger; and nothing else is.
with held as (
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
where e.effect = 'paid_out' and (o.id is null or o.amount <> e.amount or o.status <> 'succeeded')
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
having jsonb_array_length(coalesce(p.state -> 'deposits', '[]')) <> count(distinct d.transaction_key)
union all
-- Where the payment says the money is, there it is.
select 'moneyState', p.id::text, h.holds || ' of ' || h.effects || ' effects', p.status || ' ' || p.money_state
from payments p join held h on h.payment_id = p.id
where case p.money_state
    when 'NOT_MOVED' then h.effects > 0
    when 'MOVED' then h.holds <= 0
    when 'REVERSED' then h.holds <> 0 or h.effects = 0
    when 'UNKNOWN' then not exists (
        select from operations o where o.payment_id = p.id and o.status in ('unknown', 'dead') and o.letter = 'needs_person')
    end
union all
-- The ledger holds what the bank holds, and owes it to the merchant or to whoever paid it in.
select 'ledger', p.id::text, h.holds::text, jsonb_build_array(b.receivable, b.payable, b.returnable)::text
from payments p join held h on h.payment_id = p.id
left join lateral (
    select coalesce(sum(case when debit = 'receivable' then amount when credit = 'receivable' then -amount end), 0) as receivable,
        coalesce(sum(case when debit = 'payable' then amount when credit = 'payable' then -amount end), 0) as payable,
        coalesce(sum(case when debit = 'returnable' then amount when credit = 'returnable' then -amount end), 0) as returnable
    from postings q where q.payment_id = p.id) b on true
where b.receivable <> h.holds
    or b.payable <> -(case when p.status in ('DONE', 'PARTIAL_CANCELED') then p.total_amount - p.canceled_amount else 0 end)
    or b.returnable <> -coalesce((select sum((d ->> 'amount')::bigint)
        from jsonb_array_elements(p.state -> 'deposits') d where d ->> 'standing' = 'owed'), 0)
union all
-- A payment waits for its deposit, or is paid, with the account that the bank opened for it.
select 'account', p.id::text, i.number, p.state #>> '{account,number}'
from payments p left join checker.issued i on i.reference = p.state #>> '{account,reference}'
where p.state ? 'account' and i.number is distinct from p.state #>> '{account,number}'
    and (select dedupes from checker.setting)
