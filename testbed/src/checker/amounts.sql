-- Amounts are whole, above zero, and in a currency we know; an approval is for the whole payment, and nothing for more.
select p.id as payment, p.total_amount, p.currency, o.id as operation, o.amount
from payments p left join operations o on o.payment_id = p.id
where p.total_amount <= 0 or p.currency <> 'KRW' or o.amount <= 0
    or (o.kind = 'approve' and o.amount <> p.total_amount) or (o.kind <> 'return_deposit' and o.amount > p.total_amount)
