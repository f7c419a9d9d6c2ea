-- A row that owes work is claimed, waiting, or has been nudged within a minute of when it was to be.
select id as operation, status, due_at, nudge_at
from operations
where status in ('queued', 'processing', 'waiting', 'unknown') and nudge_at < now() - interval '60 seconds'
