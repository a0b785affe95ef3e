-- report.sql - a benchmark program for pgbench: a report over accounts, grouped, aggregated, sorted, joined.
\set first random(1, 180000)
WITH part AS (
    SELECT aid, bid, abalance, 'account ' || aid AS name, aid % 1009 AS slot
    FROM pgbench_accounts WHERE aid BETWEEN :first AND :first + 15000
), grouped AS (
    SELECT slot, count(*) AS n, string_agg(name, ',' ORDER BY aid DESC) AS names,
           jsonb_object_agg(name, abalance) AS document
    FROM part GROUP BY slot
)
SELECT sum(length(g.names)), sum(length(g.document::text)), count(DISTINCT p.name)
FROM grouped g JOIN part p USING (slot);
