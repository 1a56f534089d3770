-- What was checked before a version was published, what it is made of, and what is not referenced.

-- Checks are part of what was published: there is no right to change them.
alter table extension_version
  add column checks      jsonb not null default '[]',
  add column sbom_format text not null default '' check (sbom_format in ('', 'spdx', 'cyclonedx'));

-- What a version's bill of materials names, for finding who uses a component.
create table extension_sbom_component (
  version_id        uuid not null references extension_version,
  component         text not null,
  component_version text not null,
  package_url       text not null,
  primary key (version_id, component, component_version, package_url)
);

create index extension_sbom_component_by_name
  on extension_sbom_component (component, component_version);
create index extension_sbom_component_by_package_url
  on extension_sbom_component (package_url, component_version) where package_url <> '';

comment on column extension_sbom_component.package_url is
  'Without version, qualifiers and subpath: it names the package, whatever its version.';

-- Publishes that were refused, for their publisher; of each entry the last ones.
create table extension_publish_attempt (
  id           bigint generated always as identity primary key,
  registry_id  uuid not null references extension_registry,
  version      text not null,
  content_hash text not null check (content_hash ~ '^sha256:[0-9a-f]{64}$'),
  checks       jsonb not null,
  attempted_at timestamptz not null default now()
);

create index extension_publish_attempt_by_entry on extension_publish_attempt (registry_id, id desc);

-- When a bundle's bytes were last sent, or first seen without a version: what is not referenced
-- is kept for a while after that, since a publish may be on its way.
create table extension_upload (
  content_hash text primary key check (content_hash ~ '^sha256:[0-9a-f]{64}$'),
  uploaded_at  timestamptz not null default now()
);

-- What a name looks like at a glance: characters that are easily confused are made the same.
create function name_skeleton(name text) returns text
  language sql immutable parallel safe
  return replace(replace(replace(translate(lower(name), '0158.-', 'olsb'), 'rn', 'm'), 'vv', 'w'), 'i', 'l');

alter table extension_registry
  add column skeleton text not null generated always as (name_skeleton(publisher || name)) stored;

create index extension_registry_by_skeleton on extension_registry (skeleton);
create index extension_registry_by_name on extension_registry (name);

grant select, insert on extension_sbom_component to extension_app;
grant select, insert, delete on extension_publish_attempt to extension_app;
grant select, insert, delete, update (uploaded_at) on extension_upload to extension_app;
