-- What a payment says of its cancels and its capture is what the card company did: in all, and each of them; and what is
-- reserved is what cancels that have not ended will take. Never is more cancelled and reserved than was paid.
with told as (
    select p.id, p.total_amount, p.canceled_amount, p.reserved_amount, p.state,
        coalesce(sum((cancel ->> 'amount')::bigint) filter (where cancel #>> '{end,kind}' = 'CANCEL'), 0) as voided,
        coalesce(sum((cancel ->> 'amount')::bigint) filter (where cancel #>> '{end,kind}' = 'REFUND'), 0) as refunded,
        coalesce(sum((cancel ->> 'amount')::bigint) filter (where cancel -> 'end' is null), 0) as reserved,
        count(cancel) as cancels
    from payments p left join lateral jsonb_array_elements(p.state -> 'cancels') cancel on true
    group by p.id
)
select t.id as payment, t.total_amount, t.canceled_amount, t.reserved_amount, t.voided, t.refunded, t.reserved,
    c.voided as voided_there, c.refunded as refunded_there, c.captured as captured_there, t.state -> 'capture' as capture
from told t left join checker.paid c on c.payment_id = t.id
where t.canceled_amount <> t.voided + t.refunded or t.reserved_amount <> t.reserved
    or t.canceled_amount + t.reserved_amount > t.total_amount
    -- Of accounts to pay into, another query tells what the bank did.
    or (t.id not in (select payment_id from checker.by_account)
        and (t.voided <> coalesce(c.voided, 0) or t.refunded <> coalesce(c.refunded, 0)))
    or t.cancels <> (select count(*) from operations o where o.payment_id = t.id and o.kind = 'cancel')
    or (t.state #>> '{capture,capturedAt}' is not null) <> (coalesce(c.captured, 0) > 0
        and (c.approved - c.voided = c.captured))
union all
-- Each cancel has the operation that carries it out, of its amount, and ended as that did.
select o.payment_id, o.amount, null, null, null, null, null, null, null, null, cancel
from operations o join payments p on p.id = o.payment_id
left join lateral (
    select c as cancel from jsonb_array_elements(p.state -> 'cancels') c where c #>> '{work,id}' = o.id::text) c on true
where o.kind = 'cancel' and (cancel is null or (cancel ->> 'amount')::bigint <> o.amount
    or (cancel #>> '{end,outcome}') is distinct from
        case o.status when 'succeeded' then 'done' when 'failed' then 'aborted' end)
union all
-- The acquirer is asked for one change of a payment at a time.
select p.id, p.total_amount, null, null, null, null, null, null, null, null, jsonb_build_array(a.reference, b.reference)
from payments p
join operations o on o.payment_id = p.id join attempts a on a.operation_id = o.id
join operations later on later.payment_id = p.id and later.number > o.number
join attempts b on b.operation_id = later.id
where o.kind <> 'net_cancel' and later.kind <> 'net_cancel' and a.call <> 'inquire' and b.call <> 'inquire'
    and b.sent_at < a.sent_at
    -- One that was given up is done later, should somebody send it back.
    and not exists (select 1 from payment_events e where e.payment_id = p.id and e.type in ('operation.rearmed', 'deposit.refund_account_given'))
