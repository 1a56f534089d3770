-- Who owns a publisher's name, what became of a version since it was published, and who did what.
-- All of it belongs to the catalogue: no tenant has a part in it.

create table extension_publisher (
  publisher  text primary key,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()  -- whoever changes the owners locks the row by it
);

create table extension_publisher_owner (
  publisher  text not null references extension_publisher,
  key_id     text not null check (key_id ~ '^[A-Za-z0-9_-]{43}$'),
  public_jwk text not null,
  added_at   timestamptz not null default now(),
  primary key (publisher, key_id)
);

comment on column extension_publisher_owner.key_id is 'RFC 7638 thumbprint of public_jwk.';

-- A proof of ownership counts once. What has expired is forgotten.
create table extension_spent_proof (
  key_id     text not null,
  proof_id   text not null,
  expires_at timestamptz not null,
  primary key (key_id, proof_id)
);

create index extension_spent_proof_expiry on extension_spent_proof (expires_at);

-- The last offer of each extension to another publisher.
create table extension_transfer (
  registry_id  uuid primary key references extension_registry,
  to_publisher text not null references extension_publisher,
  offered_at   timestamptz not null default now(),
  expires_at   timestamptz not null
);

-- A version's status follows from what happened to it, the gravest first; each can be taken back
-- without disturbing the others.
alter table extension_version drop column status;
alter table extension_version
  add column deprecation_replacement text not null default '',
  add column yanked_at          timestamptz,
  add column yank_reason        text not null default '',
  add column yanked_by          text not null default '',
  add column quarantined_at     timestamptz,
  add column quarantine_reason  text not null default '',
  add column quarantined_by     text not null default '',
  add column former_publisher   text,
  add column status             text not null generated always as (
    case when quarantined_at is not null then 'quarantined'
         when yanked_at is not null then 'yanked'
         when deprecated_at is not null then 'deprecated'
         else 'published' end
  ) stored check (status in ('published', 'deprecated', 'yanked', 'quarantined'));

comment on column extension_version.former_publisher is
  'Whose name the signature holds; null when it is the present publisher of the entry.';

-- A quarantine and its receipt: the counts are those of the moment it began.
create table extension_quarantine (
  id               uuid primary key default gen_random_uuid(),
  version_id       uuid not null references extension_version,
  reason           text not null,
  actor            text not null,
  quarantined_at   timestamptz not null,
  lifted_at        timestamptz,
  lifted_by        text not null default '',
  installs         bigint not null,
  enabled_installs bigint not null
);

create unique index extension_quarantine_in_force
  on extension_quarantine (version_id) where lifted_at is null;

-- Append-only: the application may neither change nor delete what it wrote.
create table extension_audit_event (
  number bigint generated always as identity primary key,
  id     uuid not null unique default gen_random_uuid(),
  at     timestamptz not null default now(),
  actor  text not null,
  action text not null,
  about  text not null,
  detail jsonb not null default '{}'
);

create index extension_audit_event_about
  on extension_audit_event (about text_pattern_ops, number desc);

-- What of an install decides whether it may run; and whose signature it carries.
create or replace view tenant_install_detail with (security_invoker = true) as
  select i.tenant_id, i.id, i.registry_id, r.publisher, r.name, i.version_id, v.version, v.runtime,
         b.content_hash, b.signature, v.api_endpoints, i.granted_caps, i.config, i.status,
         i.revision, i.created_at, i.updated_at,
         v.status as version_status, coalesce(v.former_publisher, r.publisher) as signed_publisher
  from tenant_extension_install i
  join extension_registry r on r.id = i.registry_id
  join extension_version v on v.id = i.version_id
  join extension_bundle b on b.version_id = v.id;

-- How far a version has spread, over all tenants. The one thing that is asked across them, so the
-- one function that runs with its owner's rights. It is safe because it gives three figures about
-- a version and no row of anyone; because its search path is fixed, so no caller can put another
-- table under its words; and because what lets the owner look is a policy for the owner alone, for
-- reading alone, that holds only while this function runs. Without the policy an owner that is no
-- superuser would count nothing, as row-level security is forced. (It sets the setting itself: an
-- owner that is no superuser may not attach it to the function.)
create policy census on tenant_extension_install for select to current_user
  using (current_setting('extension.census', true) = 'on');
create policy census on extension_execution_log for select to current_user
  using (current_setting('extension.census', true) = 'on');

create function version_census(
  p_version_id uuid, out installs bigint, out enabled_installs bigint, out last_started_at timestamptz
)
  language plpgsql stable security definer
  set search_path = pg_catalog
as $$
begin
  perform set_config('extension.census', 'on', true);
  select count(*) filter (where i.status in ('enabled', 'disabled')),
         count(*) filter (where i.status = 'enabled')
    into installs, enabled_installs
    from public.tenant_extension_install i where i.version_id = p_version_id;
  select max(l.started_at) into last_started_at
    from public.extension_execution_log l where l.version_id = p_version_id;
  perform set_config('extension.census', '', true);
end
$$;

create index tenant_extension_install_by_version on tenant_extension_install (version_id, status);
create index extension_execution_log_by_version
  on extension_execution_log (version_id, started_at desc);

revoke execute on function version_census from public;
grant execute on function version_census to extension_app;

-- A published version is immutable: only what may become of it can be written.
revoke update on extension_version from extension_app;
grant update (deprecation_reason, deprecation_replacement, deprecated_at, yanked_at, yank_reason,
              yanked_by, quarantined_at, quarantine_reason, quarantined_by, former_publisher)
  on extension_version to extension_app;
revoke update on extension_registry from extension_app;
grant update (publisher, display_name, description, latest_version, updated_at)
  on extension_registry to extension_app;
grant select, insert, update (updated_at) on extension_publisher to extension_app;
grant select, insert, delete on extension_publisher_owner to extension_app;
grant select, insert, delete on extension_spent_proof to extension_app;
grant select, insert, delete, update (to_publisher, offered_at, expires_at)
  on extension_transfer to extension_app;
grant select, insert, update (lifted_at, lifted_by) on extension_quarantine to extension_app;
grant select, insert on extension_audit_event to extension_app;
