-- rows.sql - a benchmark program: a database in memory, filled, indexed, joined, changed.
PRAGMA temp_store = memory;
CREATE TABLE account(id INTEGER PRIMARY KEY, name TEXT, branch INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
    INSERT INTO account
    SELECT i, 'name ' || (i * 7919 % 400009), i % 97, substr('some words of a note about it', 1, i % 29) FROM n;
CREATE INDEX by_name ON account(name);
UPDATE account SET note = note || ' and more of it' WHERE id % 3 = 0;
DELETE FROM account WHERE id % 5 = 0;
SELECT count(*), sum(length(a.note)), group_concat(DISTINCT a.branch)
    FROM account a JOIN account b ON a.name = b.name WHERE a.branch < 50;
