import { Refusal } from './answer.js';
import { decodeUtf8 } from './utf8.js';

// Far below the 64 KiB that a stored value may have.
const MAX_BODY_BYTES = 16 * 1024;

// QuickJS traps on JSON that nests some thousand levels deep, before it can throw. An agreement is
// flat, and to count what opens outside strings is enough.
const MAX_BRACKETS = 32;
const STRINGS = /"(?:[^"\\]|\\.)*"/g;
const BRACKETS = /[[{]/g;

// Controls, and halves of surrogate pairs. (StarlingMonkey has no \p{…}.)
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/u;

const FIELDS = {
  title: { required: true, maxCharacters: 200 },
  counterparty: { required: false, maxCharacters: 200 },
};

/** Reads what a caller wants to agree on, or refuses it with everything that is wrong. */
export function parseDraft(body) {
  const value = parseJson(body);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Refusal(400, 'json_invalid', 'The body must be a JSON object.');
  }
  const faults = [];
  for (const field of Object.keys(value)) {
    if (!Object.hasOwn(FIELDS, field)) faults.push({ field, message: 'is not known' });
  }
  const draft = {};
  for (const [field, rule] of Object.entries(FIELDS)) {
    const fault = faultIn(value[field], rule);
    if (fault) faults.push({ field, message: fault });
    else if (value[field] !== undefined) draft[field] = value[field].trim();
  }
  if (faults.length > 0) {
    throw new Refusal(400, 'agreement_invalid', 'The agreement has faults.', { faults });
  }
  return draft;
}

function parseJson(body) {
  if (!body || body.length === 0) {
    throw new Refusal(400, 'body_missing', 'Send the agreement as a JSON object.');
  }
  if (body.length > MAX_BODY_BYTES) {
    throw new Refusal(413, 'body_too_large', `The body may have at most ${MAX_BODY_BYTES} bytes.`);
  }
  let text;
  try {
    text = decodeUtf8(body);
  } catch {
    throw new Refusal(400, 'json_invalid', 'The body is not UTF-8.');
  }
  if ((text.replace(STRINGS, '').match(BRACKETS) ?? []).length > MAX_BRACKETS) {
    throw new Refusal(400, 'json_invalid', 'The body nests too deeply.');
  }
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message is left out: it differs from engine to engine.
    throw new Refusal(400, 'json_invalid', 'The body is not JSON.');
  }
}

function faultIn(text, { required, maxCharacters }) {
  if (text === undefined) return required ? 'is missing' : null;
  if (typeof text !== 'string') return 'must be a string';
  const characters = [...text.trim()];
  if (characters.length === 0) return 'must not be empty';
  if (characters.length > maxCharacters) return `is longer than ${maxCharacters} characters`;
  if (UNPRINTABLE.test(text)) return 'holds control characters or half a character';
  return null;
}
