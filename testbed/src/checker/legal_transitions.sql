-- Each event follows from the one before; after the end only a late approval and its way back.
with step as (
    select payment_id, version, type, state ->> 'status' as status,
        lag(state ->> 'status') over (partition by payment_id order by version) as before
    from payment_events
)
select * from step
where (version = 1 and (type <> 'payment.created' or status not in ('READY', 'IN_PROGRESS')))
    or (version > 1 and (before, status) not in (
        ('READY', 'IN_PROGRESS'), ('READY', 'ABORTED'), ('READY', 'EXPIRED'),
        ('IN_PROGRESS', 'IN_PROGRESS'), ('IN_PROGRESS', 'DONE'), ('IN_PROGRESS', 'ABORTED'), ('IN_PROGRESS', 'EXPIRED'),
        ('DONE', 'DONE'), ('ABORTED', 'ABORTED'), ('EXPIRED', 'EXPIRED')))
    or (before in ('DONE', 'ABORTED', 'EXPIRED') and type not in
        ('payment.late_approval', 'payment.reversed', 'operation.retry_scheduled', 'operation.unknown'))
