-- Every effect at the card company belongs to exactly one operation of ours, of the same merchant, amount and currency.
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
