-- Secrets, records that expire, and records that outlive an install.

-- Which tenants there are, for work that goes through all of them (sweeping, sealing anew). It holds
-- nothing of theirs, and so it is not closed to anybody: the application role cannot list tenants
-- from their own tables, and neither can an owner whom row-level security is forced upon.
create table extension_tenant (
  id            uuid primary key,
  first_seen_at timestamptz not null default now()
);

create function note_tenant() returns trigger
  language plpgsql
as $$
begin
  insert into extension_tenant (id) values (new.tenant_id) on conflict do nothing;
  return null;
end
$$;

create trigger note_tenant after insert on tenant_extension_install
  for each row execute function note_tenant();

-- The owner is not to be bound while it moves what is there.
alter table tenant_extension_install no force row level security;
alter table ext_storage_records no force row level security;
alter table ext_storage_usage no force row level security;

insert into extension_tenant (id) select distinct tenant_id from tenant_extension_install;

-- Records belong to a tenant and an extension, no longer to the install: kept ones wait, in their
-- place, for the tenant's next install of it. Who removes an install removes them, or says "keep".
alter table ext_storage_records
  add column registry_id uuid references extension_registry (id),
  add column expires_at timestamptz;
update ext_storage_records r set registry_id = i.registry_id
  from tenant_extension_install i where i.tenant_id = r.tenant_id and i.id = r.install_id;
alter table ext_storage_records
  drop constraint ext_storage_records_pkey,
  drop column install_id,
  alter column registry_id set not null,
  add constraint ext_storage_records_pkey primary key (tenant_id, registry_id, namespace, key);

alter table ext_storage_usage add column registry_id uuid references extension_registry (id);
update ext_storage_usage u set registry_id = i.registry_id
  from tenant_extension_install i where i.tenant_id = u.tenant_id and i.id = u.install_id;
alter table ext_storage_usage
  drop constraint ext_storage_usage_pkey,
  drop column install_id,
  alter column registry_id set not null,
  add constraint ext_storage_usage_pkey primary key (tenant_id, registry_id, namespace);

alter table tenant_extension_install force row level security;
alter table ext_storage_records force row level security;
alter table ext_storage_usage force row level security;

create index ext_storage_records_expiry on ext_storage_records (tenant_id, registry_id, expires_at)
  where expires_at is not null;

drop function storage_get, storage_put, storage_delete;

create function storage_get(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_key text
) returns table (value bytea, revision bigint, expires_at timestamptz)
  language plpgsql
as $$
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  return query
    select r.value, r.revision, r.expires_at
    from tenant_extension_install i
    join ext_storage_records r on r.tenant_id = i.tenant_id and r.registry_id = i.registry_id
    where i.tenant_id = p_tenant_id and i.id = p_install_id
      and r.namespace = p_namespace and r.key = p_key
      and (r.expires_at is null or r.expires_at > clock_timestamp());
end
$$;

-- The records of a namespace whose keys come after p_after, from p_from up to (not including)
-- p_before; '' and null bound nothing.
create function storage_list(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_after text, p_from text,
  p_before text, p_limit integer
) returns table (key text, value bytea, revision bigint, expires_at timestamptz)
  language plpgsql
as $$
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  return query
    select r.key, r.value, r.revision, r.expires_at
    from tenant_extension_install i
    join ext_storage_records r on r.tenant_id = i.tenant_id and r.registry_id = i.registry_id
    where i.tenant_id = p_tenant_id and i.id = p_install_id and r.namespace = p_namespace
      and r.key > p_after and r.key >= p_from and (p_before is null or r.key < p_before)
      and (r.expires_at is null or r.expires_at > clock_timestamp())
    order by r.key
    limit p_limit;
end
$$;

-- Removes what has expired, for one extension of the transaction's tenant; the caller holds the lock
-- of the install, or knows that nobody writes.
create function storage_sweep(p_tenant_id uuid, p_registry_id uuid) returns bigint
  language plpgsql
as $$
declare
  v_gone record;
  v_count bigint := 0;
begin
  for v_gone in
    with gone as (
      delete from ext_storage_records r
      where r.tenant_id = p_tenant_id and r.registry_id = p_registry_id
        and r.expires_at <= clock_timestamp()
      returning r.namespace, octet_length(r.value) as bytes
    )
    select g.namespace, count(*) as keys, sum(g.bytes) as bytes from gone g group by g.namespace
  loop
    perform storage_account(
      p_tenant_id, p_registry_id, v_gone.namespace, -v_gone.keys::integer, -v_gone.bytes::bigint
    );
    v_count := v_count + v_gone.keys;
  end loop;
  return v_count;
end
$$;

-- Adds to what a namespace holds; an empty one is none.
create function storage_account(
  p_tenant_id uuid, p_registry_id uuid, p_namespace text, p_keys integer, p_bytes bigint
) returns void
  language plpgsql
as $$
begin
  delete from ext_storage_usage u
    where u.tenant_id = p_tenant_id and u.registry_id = p_registry_id
      and u.namespace = p_namespace and u.keys_count + p_keys = 0;
  if found then
    return;
  end if;
  update ext_storage_usage u
    set keys_count = u.keys_count + p_keys, bytes_used = u.bytes_used + p_bytes
    where u.tenant_id = p_tenant_id and u.registry_id = p_registry_id
      and u.namespace = p_namespace;
  if not found then
    insert into ext_storage_usage (tenant_id, registry_id, namespace, keys_count, bytes_used)
      values (p_tenant_id, p_registry_id, p_namespace, p_keys, p_bytes);
  end if;
end
$$;

-- Writes several records of one namespace, all or none; the arrays are parallel, each key is there
-- once, and a ttl of null lets a record live until it is removed.
-- Gives a row for each key with the outcome 'ok'; or a single row, whose outcome is 'install_gone'
-- (or disabled), 'revision_mismatch' with the key and its stored revision (0: none), or the limit
-- that would be passed: 'bytes', 'keys' or 'namespaces'.
-- The install's row is locked, so the writes of one install are one after the other.
create function storage_put(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_keys text[], p_values bytea[],
  p_if_revisions bigint[], p_ttls integer[], p_max_bytes bigint, p_max_keys integer,
  p_max_namespaces integer
) returns table (outcome text, key text, revision bigint, expires_at timestamptz)
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_registry_id uuid;
  v_more_bytes bigint;
  v_more_keys integer;
  v_bytes bigint;
  v_namespaces integer;
  v_keys integer;
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  select i.registry_id into v_registry_id from tenant_extension_install i
    where i.tenant_id = p_tenant_id and i.id = p_install_id and i.status = 'enabled'
    for no key update;
  if not found then
    return query select 'install_gone', '', 0::bigint, null::timestamptz;
    return;
  end if;
  perform storage_sweep(p_tenant_id, v_registry_id);

  return query
    select 'revision_mismatch', w.key, coalesce(r.revision, 0), null::timestamptz
    from unnest(p_keys, p_if_revisions) w (key, if_revision)
    left join ext_storage_records r on r.tenant_id = p_tenant_id
      and r.registry_id = v_registry_id and r.namespace = p_namespace and r.key = w.key
    where w.if_revision <> coalesce(r.revision, 0)
    limit 1;
  if found then
    return;
  end if;

  select coalesce(sum(octet_length(w.value) - coalesce(octet_length(r.value), 0)), 0),
         count(*) filter (where r.key is null)
    into v_more_bytes, v_more_keys
    from unnest(p_keys, p_values) w (key, value)
    left join ext_storage_records r on r.tenant_id = p_tenant_id
      and r.registry_id = v_registry_id and r.namespace = p_namespace and r.key = w.key;
  select coalesce(sum(u.bytes_used), 0), count(*),
         coalesce(max(u.keys_count) filter (where u.namespace = p_namespace), 0)
    into v_bytes, v_namespaces, v_keys
    from ext_storage_usage u
    where u.tenant_id = p_tenant_id and u.registry_id = v_registry_id;
  if v_more_bytes > 0 and v_bytes + v_more_bytes > p_max_bytes then
    return query select 'bytes', '', 0::bigint, null::timestamptz;
    return;
  elsif v_more_keys > 0 and v_keys + v_more_keys > p_max_keys then
    return query select 'keys', '', 0::bigint, null::timestamptz;
    return;
  elsif v_keys = 0 and v_namespaces >= p_max_namespaces then
    return query select 'namespaces', '', 0::bigint, null::timestamptz;
    return;
  end if;

  return query
    insert into ext_storage_records as r
        (tenant_id, registry_id, namespace, key, revision, value, expires_at)
      select p_tenant_id, v_registry_id, p_namespace, w.key, 1, w.value,
             clock_timestamp() + make_interval(secs => w.ttl)
      from unnest(p_keys, p_values, p_ttls) w (key, value, ttl)
      on conflict on constraint ext_storage_records_pkey do update
        set revision = r.revision + 1, value = excluded.value, expires_at = excluded.expires_at,
            updated_at = now()
      returning 'ok', r.key, r.revision, r.expires_at;
  perform storage_account(p_tenant_id, v_registry_id, p_namespace, v_more_keys, v_more_bytes);
end
$$;

-- Gives (outcome, revision): 'ok', 'install_gone' (or disabled), 'not_found', or
-- 'revision_mismatch' with the stored one.
create function storage_delete(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_key text, p_if_revision bigint
) returns table (outcome text, revision bigint)
  language plpgsql
as $$
declare
  v_registry_id uuid;
  v_stored bigint;
  v_bytes bigint;
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  select i.registry_id into v_registry_id from tenant_extension_install i
    where i.tenant_id = p_tenant_id and i.id = p_install_id and i.status = 'enabled'
    for no key update;
  if not found then
    return query select 'install_gone', 0::bigint;
    return;
  end if;
  perform storage_sweep(p_tenant_id, v_registry_id);

  select r.revision, octet_length(r.value) into v_stored, v_bytes
    from ext_storage_records r
    where r.tenant_id = p_tenant_id and r.registry_id = v_registry_id
      and r.namespace = p_namespace and r.key = p_key;
  if not found then
    return query select 'not_found', 0::bigint;
    return;
  elsif p_if_revision is not null and p_if_revision <> v_stored then
    return query select 'revision_mismatch', v_stored;
    return;
  end if;

  delete from ext_storage_records r
    where r.tenant_id = p_tenant_id and r.registry_id = v_registry_id
      and r.namespace = p_namespace and r.key = p_key;
  perform storage_account(p_tenant_id, v_registry_id, p_namespace, -1, -v_bytes);
  return query select 'ok', v_stored;
end
$$;

-- The secrets of installs, sealed before they come here: no key that opens them is in the database.
create table tenant_extension_install_secrets (
  tenant_id  uuid not null,
  install_id uuid not null,
  key        text collate "C" not null check (key ~ '^[A-Za-z0-9._-]{1,128}$'),
  version    bigint not null check (version > 0),
  ciphertext bytea not null check (octet_length(ciphertext) <= 32768),
  algorithm  text not null,
  key_id     text not null,
  expires_at timestamptz,
  updated_at timestamptz not null default now(),
  updated_by text not null default '',
  primary key (tenant_id, install_id, key),
  foreign key (tenant_id, install_id) references tenant_extension_install on delete cascade
);

comment on column tenant_extension_install_secrets.key_id is
  'Which of the keys of the algorithm''s backend sealed it.';

alter table tenant_extension_install_secrets enable row level security;
alter table tenant_extension_install_secrets force row level security;
create policy tenant_isolation on tenant_extension_install_secrets
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

-- A secret of an enabled install, in one round trip; expired ones too, so that it can be said.
create function secret_get(p_tenant_id uuid, p_install_id uuid, p_key text)
  returns table (
    version bigint, ciphertext bytea, algorithm text, key_id text, expires_at timestamptz
  )
  language plpgsql
as $$
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  return query
    select s.version, s.ciphertext, s.algorithm, s.key_id, s.expires_at
    from tenant_extension_install i
    join tenant_extension_install_secrets s on s.tenant_id = i.tenant_id and s.install_id = i.id
    where i.tenant_id = p_tenant_id and i.id = p_install_id and i.status = 'enabled'
      and s.key = p_key;
end
$$;

-- As it was, but in steps that each need one row of one index: an "or" over all the names reads
-- everything that the tenant has, for every request.
create or replace function resolve_install(
  p_tenant_id uuid, p_id uuid, p_publisher text, p_name text
) returns setof tenant_install_detail
  language plpgsql
as $$
declare
  v_registry_id uuid := coalesce(p_id, (
    select r.id from extension_registry r where r.publisher = p_publisher and r.name = p_name
  ));
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  return query
    select * from tenant_install_detail d
    where d.tenant_id = p_tenant_id and d.registry_id = v_registry_id and d.status = 'enabled';
  if not found and p_id is not null then
    return query
      select * from tenant_install_detail d
      where d.tenant_id = p_tenant_id and d.id = p_id and d.status = 'enabled';
  end if;
end
$$;

revoke execute on function
  note_tenant, storage_get, storage_list, storage_sweep, storage_account, storage_put,
  storage_delete, secret_get from public;
grant execute on function
  storage_get, storage_list, storage_sweep, storage_account, storage_put, storage_delete,
  secret_get to extension_app;
grant select, insert on extension_tenant to extension_app;
grant select, insert, update, delete on tenant_extension_install_secrets to extension_app;
