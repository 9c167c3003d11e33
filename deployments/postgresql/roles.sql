-- Roles of a warehouse on PostgreSQL 15+: run once per database, before `samkat init`, by whoever may create roles.
-- Safe to run again.
--
--     psql -d samkat -v ON_ERROR_STOP=1 -f deployments/postgresql/roles.sql
--
-- Four roles without a password and without a login. What each may do is granted by `samkat init`, anew after each
-- migration, since views are made anew. People and services get logins of their own as members:
--
--     CREATE ROLE night LOGIN PASSWORD '...' IN ROLE samkat_flows;          -- workers, the watcher, the command line
--     CREATE ROLE reports LOGIN PASSWORD '...' IN ROLE samkat_reader;       -- dashboards, the local systems
--     CREATE ROLE desk LOGIN PASSWORD '...' IN ROLE samkat_patron_reader;   -- who may see persons
--     CREATE ROLE upgrade LOGIN PASSWORD '...' IN ROLE samkat_owner;        -- `samkat init`, nothing else
--     ALTER ROLE upgrade IN DATABASE samkat SET role = 'samkat_owner';      -- so that what it makes is the owner's

DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['samkat_owner', 'samkat_flows', 'samkat_reader', 'samkat_patron_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO samkat_owner, samkat_flows, samkat_reader, samkat_patron_reader',
    current_database()
  );
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO samkat_flows', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO samkat_owner;
GRANT USAGE ON SCHEMA public TO samkat_flows, samkat_reader, samkat_patron_reader;
