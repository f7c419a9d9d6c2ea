-- What a shop sells for, and everything that ever happened to it.
--
-- `payments` holds where a payment stands now; `payment_events` holds every version it ever had. A change is
-- one statement that raises `version` by one, under the row's lock, and appends the event of that version. So
-- the events of a payment have no holes, and SSE, webhooks and the JSON event list are doors to one log.

create table payments (
    id            uuid        primary key,
    -- What merchants call it on the wire. Random: it is also the only secret between two strangers' payments.
    payment_key   text        not null constraint payments_payment_key_unique unique,
    -- What a payer's page calls it: carried by `checkout.url`, good for this one payment.
    checkout_id   text        not null constraint payments_checkout_id_unique unique,
    merchant_id   uuid        not null references merchants (id),
    mode          text        not null,
    source        text        not null,

    order_id      text        not null,
    order_name    text        not null,
    currency      text        not null,
    -- Integers in the currency's minor unit (won have none).
    total_amount    bigint    not null,
    tax_free_amount bigint    not null default 0,
    -- What else the merchant gave at creation and nothing ever changes: redirect addresses, customer, metadata.
    details       jsonb       not null default '{}',

    -- How many operations it ever had: the next one's number.
    operation_count integer   not null default 0,
    -- Raised by one with every change; the number of its newest event.
    version       bigint      not null default 1,
    -- `state` is the whole standing of the payment as the domain writes it; the two columns beside it repeat
    -- what queries and constraints need, and may not disagree with it.
    status        text        not null,
    money_state   text        not null,
    state         jsonb       not null,

    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    -- When READY or IN_PROGRESS ends by itself, unless an operation is unsettled. Null once nothing can expire.
    expires_at    timestamptz,

    constraint payments_mode check (mode in ('test', 'live')),
    constraint payments_source check (source in ('checkout', 'key_in')),
    constraint payments_status check (status in ('READY', 'IN_PROGRESS', 'DONE', 'ABORTED', 'EXPIRED')),
    constraint payments_money_state check (money_state in ('NOT_MOVED', 'MOVED', 'REVERSED', 'UNKNOWN')),
    constraint payments_state_agrees check (state ->> 'status' = status and state ->> 'moneyState' = money_state),
    constraint payments_done_means_moved check (status <> 'DONE' or money_state in ('MOVED', 'UNKNOWN')),
    constraint payments_moved_means_done check (money_state <> 'MOVED' or status = 'DONE'),
    constraint payments_open_expires check ((status in ('READY', 'IN_PROGRESS')) = (expires_at is not null)),
    constraint payments_currency check (currency in ('KRW')),
    constraint payments_amount check (total_amount > 0),
    constraint payments_tax_free check (tax_free_amount between 0 and total_amount),
    constraint payments_order_id check (order_id ~ '^[A-Za-z0-9_=.@-]{6,64}$'),
    constraint payments_order_name check (char_length(order_name) between 1 and 100),
    constraint payments_version check (version >= 1)
);

-- One living payment per order: a second attempt is welcome once the first ended without money.
create unique index payments_one_per_order on payments (merchant_id, mode, order_id)
    where status not in ('ABORTED', 'EXPIRED');
create index payments_by_order on payments (merchant_id, mode, order_id, created_at desc);
create index payments_by_merchant on payments (merchant_id, mode, created_at desc, id desc);
create index payments_to_expire on payments (expires_at) where expires_at is not null;

create table payment_events (
    payment_id  uuid        not null references payments (id),
    version     bigint      not null,
    -- `state`: the status or the money changed; SSE, webhooks and the event list show it.
    -- `progress`: a milestone for a waiting page; SSE and timeline only.
    class       text        not null,
    type        text        not null,
    -- The payment's whole standing at this version: what an answer is rendered from, today and in a year.
    state       jsonb       not null,
    trace_id    text        not null,
    occurred_at timestamptz not null default now(),
    -- Which transaction wrote it: a checker can prove that state and event were committed together, and a
    -- reader that goes by time can tell what was not yet visible.
    tx          xid8        not null default pg_current_xact_id(),
    primary key (payment_id, version),
    constraint payment_events_class check (class in ('state', 'progress')),
    constraint payment_events_trace_id check (trace_id ~ '^[0-9a-f]{32}$')
);
