-- The role that the registry runs as. It owns nothing and row-level security binds it.
-- It gets no password here: over a socket it needs none, elsewhere its owner sets one.

do $$
begin
  create role extension_app
    login nosuperuser nobypassrls nocreatedb nocreaterole noreplication noinherit;
exception
  when duplicate_object or unique_violation then null;  -- roles are shared by all databases
end
$$;

do $$
begin
  if exists (
    select from pg_roles where rolname = 'extension_app' and (rolsuper or rolbypassrls)
  ) then
    raise exception 'role extension_app must be NOSUPERUSER and NOBYPASSRLS';
  end if;
end
$$;

revoke create on schema public from public;
grant usage on schema public to extension_app;
grant select on schema_migrations to extension_app;  -- the registry checks it when it starts

-- The tenant of the running transaction; NULL, which no row equals, when none is set.
-- After SET LOCAL and commit the setting reads '', hence nullif.
create function current_tenant_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.tenant_id', true), '')::uuid;
