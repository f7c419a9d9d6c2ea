-- The ledger balances, has one posting for each transaction and none for anything else, and holds for each payment what the
-- card company's journal says.
select 'out of balance' as what, currency as place, sum(balance)::text as found, '0' as expected
from account_balances group by currency having sum(balance) <> 0
union all
-- Of each event that moves money there is one posting, and of each posting such an event.
select 'posting of an event', coalesce(e.payment_id, q.payment_id)::text || ' ' || coalesce(e.version, q.version)::text,
    q.kind, e.type
from (select * from payment_events
    where type in ('payment.done', 'cancel.done', 'payment.captured')
        and payment_id not in (select payment_id from checker.by_account)) e
full join (select * from postings where connector <> 'virtual_account') q on q.payment_id = e.payment_id and q.version = e.version
where q.kind is null or e.type is null
    or case e.type when 'payment.done' then q.kind <> 'PAYMENT' when 'payment.captured' then q.kind <> 'CAPTURE'
        else q.kind not in ('CANCEL', 'REFUND') end
union all
-- Computed anew from the card company's journal.
select 'balance of a payment', p.id::text, b.holds::text, j.holds::text
from payments p
left join lateral (
    select jsonb_build_object(
        'authorized', coalesce(sum(case when debit = 'authorized' then amount when credit = 'authorized' then -amount end), 0),
        'receivable', coalesce(sum(case when debit = 'receivable' then amount when credit = 'receivable' then -amount end), 0),
        'payable', coalesce(sum(case when debit = 'payable' then amount when credit = 'payable' then -amount end), 0)) as holds
    from postings q where q.payment_id = p.id
) b on true
left join lateral (
    -- Cards are approved first and bought later; everybody else owes us at once.
    select jsonb_build_object(
        'authorized', coalesce(sum(c.approved - c.voided - c.captured) filter (where m.captures), 0),
        'receivable', coalesce(sum(case when m.captures then c.captured - c.refunded
            else c.approved - c.voided - c.refunded end), 0),
        'payable', coalesce(sum(c.voided + c.refunded - c.approved), 0)) as holds
    from checker.paid c cross join lateral (select p.state #>> '{instrument,method}' = 'card' as captures) m
    where c.payment_id = p.id
) j on true
where b.holds <> j.holds
    -- What is wanted no more is reversed without ever having been posted; until then it is a person's.
    and p.status in ('DONE', 'PARTIAL_CANCELED', 'CANCELED')
    and p.id not in (select payment_id from checker.by_account)
union all
select 'tenant of a posting', q.payment_id::text, q.merchant_id::text, p.merchant_id::text
from postings q join payments p on p.id = q.payment_id
where q.merchant_id <> p.merchant_id or q.mode <> p.mode or q.currency <> p.currency
