-- How strict the platform is with one tenant's extensions, where it is stricter than with all; and
-- when each signature was first seen, which is the moment at which its certificates are judged.

create table tenant_policy (
  tenant_id      uuid primary key,
  signing_policy text not null check (signing_policy in ('off', 'warn', 'require')),
  set_by         text not null,
  set_at         timestamptz not null
);

comment on table tenant_policy is
  'The stricter one of this and the platform''s policy counts; no row is no policy of its own.';

alter table tenant_policy enable row level security;
alter table tenant_policy force row level security;
create policy tenant_isolation on tenant_policy
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());
grant select, insert, update, delete on tenant_policy to extension_app;

alter table extension_bundle add column signature_seen_at timestamptz not null default now();
update extension_bundle set signature_seen_at = created_at;

comment on column extension_bundle.signature_seen_at is
  'By the clock of the registry that published it; bundles are never changed, so neither is this.';

-- An install with all that decides whether its version is trusted.
create or replace view tenant_install_detail with (security_invoker = true) as
  select i.tenant_id, i.id, i.registry_id, r.publisher, r.name, i.version_id, v.version, v.runtime,
         b.content_hash, b.signature, v.api_endpoints, i.granted_caps, i.config, i.status,
         i.revision, i.created_at, i.updated_at,
         v.status as version_status, coalesce(v.former_publisher, r.publisher) as signed_publisher,
         b.signature_seen_at, p.signing_policy as own_signing_policy
  from tenant_extension_install i
  join extension_registry r on r.id = i.registry_id
  join extension_version v on v.id = i.version_id
  join extension_bundle b on b.version_id = v.id
  left join tenant_policy p on p.tenant_id = i.tenant_id;
