-- Where the payment says the money is, there it is.
select p.id as payment, p.order_id, p.status, p.money_state, p.total_amount, coalesce(c.charges, 0) as charges,
    coalesce(c.standing, 0) as standing, coalesce(c.net, 0) as net
from payments p left join checker.paid c on c.payment_id = p.id
where p.id not in (select payment_id from checker.by_account) and case p.money_state
    when 'NOT_MOVED' then coalesce(c.charges, 0) <> 0
    -- What was cancelled went back, and the rest is here.
    when 'MOVED' then coalesce(c.net, 0) <> p.total_amount - p.canceled_amount
    when 'REVERSED' then coalesce(c.charges, 0) = 0 or c.net <> 0
    -- Only while a person is asked to find out.
    when 'UNKNOWN' then not exists (
        select 1 from operations o where o.payment_id = p.id and o.status in ('unknown', 'dead')
            and (o.letter = 'needs_person' or p.state -> 'disputed' ? o.id::text))
    end
