import { encodeUtf8 } from './utf8.js';

const JSON_HEADERS = [
  { name: 'content-type', value: 'application/json' },
  { name: 'cache-control', value: 'no-store' },
];

/** An answer whose body is already JSON, as bytes. */
export function jsonBytes(status, body, headers = []) {
  return { status, headers: [...JSON_HEADERS, ...headers], body };
}

export function json(status, value, headers = []) {
  return jsonBytes(status, encodeUtf8(JSON.stringify(value)), headers);
}

export function noContent() {
  return { status: 204, headers: [], body: undefined };
}

/** Ends a request early, with an answer that tells the caller what to do about it. */
export class Refusal extends Error {
  constructor(status, error, message, { faults, headers } = {}) {
    super(message);
    this.answer = json(status, { error, message, faults }, headers);
  }
}
