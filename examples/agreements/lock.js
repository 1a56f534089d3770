// Run by `npm run lock`: takes the addresses of funding pages out of the lock file. `.npmrc` keeps
// those of the registry out, so that none is left.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file));
for (const entry of Object.values(lock.packages)) delete entry.funding;
writeFileSync(file, JSON.stringify(lock, null, 2) + '\n');
