-- Fences only rise: an attempt is made under a claim that its operation had, and a letter is owed by the decision of one. What is
-- decided was decided under the newest claim.
select o.id as operation, o.fence, a.fence as attempt_fence, a.call, a.reference, a.sent_at
from operations o join attempts a on a.operation_id = o.id
where a.fence > o.fence or a.fence < 1 or o.letter_fence > o.fence
