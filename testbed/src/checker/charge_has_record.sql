-- Every effect at the card company belongs to exactly one operation of ours, of the same merchant, amount and currency; what
-- went back or was captured, to the one that asked for it under that reference, or of which an operator says so.
select e.*, a.operations
from checker.effect e
left join lateral (
    select count(distinct o.id) as operations,
        bool_and(o.amount = e.asked and p.currency = e.currency and m.mid = e.merchant) as agrees
    from attempts a
    join operations o on o.id = a.operation_id
    join payments p on p.id = o.payment_id
    join merchants m on m.id = p.merchant_id
    where a.call = 'approve' and a.reference = e.reference
) a on true
where a.operations <> 1
    -- What goes back is as much as moved, and that may have been another amount than ours.
    or (e.effect = 'charged' and not a.agrees)
union all
select e.*, c.operations
from checker.effect e
left join lateral (
    select count(distinct o.id) as operations,
        bool_and(e.currency = p.currency and m.mid = e.merchant
            and e.effect = a.effect
            -- How much is captured is what is left when it is asked for.
            and (a.effect = 'captured' or o.amount = e.amount)
            -- Of this very payment's approval.
            and e.reference = p.state #>> '{approval,reference}') as agrees
    from checker.asked a
    join operations o on o.id = a.operation_id
    join payments p on p.id = o.payment_id
    join merchants m on m.id = p.merchant_id
    where a.reference = e.own_reference
) c on true
where e.effect in ('captured', 'voided', 'refunded')
    and (c.operations <> 1 or not c.agrees)
    -- A card company that captures by itself is found out, and believed.
    and not (e.effect = 'captured' and c.operations = 0 and exists (
        select 1 from attempts a join operations o on o.id = a.operation_id join payments p on p.id = o.payment_id
        where a.reference = e.reference and a.call = 'approve' and p.state #>> '{capture,capturedAt}' is not null))
