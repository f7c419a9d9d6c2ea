-- At the card company at most one charge stands per operation. One that dedupes never even made a second under a reference.
select o.id as operation, o.kind, sum(c.standing) as standing, sum(c.charges) as charges, array_agg(c.reference) as refs
from checker.charge c
join (select distinct reference, operation_id from attempts where call = 'approve') a on a.reference = c.reference
join operations o on o.id = a.operation_id
group by o.id
having sum(c.standing) > 1
union all
select null, 'approve', c.standing, c.charges, array[c.reference]
from checker.charge c cross join checker.setting s where s.dedupes and c.charges > 1
