-- An approval that succeeded has exactly one standing charge of its amount; one that failed has none; a net-cancel that
-- succeeded has left nothing standing under its reference. A cancel that succeeded has one effect of its amount, and one that
-- did not has none; a capture that succeeded was made once, by it or by the card company itself, and one that did not was not.
select o.id as operation, o.kind, o.status, o.amount, coalesce(c.standing, 0) as standing, c.approved as amount_there
from operations o
left join lateral (
    select sum(c.standing) as standing, sum(c.approved) as approved
    from checker.charge c
    where c.reference in (select a.reference from attempts a where a.operation_id = o.id and a.call = 'approve')
        -- A second approval under another reference, which a net-cancel of its own takes back.
        and not exists (select 1 from operations n where n.payment_id = o.payment_id and n.target_reference = c.reference)
) c on true
where o.kind = 'approve' and (
    (o.status = 'succeeded' and (coalesce(c.standing, 0) <> 1 or c.approved <> o.amount))
    or (o.status = 'failed' and coalesce(c.standing, 0) <> 0))
union all
select o.id, o.kind, o.status, o.amount, c.standing, c.net
from operations o join checker.charge c on c.reference = o.target_reference
where o.kind = 'net_cancel' and o.status = 'succeeded' and c.standing <> 0
union all
select o.id, o.kind, o.status, o.amount, coalesce(c.effects, 0), c.amount
from operations o
left join (select operation_id, sum(effects) as effects, sum(amount) as amount from checker.change group by operation_id) c
    on c.operation_id = o.id
where o.kind = 'cancel' and o.connector <> 'virtual_account' and (
    (o.status = 'succeeded' and (coalesce(c.effects, 0) <> 1 or c.amount <> o.amount))
    or (o.status in ('failed', 'dead') and coalesce(c.effects, 0) <> 0))
union all
select o.id, o.kind, o.status, o.amount, coalesce(c.effects, 0), paid.captured
from operations o
left join checker.change c on c.operation_id = o.id and c.effect = 'captured'
left join checker.paid on paid.payment_id = o.payment_id
where o.kind = 'capture' and (
    coalesce(c.effects, 0) > 1
    or (o.status = 'succeeded' and coalesce(paid.captured, 0) = 0)
    or (o.status in ('failed', 'dead') and coalesce(c.effects, 0) <> 0))
