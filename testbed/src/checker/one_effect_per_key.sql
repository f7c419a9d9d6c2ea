-- A key points at one payment of its merchant, and at an operation of that payment; an order has one living payment.
select k.merchant_id, k.route, k.key, k.payment_id, k.operation_id
from idempotency_keys k
join payments p on p.id = k.payment_id
left join operations o on o.id = k.operation_id
where p.merchant_id <> k.merchant_id or p.mode <> k.mode or o.payment_id <> k.payment_id
union all
select merchant_id, 'order', order_id, min(id::text)::uuid, null
from payments where status not in ('ABORTED', 'EXPIRED')
group by merchant_id, mode, order_id having count(*) > 1
union all
select p.merchant_id, 'approve', p.order_id, p.id, null
from payments p join operations o on o.payment_id = p.id and o.kind = 'approve'
group by p.id having count(*) > 1
