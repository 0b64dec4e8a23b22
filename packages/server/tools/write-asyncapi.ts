/** `npm run protocol:document`: writes `docs/reference/asyncapi.json` anew. A test compares the file with the code. */
import { writeFileSync } from 'node:fs';
import { asyncApiDocument } from '../src/protocol/asyncapi.ts';

const path = new URL('../../../docs/reference/asyncapi.json', import.meta.url);
writeFileSync(path, `${JSON.stringify(asyncApiDocument(), null, 2)}\n`);
