-- What each tenant has. From here on every key starts with tenant_id, so that the tables can be
-- distributed by tenant; and every table is closed to all but the transaction's tenant.

create table tenant_extension_install (
  tenant_id    uuid not null,
  id           uuid not null default gen_random_uuid(),
  registry_id  uuid not null references extension_registry (id),
  version_id   uuid not null references extension_version (id),
  granted_caps jsonb not null default '[]',
  config       json not null default '{}',  -- json, not jsonb: guests get these very bytes
  status       text not null default 'enabled' check (status in ('enabled', 'disabled')),
  is_enabled   boolean generated always as (status = 'enabled') stored,
  revision     bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, registry_id)
);

create table extension_event_subscription (
  tenant_id  uuid not null,
  id         uuid not null default gen_random_uuid(),
  install_id uuid not null,
  topic      text not null,
  handler    text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, install_id, topic, handler),
  foreign key (tenant_id, install_id) references tenant_extension_install on delete cascade
);

alter table tenant_extension_install enable row level security;
alter table tenant_extension_install force row level security;
create policy tenant_isolation on tenant_extension_install
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

alter table extension_event_subscription enable row level security;
alter table extension_event_subscription force row level security;
create policy tenant_isolation on extension_event_subscription
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

-- An install with what its version says.
create view tenant_install_detail with (security_invoker = true) as
  select i.tenant_id, i.id, i.registry_id, r.publisher, r.name, i.version_id, v.version, v.runtime,
         b.content_hash, b.signature, v.api_endpoints, i.granted_caps, i.config, i.status,
         i.revision, i.created_at, i.updated_at
  from tenant_extension_install i
  join extension_registry r on r.id = i.registry_id
  join extension_version v on v.id = i.version_id
  join extension_bundle b on b.version_id = v.id;

-- The hot path in one round trip.
create function resolve_install(
  p_tenant_id uuid, p_id uuid, p_publisher text, p_name text
) returns setof tenant_install_detail
  language plpgsql
as $$
begin
  perform set_config('app.tenant_id', p_tenant_id::text, true);
  return query
    select * from tenant_install_detail d
    where d.tenant_id = p_tenant_id
      and d.status = 'enabled'
      and (d.id = p_id or d.registry_id = p_id
           or (d.publisher = p_publisher and d.name = p_name))
    order by d.id = p_id desc
    limit 1;
end
$$;

revoke execute on function resolve_install from public;
grant execute on function resolve_install to extension_app;
grant select, insert, update, delete on tenant_extension_install to extension_app;
grant select, insert, update, delete on extension_event_subscription to extension_app;
grant select on tenant_install_detail to extension_app;
