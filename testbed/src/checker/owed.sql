-- What is not settled, save what waits for a person; and letters that are not archived yet.
select o.id, o.kind, o.status, o.fence, o.claim_count, o.attempt_count, o.inquiry_count, o.due_at, o.letter, p.status as payment,
    p.money_state
from operations o join payments p on p.id = o.payment_id
where (o.status in ('queued', 'processing', 'waiting', 'unknown') and o.letter is distinct from 'needs_person')
    or (o.letter is not null and not exists (
        select 1 from dead_letters d where d.operation_id = o.id and d.fence = o.letter_fence))
