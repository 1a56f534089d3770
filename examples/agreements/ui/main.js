// The page runs in a sandboxed frame and has no cookie: the host page hands it a short-lived token
// in a `bootstrap` message, and it calls the extension's own endpoints on its own origin.

const extensionId = new URLSearchParams(location.search).get('extensionId') ?? '';
const api = `/api/ext/${encodeURIComponent(extensionId)}/agreements`;
const part = (id) => document.getElementById(id);

let token = null;
let nextCursor = null;

async function call(method, path = '', body = undefined) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers['content-type'] = 'application/json';
  const response = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(explain(answer, response.status));
  return answer;
}

// Refusals of the extension carry `message` and `faults`, those of the platform carry `detail`.
function explain(answer, status) {
  const faults = (answer.faults ?? []).map(({ field, message }) => `${field} ${message}`);
  return faults.join('; ') || answer.message || answer.detail || `The call failed (${status}).`;
}

function row({ id, title, counterparty, created_by: createdBy }) {
  const item = part('agreement').content.cloneNode(true).firstElementChild;
  item.querySelector('strong').textContent = title;
  item.querySelector('span').textContent = [counterparty, createdBy && `by ${createdBy}`]
    .filter(Boolean)
    .join(' · ');
  item.querySelector('button').addEventListener('click', () =>
    attempt('Deleted.', async () => {
      await call('DELETE', `/${encodeURIComponent(id)}`);
      item.remove();
    }),
  );
  return item;
}

async function attempt(done, action) {
  try {
    await action();
    part('notice').textContent = done;
  } catch (error) {
    part('notice').textContent = error.message;
  }
}

async function show(cursor) {
  const page = await call('GET', cursor ? `?cursor=${encodeURIComponent(cursor)}` : '');
  part('greeting').textContent = page.greeting;
  if (!cursor) part('agreements').replaceChildren();
  part('agreements').append(...page.agreements.map(row));
  nextCursor = page.next_cursor;
  part('more').hidden = nextCursor === null;
}

part('new').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const draft = Object.fromEntries([...new FormData(form)].filter(([, text]) => text.trim()));
  attempt('Added.', async () => {
    part('agreements').append(row(await call('POST', '', draft)));
    form.reset();
  });
});

part('more').addEventListener('click', () => attempt('', () => show(nextCursor)));

window.addEventListener('message', ({ source, data }) => {
  if (source !== window.parent || data?.alga !== true || data.type !== 'bootstrap') return;
  token = data.payload?.session?.token ?? null;
  attempt('', () => show(null));
});

if (window.parent === window) {
  part('notice').textContent = 'Open this page from the application: it needs your session.';
} else {
  // The host's origin is not known here, and this message says nothing worth keeping.
  window.parent.postMessage({ alga: true, version: '1', type: 'ready', payload: {} }, '*');
}
