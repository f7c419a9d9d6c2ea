-- Payments from a bank account, on a phone's bill and with points.

alter table operations
    drop constraint operations_connector,
    add constraint operations_connector check (connector in ('card', 'transfer', 'mobile', 'points'));
