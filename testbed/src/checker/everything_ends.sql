-- What was accepted has ended, or a letter says what a person has to do.
select p.id as payment, p.status, p.money_state, o.id as operation, o.kind, o.status as operation_status, o.letter
from payments p join operations o on o.payment_id = p.id
where (o.status in ('queued', 'processing', 'waiting', 'unknown', 'dead') and o.letter is null)
    or (o.kind = 'approve' and o.status = 'succeeded' and p.status not in ('DONE', 'PARTIAL_CANCELED', 'CANCELED'))
    or (o.kind = 'approve' and o.status = 'failed' and p.status <> 'ABORTED')
