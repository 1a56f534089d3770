import { logInfo, logWarn } from 'alga:extension/logging';
import {
  delete as deleteEntry,
  get as getEntry,
  listEntries,
  put as putEntry,
} from 'alga:extension/storage';
import { getUser } from 'alga:extension/user';
import { get as getSetting } from 'wasi:config/store@0.2.0-rc.1';

import { Refusal, json, jsonBytes, noContent } from './answer.js';
import { parseDraft } from './draft.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

const NAMESPACE = 'agreements';
const DEFAULT_GREETING = 'Your agreements';
// The host gives pages of this many entries; a shorter one is the last.
const PAGE_SIZE = 25;

const FAILURES = {
  missing: [404, 'agreement_not_found', 'There is no such agreement.'],
  conflict: [409, 'agreement_exists', 'This request was carried out before.'],
  denied: [403, 'storage_denied', 'The install does not grant cap:storage.kv, or is full.'],
  internal: [503, 'storage_unavailable', 'Storage does not answer; try again.'],
};

export const ID = /^[A-Za-z0-9._-]{1,128}$/;

/** GET /agreements?cursor=…: one page, in the order of ids. */
export function list({ query }) {
  const cursor = cursorOf(query);
  const entries = stored(() => listEntries(NAMESPACE, cursor));
  return json(200, {
    greeting: greeting(),
    agreements: entries.map((entry) => JSON.parse(decodeUtf8(entry.value))),
    next_cursor: entries.length < PAGE_SIZE ? null : entries[entries.length - 1].key,
  });
}

/** POST /agreements: the new agreement, and where it is. */
export function create({ context, body }) {
  const draft = parseDraft(body);
  // A guest's clock and random numbers may be frozen into its build, so the id is the request's;
  // a request that is sent twice then cannot make two agreements.
  const id = context.requestId;
  if (!id || !ID.test(id)) {
    throw new Refusal(
      400,
      'request_id_unusable',
      'The request id becomes the agreement\'s id: 1 to 128 of A-Z a-z 0-9 . _ -',
    );
  }
  const value = encodeUtf8(JSON.stringify({ id, ...draft, created_by: userName() }));
  // Revision 0: only if there is none yet.
  stored(() => putEntry({ namespace: NAMESPACE, key: id, value, revision: 0 }));
  logInfo(`agreement ${id} created`);
  return jsonBytes(201, value, [{ name: 'location', value: `agreements/${id}` }]);
}

/** GET /agreements/:id */
export function read({ id }) {
  return jsonBytes(200, stored(() => getEntry(NAMESPACE, id)).value);
}

/** DELETE /agreements/:id */
export function remove({ id }) {
  // To storage, deleting what is not there is a conflict.
  stored(() => deleteEntry(NAMESPACE, id), { ...FAILURES, conflict: FAILURES.missing });
  logInfo(`agreement ${id} deleted`);
  return noContent();
}

function cursorOf(query) {
  const pair = query.split('&').find((part) => part.startsWith('cursor='));
  if (pair === undefined) return undefined;
  const cursor = pair.slice('cursor='.length);
  if (!ID.test(cursor)) {
    throw new Refusal(400, 'cursor_invalid', 'Use the next_cursor of the page before.');
  }
  return cursor;
}

function greeting() {
  try {
    return getSetting('greeting') ?? DEFAULT_GREETING;
  } catch {
    logWarn('the setting "greeting" could not be read');
    return DEFAULT_GREETING;
  }
}

function userName() {
  try {
    const { userName: name, userId } = getUser();
    return name || userId;
  } catch {
    return null; // Called by no person, or the install does not let us know by whom.
  }
}

/** Runs a storage call and turns its error, a storage-error in `payload`, into an answer. */
function stored(call, failures = FAILURES) {
  try {
    return call();
  } catch (error) {
    const failure = failures[error.payload];
    if (failure === undefined) throw error;
    throw new Refusal(...failure);
  }
}
