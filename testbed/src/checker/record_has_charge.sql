-- An approval that succeeded has exactly one standing charge of its amount; one that failed has none; a net-cancel that
-- succeeded has left nothing standing under its reference.
select o.id as operation, o.kind, o.status, o.amount, coalesce(c.standing, 0) as standing, c.net
from operations o
left join lateral (
    select sum(c.standing) as standing, sum(c.net) as net
    from checker.charge c
    where c.reference in (select a.reference from attempts a where a.operation_id = o.id and a.call = 'approve')
        -- A second approval under another reference, which a net-cancel of its own takes back.
        and not exists (select 1 from operations n where n.payment_id = o.payment_id and n.target_reference = c.reference)
) c on true
where o.kind = 'approve' and (
    (o.status = 'succeeded' and (coalesce(c.standing, 0) <> 1 or c.net <> o.amount))
    or (o.status = 'failed' and coalesce(c.standing, 0) <> 0))
union all
select o.id, o.kind, o.status, o.amount, c.standing, c.net
from operations o join checker.charge c on c.reference = o.target_reference
where o.kind = 'net_cancel' and o.status = 'succeeded' and c.standing <> 0
