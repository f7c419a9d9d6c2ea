-- A sandbox merchant's own time: the database's, and so far ahead.
--
-- *Merchant time* is `now() + ahead`. It rules when a payment expires, when a slip is bought, and the times that merchants are
-- shown; `payments.created_at`, `expires_at`, `capture_at`, the times in `payments.state` and `postings.posted_at` are in it.
-- Everything else is in the database's time: leases, claims, retries, deadlines of operations, idempotency keys, sessions,
-- rate limits, and `payment_events.occurred_at`. A merchant without a row here has none but that.

create table merchant_clocks (
    merchant_id uuid        primary key references merchants (id),
    -- Written out so that a query joins by merchant and mode, and nothing in live mode ever finds a clock.
    mode        text        not null,
    -- Made of seconds, never of days or months, which would be as long as the session's time zone says.
    ahead       interval    not null,
    updated_at  timestamptz not null default now(),
    constraint merchant_clocks_sandbox_only check (mode = 'test'),
    constraint merchant_clocks_bounds check (ahead between interval '0' and interval '87600 hours')
);

-- Time that has passed has passed, whoever writes.
create function naru_clock_goes_forward() returns trigger language plpgsql as $$
begin
    if new.ahead < old.ahead or new.merchant_id <> old.merchant_id then
        raise exception 'a clock goes forward only' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

create trigger merchant_clocks_go_forward before update on merchant_clocks for each row execute function naru_clock_goes_forward();

-- How far ahead its merchant's clock was; null when it had none. What is shown is `occurred_at + ahead`.
alter table payment_events add column ahead interval;

-- What is due for those whose clock is ahead is found by merchant; live payments cost nothing here.
create index payments_to_expire_ahead on payments (merchant_id, expires_at) where expires_at is not null and mode = 'test';
create index payments_to_capture_ahead on payments (merchant_id, capture_at) where capture_at is not null and mode = 'test';

grant select on merchant_clocks to naru_api, naru_worker;
grant insert, update on merchant_clocks to naru_api;
