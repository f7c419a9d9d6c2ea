-- Each event follows from the one before; after the end only a late approval and its way back, and what follows an approval.
with step as (
    select payment_id, version, type, state ->> 'status' as status,
        lag(state ->> 'status') over (partition by payment_id order by version) as before
    from payment_events
)
select * from step
where (version = 1 and (type <> 'payment.created' or status not in ('READY', 'IN_PROGRESS')))
    or (version > 1 and (before, status) not in (
        ('READY', 'READY'), ('READY', 'IN_PROGRESS'), ('READY', 'ABORTED'), ('READY', 'EXPIRED'),
        ('IN_PROGRESS', 'IN_PROGRESS'), ('IN_PROGRESS', 'DONE'), ('IN_PROGRESS', 'ABORTED'), ('IN_PROGRESS', 'EXPIRED'),
        ('IN_PROGRESS', 'WAITING_FOR_DEPOSIT'), ('WAITING_FOR_DEPOSIT', 'WAITING_FOR_DEPOSIT'),
        ('WAITING_FOR_DEPOSIT', 'DONE'), ('WAITING_FOR_DEPOSIT', 'CANCELED'),
        -- A refund of what was taken back meanwhile.
        ('WAITING_FOR_DEPOSIT', 'PARTIAL_CANCELED'), ('DONE', 'WAITING_FOR_DEPOSIT'),
        ('DONE', 'DONE'), ('DONE', 'PARTIAL_CANCELED'), ('DONE', 'CANCELED'),
        ('PARTIAL_CANCELED', 'PARTIAL_CANCELED'), ('PARTIAL_CANCELED', 'CANCELED'), ('CANCELED', 'CANCELED'),
        ('ABORTED', 'ABORTED'), ('EXPIRED', 'EXPIRED')))
    -- The status changes with these events only.
    or (version > 1 and before <> status and type not in ('payment.authenticated', 'payment.payer_canceled',
        'payment.expired', 'payment.done', 'payment.aborted', 'cancel.done', 'payment.waiting_for_deposit',
        'deposit.taken_back'))
    or (type = 'cancel.done' and status not in ('PARTIAL_CANCELED', 'CANCELED'))
    or (before in ('ABORTED', 'EXPIRED') and type not like 'deposit.%' and type not like 'account.%' and type not in
        ('payment.late_approval', 'payment.reversed', 'operation.retry_scheduled', 'operation.unknown')
        -- The return of what was paid into an account that was opened too late.
        and not (type in ('operation.dead', 'operation.rearmed') and payment_id in (select payment_id from deposits)))
    or (before in ('DONE', 'PARTIAL_CANCELED') and type not like 'deposit.%' and type not like 'account.%' and type not in
        ('payment.late_approval', 'payment.reversed', 'operation.retry_scheduled', 'operation.unknown',
        'operation.delayed', 'operation.dead', 'operation.rearmed', 'cancel.queued', 'cancel.done', 'cancel.aborted',
        'capture.queued', 'payment.captured', 'capture.done', 'capture.aborted'))
    -- Nothing changes a payment that nobody has paid for but that its payer looks at it.
    or (before = 'READY' and status = 'READY' and type <> 'checkout.scanned')
    -- All of it went back: only what was queued before comes to an end.
    or (before = 'CANCELED' and type not like 'deposit.%' and type not like 'account.%' and type not in
        ('payment.late_approval', 'payment.reversed', 'operation.retry_scheduled', 'operation.unknown',
        'operation.dead', 'operation.rearmed', 'capture.done', 'capture.aborted'))
