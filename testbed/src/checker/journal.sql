-- The card company's journal beside our books.
drop schema if exists checker cascade;
create schema checker;
create table checker.setting (dedupes boolean not null);
create table checker.entry (seq bigint primary key, entry jsonb not null);

-- Every effect on money, with the reference of the approval it belongs to.
create view checker.effect as
select seq, entry ->> 'effect' as effect, entry ->> 'merchantId' as merchant,
    coalesce(entry ->> 'originalReference', entry ->> 'reference') as reference,
    (entry ->> 'amount')::bigint as amount,
    -- What was asked for, where the company moved something else.
    coalesce((entry ->> 'asked')::bigint, (entry ->> 'amount')::bigint) as asked,
    entry ->> 'currency' as currency
from checker.entry where entry ->> 'effect' <> 'none';

-- What became of the money, per reference of an approval.
create view checker.charge as
select reference, max(merchant) as merchant,
    count(*) filter (where effect = 'charged') as charges,
    count(*) filter (where effect = 'charged') - count(*) filter (where effect = 'reversed') as standing,
    coalesce(sum(amount) filter (where effect = 'charged'), 0)
        - coalesce(sum(amount) filter (where effect in ('reversed', 'voided', 'refunded')), 0) as net
from checker.effect group by reference;

-- The same, per payment of ours.
create view checker.paid as
select o.payment_id, sum(c.charges) as charges, sum(c.standing) as standing, sum(c.net) as net
from checker.charge c
join (select distinct reference, operation_id from attempts where call = 'approve') a on a.reference = c.reference
join operations o on o.id = a.operation_id
group by o.payment_id;
