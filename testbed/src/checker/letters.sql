-- Every operation that died has its letter, and every letter that is owed is written.
select o.id as operation, o.status, o.letter, o.letter_fence
from operations o
where (o.status = 'dead' or o.letter is not null)
    and not exists (select 1 from dead_letters d where d.operation_id = o.id and d.fence = o.letter_fence and d.kind = o.letter)
