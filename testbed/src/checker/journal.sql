-- The card company's journal beside our books.
drop schema if exists checker cascade;
create schema checker;
create table checker.setting (dedupes boolean not null);
create table checker.entry (seq bigint primary key, entry jsonb not null);

-- What operators said was done. Where they named the transaction in which the company did it, that is looked for; where they did
-- not, their word stands for it.
create view checker.word as
select o.id as operation_id, o.payment_id, o.connector, w.transaction_key, q.amount,
    coalesce(w.transaction_key, 'word ' || o.id) as reference, m.mid as merchant, p.currency,
    case q.kind when 'CAPTURE' then 'captured' when 'CANCEL' then 'voided' else 'refunded' end as effect,
    p.state #>> '{approval,reference}' as approval,
    coalesce((select d ->> 'reference' from jsonb_array_elements(p.state -> 'deposits') d
        where d ->> 'key' = o.target_reference), p.state #>> '{account,reference}') as account
from operator_words w
join operations o on o.id = w.operation_id
join payments p on p.id = o.payment_id
join merchants m on m.id = p.merchant_id
-- What moved nothing has none.
join postings q on q.operation_id = o.id and q.kind in ('CAPTURE', 'CANCEL', 'REFUND', 'RETURN')
where w.word = 'settled';

-- Under which reference what was asked for, by which operation.
create view checker.asked as
select distinct a.reference, a.operation_id,
    case a.call when 'cancel' then 'voided' when 'capture' then 'captured' else 'refunded' end as effect
from attempts a where a.call in ('capture', 'cancel', 'refund', 'return')
union
select reference, operation_id, effect from checker.word;

-- Every effect on money, with the reference of the approval it belongs to.
create view checker.effect as
select seq, entry ->> 'effect' as effect, entry ->> 'merchantId' as merchant,
    coalesce(entry ->> 'originalReference', entry ->> 'reference') as reference,
    -- Under which it was asked for.
    entry ->> 'reference' as own_reference,
    (entry ->> 'amount')::bigint as amount,
    -- What was asked for, where the company moved something else.
    coalesce((entry ->> 'asked')::bigint, (entry ->> 'amount')::bigint) as asked,
    entry ->> 'currency' as currency
from checker.entry
where entry ->> 'effect' <> 'none' and coalesce(entry ->> 'method', 'card') <> 'virtual_account'
union all
select -row_number() over (order by operation_id), effect, merchant, approval, reference, amount, amount, currency
from checker.word where transaction_key is null and connector <> 'virtual_account';

-- Every effect on what is in an account to pay into.
create view checker.account_effect as
select seq, entry ->> 'effect' as effect, entry ->> 'originalReference' as account, entry ->> 'reference' as own_reference,
    (entry ->> 'amount')::bigint as amount, entry #>> '{details,pay_out,purpose}' as purpose,
    entry #>> '{details,pay_out,transactionKey}' as deposit
from checker.entry where entry ->> 'effect' <> 'none' and entry ->> 'method' = 'virtual_account'
union all
-- An operator's word names no deposit.
select -row_number() over (order by operation_id), 'paid_out', account, reference, amount, null, null
from checker.word where transaction_key is null and connector = 'virtual_account';

-- Every account that was opened, with our payment.
create view checker.issued as
select distinct on (e.entry ->> 'reference') e.entry ->> 'reference' as reference, o.payment_id,
    e.entry #>> '{details,issue,accountNumber}' as number
from checker.entry e
join attempts a on a.reference = e.entry ->> 'reference' and a.call = 'issue'
join operations o on o.id = a.operation_id
where e.entry ->> 'request' = 'issue' and e.entry ->> 'result' = 'approved' and e.entry -> 'details' is not null
order by e.entry ->> 'reference', e.seq desc;

-- Payments by such accounts, of which other queries tell.
create view checker.by_account as select distinct payment_id from operations where connector = 'virtual_account';

-- What became of the money, per reference of an approval. What seemed to go back and did not counts as if it had never gone.
create view checker.charge as
select reference, max(merchant) as merchant,
    count(*) filter (where effect = 'charged') as charges,
    count(*) filter (where effect = 'charged') - count(*) filter (where effect = 'reversed') as standing,
    coalesce(sum(amount) filter (where effect = 'charged'), 0)
        - coalesce(sum(amount) filter (where effect in ('reversed', 'voided', 'refunded')), 0)
        + coalesce(sum(amount) filter (where effect = 'restored'), 0) as net,
    coalesce(sum(amount) filter (where effect = 'charged'), 0)
        - coalesce(sum(amount) filter (where effect = 'reversed'), 0) as approved,
    coalesce(sum(amount) filter (where effect = 'voided'), 0)
        - coalesce(sum(amount) filter (where effect = 'restored' and of = 'voided'), 0) as voided,
    coalesce(sum(amount) filter (where effect = 'refunded'), 0)
        - coalesce(sum(amount) filter (where effect = 'restored' and of = 'refunded'), 0) as refunded,
    coalesce(sum(amount) filter (where effect = 'captured'), 0) as captured
from (
    select *, case when effect = 'restored' then (
        select b.effect from checker.effect b
        where b.own_reference = e.own_reference and b.effect in ('voided', 'refunded') limit 1) end as of
    from checker.effect e
) effects group by reference;

-- The same, per payment of ours.
create view checker.paid as
select o.payment_id, sum(c.charges) as charges, sum(c.standing) as standing, sum(c.net) as net,
    sum(c.approved) as approved, sum(c.voided) as voided, sum(c.refunded) as refunded, sum(c.captured) as captured
from checker.charge c
join (select distinct reference, operation_id from attempts where call = 'approve') a on a.reference = c.reference
join operations o on o.id = a.operation_id
group by o.payment_id;

-- What a cancel, refund or capture of ours did, per operation.
create view checker.change as
select a.operation_id, e.effect, count(*) as effects, sum(e.amount) as amount
from checker.effect e
join checker.asked a on a.reference = e.own_reference
where e.effect in ('captured', 'voided', 'refunded')
group by a.operation_id, e.effect;
