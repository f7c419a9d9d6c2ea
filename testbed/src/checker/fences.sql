-- Fences only rise: an attempt is made under a claim that its operation had, in order, and one approval at most per claim
-- and reference. What is decided was decided under the newest claim.
select o.id as operation, o.fence, a.fence as attempt_fence, a.call, a.reference, a.sent_at
from operations o
join (
    select *, lag(fence) over (partition by operation_id order by sent_at, id) as fence_before from attempts
) a on a.operation_id = o.id
where a.fence > o.fence or a.fence < 1 or o.letter_fence > o.fence
