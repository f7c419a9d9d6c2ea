-- I8: what was approved by an acquirer that buys sales slips is bought, will be asked for, or a person was told.
select p.id as payment, p.state -> 'capture' as capture
from payments p
where p.status in ('DONE', 'PARTIAL_CANCELED') and p.state ? 'capture' and p.capture_at is null
    and p.state -> 'capture' -> 'work' is null and p.state -> 'capture' ->> 'capturedAt' is null
    and not exists (
        select 1 from operations o where o.payment_id = p.id and o.kind = 'capture' and (o.letter = 'needs_person'
            or exists (select 1 from operator_words w where w.operation_id = o.id)))
