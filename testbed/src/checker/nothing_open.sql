-- I3: of what was ended nothing is open: every reference that may have moved money was found out about.
select a.operation_id as operation, a.call, a.reference, o.status
from attempts a join operations o on o.id = a.operation_id
where a.call in ('approve', 'capture', 'cancel', 'refund', 'issue', 'close', 'return') and a.resolution is null
    and o.status in ('succeeded', 'failed')
    -- That somebody heard of it is a person's matter by then.
    and not exists (select 1 from cases c where c.reference = a.reference)
