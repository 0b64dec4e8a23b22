/** The server and the client of GvU conform; they lie below this package. */
import * as vitest from 'vitest';
import { clientConformance } from '../src/protocol/client.ts';
import { serverConformance } from '../src/protocol/server.ts';
import { testConformance } from '../src/test-conformance.ts';
import { connectWith, startServer } from './protocol-subjects.ts';

// A busy machine may take its time.
vitest.vi.setConfig({ testTimeout: 120_000 });
const patienceMs = 60_000;

testConformance(vitest, 'server of GvU', serverConformance({ start: startServer, patienceMs }));
testConformance(vitest, 'client of GvU', clientConformance({ connect: connectWith(), patienceMs }));
