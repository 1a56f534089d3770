// An extension is one exported function. It gets every request to the manifest's endpoints and
// finds its way by method and path, as written in world `configured-runner`.

import { ID, create, list, read, remove } from './agreements.js';
import { Refusal } from './answer.js';

const ON_ALL = { GET: list, POST: create };
const ON_ONE = { GET: read, DELETE: remove };

export function handler({ context, http }) {
  try {
    const [path, query = ''] = http.url.split('?', 2);
    const { actions, id } = find(path);
    if (!Object.hasOwn(actions, http.method)) {
      const allow = Object.keys(actions).join(', ');
      throw new Refusal(405, 'method_not_allowed', `Use one of ${allow}.`, {
        headers: [{ name: 'allow', value: allow }],
      });
    }
    return actions[http.method]({ context, id, query, body: http.body });
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error; // A bug: the platform tells the caller 502 and us what happened.
  }
}

function find(path) {
  const [root, name, id, ...rest] = path.split('/');
  if (root === '' && name === 'agreements' && rest.length === 0) {
    if (id === undefined) return { actions: ON_ALL };
    if (ID.test(id)) return { actions: ON_ONE, id };
  }
  throw new Refusal(404, 'route_not_found', 'There is no such path.');
}
