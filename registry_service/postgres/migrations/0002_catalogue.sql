-- What can be installed: the same for all tenants.

create table extension_registry (
  id             uuid primary key default gen_random_uuid(),
  publisher      text not null,
  name           text not null,
  display_name   text not null default '',
  description    text not null default '',
  latest_version text not null default '',
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  unique (publisher, name)
);

create table extension_version (
  id                 uuid primary key default gen_random_uuid(),
  registry_id        uuid not null references extension_registry (id),
  version            text not null,
  runtime            text not null,
  main_entry         text not null,
  manifest           json not null,  -- json, not jsonb: as published, to the byte
  api                jsonb not null default '{"endpoints": []}',
  api_endpoints      jsonb generated always as (api -> 'endpoints') stored,
  ui                 jsonb,
  capabilities       jsonb not null default '[]',
  status             text not null default 'published'
                       check (status in ('published', 'deprecated')),
  deprecation_reason text not null default '',
  deprecated_at      timestamptz,
  created_at         timestamptz not null default now(),
  unique (registry_id, version),
  check ((status = 'deprecated') = (deprecated_at is not null))
);

create table extension_bundle (
  id                uuid primary key default gen_random_uuid(),
  version_id        uuid not null unique references extension_version (id),
  content_hash      text not null check (content_hash ~ '^sha256:[0-9a-f]{64}$'),
  signature         text not null default '' check (signature ~ '^([0-9a-f]{64})?$'),
  signature_result  text not null
                      check (signature_result in ('not_signed', 'failed', 'verified')),
  signature_detail  text not null default '',
  signature_key_id  text not null default '',
  precompiled       jsonb not null default '{}',
  storage_url       text not null,
  size_bytes        bigint not null check (size_bytes > 0),
  created_at        timestamptz not null default now()
);

create index extension_bundle_content_hash on extension_bundle (content_hash);

comment on column extension_bundle.signature is
  'SHA-256 (hex) of the signature envelope beside the bundle; empty when there is none.';
comment on column extension_bundle.storage_url is 'Key of the object in the bundle store.';

grant select, insert, update on extension_registry, extension_version to extension_app;
grant select, insert on extension_bundle to extension_app;
