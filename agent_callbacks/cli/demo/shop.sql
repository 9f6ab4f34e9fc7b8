-- The invented shop of the demo. Every name and address is made up.
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, since TEXT NOT NULL);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    placed TEXT NOT NULL,
    item TEXT NOT NULL,
    price REAL NOT NULL,
    parcel TEXT
);
INSERT INTO customers VALUES
    (1, 'Ines Moreau', 'ines.moreau@example.com', '2022-03-14'),
    (2, 'Tom Okafor', 'tom.okafor@example.com', '2024-09-02'),
    (3, 'Lea Brandt', 'lea.brandt@example.com', '2025-01-20');
INSERT INTO orders VALUES
    (1036, 2, '2026-02-18', 'Hand grinder', 89.00, 'P-5190'),
    (1039, 3, '2026-02-25', 'Filter papers, 500', 14.50, 'P-5204'),
    (1042, 1, '2026-03-02', 'Kettle with thermometer', 119.00, 'P-5217'),
    (1043, 1, '2026-03-02', 'Espresso cups, set of six', 48.00, 'P-5218');
