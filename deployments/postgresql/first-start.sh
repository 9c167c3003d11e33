#!/bin/bash
# Run by PostgreSQL's container on its first start: two databases, the roles, and a login for each service.
set -euo pipefail
admin=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER")

"${admin[@]}" -d postgres <<'SQL'
\getenv prefect_password PREFECT_DB_PASSWORD
CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE samkat;
SQL
# Prefect's own database needs it.
"${admin[@]}" -d prefect -c 'CREATE EXTENSION IF NOT EXISTS pg_trgm'
"${admin[@]}" -d samkat -f "${ROLES:-/opt/samkat/roles.sql}"
"${admin[@]}" -d samkat <<'SQL'
\getenv night_password NIGHT_DB_PASSWORD
\getenv owner_password OWNER_DB_PASSWORD
CREATE ROLE night LOGIN PASSWORD :'night_password' IN ROLE samkat_flows;
CREATE ROLE upgrade LOGIN PASSWORD :'owner_password' IN ROLE samkat_owner;
ALTER ROLE upgrade IN DATABASE samkat SET role = 'samkat_owner';
SQL
