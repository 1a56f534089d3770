-- The records of each install. Each function is one round trip and one transaction.

create table ext_storage_records (
  tenant_id  uuid not null,
  install_id uuid not null,
  namespace  text collate "C" not null check (char_length(namespace) between 1 and 128),
  key        text collate "C" not null check (char_length(key) between 1 and 256),
  revision   bigint not null check (revision > 0),
  value      bytea not null check (octet_length(value) <= 65536),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, install_id, namespace, key),
  foreign key (tenant_id, install_id) references tenant_extension_install on delete cascade
);

-- What an install holds, by namespace; kept by the functions below.
create table ext_storage_usage (
  tenant_id  uuid not null,
  install_id uuid not null,
  namespace  text collate "C" not null,
  keys_count integer not null check (keys_count > 0),
  bytes_used bigint not null check (bytes_used >= 0),
  primary key (tenant_id, install_id, namespace),
  foreign key (tenant_id, install_id) references tenant_extension_install on delete cascade
);

alter table ext_storage_records enable row level security;
alter table ext_storage_records force row level security;
create policy tenant_isolation on ext_storage_records
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

alter table ext_storage_usage enable row level security;
alter table ext_storage_usage force row level security;
create policy tenant_isolation on ext_storage_usage
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

create function storage_get(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_key text
) returns table (value bytea, revision bigint)
  language plpgsql
as $$
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  return query
    select r.value, r.revision from ext_storage_records r
    where r.tenant_id = p_tenant_id and r.install_id = p_install_id
      and r.namespace = p_namespace and r.key = p_key;
end
$$;

-- Gives (outcome, revision): 'ok' with the new revision, 'install_gone', 'revision_mismatch' with
-- the stored one (0: none), or the limit that is reached: 'bytes', 'keys' or 'namespaces'.
-- The install's row is locked, so the writes of one install are one after the other.
create function storage_put(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_key text, p_value bytea,
  p_if_revision bigint, p_max_bytes bigint, p_max_keys integer, p_max_namespaces integer
) returns table (outcome text, revision bigint)
  language plpgsql
as $$
declare
  v_stored bigint := 0;
  v_stored_bytes bigint := 0;
  v_bytes bigint;
  v_namespaces integer;
  v_keys integer;
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  perform from tenant_extension_install i
    where i.tenant_id = p_tenant_id and i.id = p_install_id for no key update;
  if not found then
    return query select 'install_gone', 0::bigint;
    return;
  end if;

  select r.revision, octet_length(r.value) into v_stored, v_stored_bytes
    from ext_storage_records r
    where r.tenant_id = p_tenant_id and r.install_id = p_install_id
      and r.namespace = p_namespace and r.key = p_key;
  v_stored := coalesce(v_stored, 0);
  v_stored_bytes := coalesce(v_stored_bytes, 0);
  if p_if_revision is not null and p_if_revision <> v_stored then
    return query select 'revision_mismatch', v_stored;
    return;
  end if;

  select coalesce(sum(u.bytes_used), 0), count(*),
         coalesce(max(u.keys_count) filter (where u.namespace = p_namespace), 0)
    into v_bytes, v_namespaces, v_keys
    from ext_storage_usage u
    where u.tenant_id = p_tenant_id and u.install_id = p_install_id;
  if v_bytes - v_stored_bytes + octet_length(p_value) > p_max_bytes then
    return query select 'bytes', v_stored;
    return;
  elsif v_stored = 0 and v_keys >= p_max_keys then
    return query select 'keys', v_stored;
    return;
  elsif v_keys = 0 and v_namespaces >= p_max_namespaces then
    return query select 'namespaces', v_stored;
    return;
  end if;

  insert into ext_storage_records as r
      (tenant_id, install_id, namespace, key, revision, value)
    values (p_tenant_id, p_install_id, p_namespace, p_key, 1, p_value)
    on conflict on constraint ext_storage_records_pkey do update
      set revision = r.revision + 1, value = excluded.value, updated_at = now();
  insert into ext_storage_usage as u
      (tenant_id, install_id, namespace, keys_count, bytes_used)
    values (p_tenant_id, p_install_id, p_namespace, 1, octet_length(p_value))
    on conflict on constraint ext_storage_usage_pkey do update
      set keys_count = u.keys_count + (v_stored = 0)::integer,
          bytes_used = u.bytes_used - v_stored_bytes + octet_length(p_value);
  return query select 'ok', v_stored + 1;
end
$$;

-- Gives (outcome, revision): 'ok', 'install_gone', 'not_found', or 'revision_mismatch' with the
-- stored one.
create function storage_delete(
  p_tenant_id uuid, p_install_id uuid, p_namespace text, p_key text, p_if_revision bigint
) returns table (outcome text, revision bigint)
  language plpgsql
as $$
declare
  v_stored bigint;
  v_stored_bytes bigint;
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  perform from tenant_extension_install i
    where i.tenant_id = p_tenant_id and i.id = p_install_id for no key update;
  if not found then
    return query select 'install_gone', 0::bigint;
    return;
  end if;

  select r.revision, octet_length(r.value) into v_stored, v_stored_bytes
    from ext_storage_records r
    where r.tenant_id = p_tenant_id and r.install_id = p_install_id
      and r.namespace = p_namespace and r.key = p_key;
  if not found then
    return query select 'not_found', 0::bigint;
    return;
  elsif p_if_revision is not null and p_if_revision <> v_stored then
    return query select 'revision_mismatch', v_stored;
    return;
  end if;

  delete from ext_storage_records r
    where r.tenant_id = p_tenant_id and r.install_id = p_install_id
      and r.namespace = p_namespace and r.key = p_key;
  delete from ext_storage_usage u
    where u.tenant_id = p_tenant_id and u.install_id = p_install_id
      and u.namespace = p_namespace and u.keys_count = 1;
  if not found then
    update ext_storage_usage u
      set keys_count = u.keys_count - 1, bytes_used = u.bytes_used - v_stored_bytes
      where u.tenant_id = p_tenant_id and u.install_id = p_install_id
        and u.namespace = p_namespace;
  end if;
  return query select 'ok', v_stored;
end
$$;

revoke execute on function storage_get, storage_put, storage_delete from public;
grant execute on function storage_get, storage_put, storage_delete to extension_app;
grant select, insert, update, delete on ext_storage_records, ext_storage_usage to extension_app;
