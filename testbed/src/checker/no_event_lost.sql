-- A payment's versions are 1, 2, 3 … without holes; the newest event says what the payment's row says, and one transaction
-- wrote both.
select p.id as payment, p.version, count(e.version) as events, min(e.version) as first, max(e.version) as last
from payments p left join payment_events e on e.payment_id = p.id
group by p.id
having count(e.version) <> p.version or min(e.version) <> 1 or max(e.version) <> p.version
    or not bool_or(e.version = p.version and e.state = p.state and (e.tx::text::numeric % 4294967296)::text = p.xmin::text)
