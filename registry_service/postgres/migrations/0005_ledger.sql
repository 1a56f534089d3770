-- What ran, and what it used. The log outlives installs: it has no foreign keys.

create table extension_execution_log (
  tenant_id    uuid not null,
  id           uuid not null,
  registry_id  uuid not null,
  version_id   uuid not null,
  install_id   uuid not null,
  content_hash text not null,
  request_id   text not null,
  started_at   timestamptz not null,
  finished_at  timestamptz not null,
  status       text not null
                 check (status in ('ok', 'error', 'timeout', 'oom', 'policy_denied')),
  error        text not null default '',
  method       text not null default '',
  path         text not null default '',
  runner_id    text not null default '',
  metrics      jsonb not null default '{}',
  log_lines    jsonb not null default '[]',
  recorded_at  timestamptz not null default now(),
  primary key (tenant_id, id)
);

create index extension_execution_log_newest
  on extension_execution_log (tenant_id, started_at desc, id desc);
create index extension_execution_log_by_entry
  on extension_execution_log (tenant_id, registry_id, started_at desc, id desc);
create index extension_execution_log_by_request
  on extension_execution_log (tenant_id, request_id);

create table extension_quota_usage (
  tenant_id    uuid not null,
  registry_id  uuid not null,
  window_start timestamptz not null,
  cpu_ms       bigint not null default 0,
  mem_mb_ms    bigint not null default 0,
  invocations  bigint not null default 0,
  egress_bytes bigint not null default 0,
  primary key (tenant_id, registry_id, window_start)
);

alter table extension_execution_log enable row level security;
alter table extension_execution_log force row level security;
create policy tenant_isolation on extension_execution_log
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

alter table extension_quota_usage enable row level security;
alter table extension_quota_usage force row level security;
create policy tenant_isolation on extension_quota_usage
  using (tenant_id = current_tenant_id()) with check (tenant_id = current_tenant_id());

-- Appends executions of several tenants in one round trip, each as its own tenant; rows that are
-- there already stay as they are. The arrays are parallel.
create function record_executions(
  p_tenant_ids uuid[], p_ids uuid[], p_registry_ids uuid[], p_version_ids uuid[],
  p_install_ids uuid[], p_content_hashes text[], p_request_ids text[],
  p_started_at timestamptz[], p_finished_at timestamptz[], p_statuses text[], p_errors text[],
  p_methods text[], p_paths text[], p_runner_ids text[], p_metrics jsonb[], p_log_lines jsonb[]
) returns void
  language plpgsql
as $$
declare
  v_tenant_id uuid;
begin
  for v_tenant_id in select distinct t from unnest(p_tenant_ids) t order by t loop
    perform set_config('app.tenant_id', v_tenant_id::text, true);
    insert into extension_execution_log
        (tenant_id, id, registry_id, version_id, install_id, content_hash, request_id,
         started_at, finished_at, status, error, method, path, runner_id, metrics, log_lines)
      select * from unnest(
        p_tenant_ids, p_ids, p_registry_ids, p_version_ids, p_install_ids, p_content_hashes,
        p_request_ids, p_started_at, p_finished_at, p_statuses, p_errors, p_methods, p_paths,
        p_runner_ids, p_metrics, p_log_lines
      ) as given (tenant_id) where given.tenant_id = v_tenant_id
      order by 2
      on conflict do nothing;
  end loop;
end
$$;

revoke execute on function record_executions from public;
grant execute on function record_executions to extension_app;
grant select, insert on extension_execution_log to extension_app;
grant select, insert, update on extension_quota_usage to extension_app;
