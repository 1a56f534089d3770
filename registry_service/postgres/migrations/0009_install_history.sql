-- The history of each install: what every change left behind, who made it and when. And the news
-- of every change, for those who keep what they were told.

alter table tenant_extension_install add column egress_rules jsonb not null default '[]';

comment on column tenant_extension_install.granted_caps is
  'Array of {capability, granted_by, granted_at}.';

-- Append-only: the application may neither change nor delete what it wrote. It goes with the
-- install that it is about.
create table tenant_extension_install_revision (
  tenant_id    uuid not null,
  install_id   uuid not null,
  revision     bigint not null check (revision > 0),
  actor        text not null,
  at           timestamptz not null default now(),
  action       text not null check (action in (
                 'install', 'update', 'config', 'egress', 'enable', 'disable', 'rollback', 'grants')),
  version_id   uuid not null references extension_version (id),
  granted_caps jsonb not null,
  config       json not null,
  egress_rules jsonb not null,
  status       text not null check (status in ('enabled', 'disabled')),
  primary key (tenant_id, install_id, revision),
  foreign key (tenant_id, install_id) references tenant_extension_install on delete cascade
);

-- What was granted before had no name and no date: it is the install's. The history of an older
-- install begins here. The owner may be bound by the forced security, so it is lifted meanwhile.
alter table tenant_extension_install no force row level security;
update tenant_extension_install i
  set granted_caps = (
    select coalesce(jsonb_agg(jsonb_build_object(
      'capability', c, 'granted_by', '', 'granted_at', to_char(
        i.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')) order by c), '[]')
    from jsonb_array_elements_text(i.granted_caps) c);
insert into tenant_extension_install_revision
    (tenant_id, install_id, revision, actor, at, action, version_id, granted_caps, config,
     egress_rules, status)
  select tenant_id, id, revision, '', updated_at, 'install', version_id, granted_caps, config,
         egress_rules, status
  from tenant_extension_install;
alter table tenant_extension_install force row level security;

alter table tenant_extension_install_revision enable row level security;
alter table tenant_extension_install_revision force row level security;
create policy tenant_isolation on tenant_extension_install_revision
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());
grant select, insert on tenant_extension_install_revision to extension_app;

-- An install with what its version says.
drop function resolve_install(uuid, uuid, text, text);
drop view tenant_install_detail;
create view tenant_install_detail with (security_invoker = true) as
  select i.tenant_id, i.id, i.registry_id, r.publisher, r.name, i.version_id, v.version, v.runtime,
         b.content_hash, b.signature, v.api_endpoints, i.granted_caps, i.config, i.status,
         i.revision, i.created_at, i.updated_at,
         v.status as version_status, coalesce(v.former_publisher, r.publisher) as signed_publisher,
         i.egress_rules, v.capabilities as requested_caps, b.signature_seen_at,
         p.signing_policy as own_signing_policy
  from tenant_extension_install i
  join extension_registry r on r.id = i.registry_id
  join extension_version v on v.id = i.version_id
  join extension_bundle b on b.version_id = v.id
  left join tenant_policy p on p.tenant_id = i.tenant_id;

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
grant select on tenant_install_detail to extension_app;

-- Every change is told when it is committed, whichever statement made it. The payload names no
-- more than ids: whoever may connect to the database may listen.
create function tell_install_change() returns trigger
  language plpgsql
as $$
declare
  v_install tenant_extension_install := coalesce(new, old);
begin
  perform pg_notify('install_changes', json_build_object(
    'tenant_id', v_install.tenant_id, 'install_id', v_install.id,
    'registry_id', v_install.registry_id,
    -- a removed install is one revision further: no grant of it is good any more
    'revision', v_install.revision + (tg_op = 'DELETE')::integer)::text);
  return null;
end
$$;

revoke execute on function tell_install_change from public;
create trigger tell_install_change
  after insert or update or delete on tenant_extension_install
  for each row execute function tell_install_change();
