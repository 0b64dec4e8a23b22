/**
 * Starts runs that clients ask for, each as a process of its own, and steers them. They do not need this process: when it ends, they go
 * on, and what they print is in a file beside the folder of the run.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isRecord, type JsonValue } from '@gvu/core';
import { runConfig } from '@gvu/rl';
import type { RunControl, Steered } from '@gvu/server';
import type { EngineOptions } from '../commands/shared-options.ts';
import { mergeConfig } from '../config/merge.ts';
import { plain } from '../config/sources.ts';
import { cliErrors } from '../errors.ts';
import { isRun } from '../runs/run-folder.ts';
import { note } from '../terminal/terminal.ts';
import { freeRunFolder } from '../training/run-name.ts';
import type { Order, OrderAnswer } from './orders.ts';

export interface LauncherOptions extends EngineOptions {
  /** Folder of the runs. */
  readonly runs: string;
  /** Plugins that runs may use besides those of GvU. */
  readonly plugin?: readonly string[];
}

interface Child {
  readonly process: ChildProcess;
  readonly asked: Map<number, (answer: OrderAnswer) => void>;
  state: Steered;
}

const lookEveryMs = 100;
/** Of what a run printed that did not start. */
const tellBytes = 1500;

export class Launcher implements RunControl, Disposable {
  readonly #options: LauncherOptions;
  readonly #children = new Map<string, Child>();
  #starting: boolean = false;
  #lastId = 0;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  steered(): ReadonlyMap<string, Steered> {
    return new Map([...this.#children].map(([run, { state }]) => [run, state]));
  }

  /**
   * Resolves when the run has a log. One run at a time: two would only share the machine.
   * @throws GVU_CONFIG_INVALID with every problem, GVU_CLI_CONTROL
   */
  async start(given: JsonValue): Promise<string> {
    const config = this.#configOf(given);
    const [busy] = this.#children.keys();
    if (this.#starting || busy !== undefined) {
      throw cliErrors.error('GVU_CLI_CONTROL', `${busy ? `The run ${busy}` : 'Another run'} has not ended yet.`, {
        hint: 'Wait for it, or stop it with run.stop.',
      });
    }
    this.#starting = true;
    const temporary = await mkdtemp(join(tmpdir(), 'gvu-run-'));
    try {
      const file = join(temporary, 'config.json');
      await writeFile(file, JSON.stringify(config));
      const folder = freeRunFolder(config, { parent: this.#options.runs, now: new Date() });
      return await this.#launch(folder, file);
    } finally {
      this.#starting = false;
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** Which code runs is for the one who started the server to say, not for clients. */
  #configOf(given: JsonValue) {
    const allowed = this.#options.plugin ?? [];
    const asked = isRecord(given) && Array.isArray(given.plugins) ? given.plugins : [];
    const foreign = asked.filter((plugin) => !allowed.some((name) => name === plugin));
    if (foreign.length > 0) {
      throw cliErrors.error(
        'GVU_CLI_CONTROL',
        `The plugins ${JSON.stringify(foreign)} were not given to this server.`,
        {
          hint: 'Start it with --plugin for each that runs may use.',
        },
      );
    }
    const source = { source: 'The configuration' };
    const defaults = plain(runConfig.parse({ plugins: [...allowed] }, source));
    return runConfig.parse(isRecord(given) ? mergeConfig(defaults, plain(given)) : given, source);
  }

  async #launch(folder: string, file: string): Promise<string> {
    const run = basename(folder);
    const output = `${folder}.log`;
    mkdirSync(this.#options.runs, { recursive: true });
    const log = openSync(output, 'w');
    const { device, threads } = this.#options;
    const engine = ['--device', device, ...(threads === undefined ? [] : ['--threads', String(threads)])];
    const child = fork(process.argv[1] ?? '', ['train', '--steered', '--config', file, '--out', folder, ...engine], {
      // Of a group of its own, or the Ctrl-C that ends the server would reach it.
      ...{ detached: true, stdio: ['ignore', log, log, 'ipc'] },
    });
    closeSync(log);
    const entry: Child = { process: child, asked: new Map(), state: 'running' };
    child.on('message', (answer: OrderAnswer) => entry.asked.get(answer.id)?.(answer));
    let ended = false;
    child.once('exit', () => {
      ended = true;
      this.#children.delete(run);
      for (const [id, answer] of entry.asked) answer({ id, error: `The run ${run} has ended.` });
    });
    child.on('error', (error) => note(`[server] ${run}: ${error.message}`));
    while (!isRun(folder) && !ended) await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    if (!isRun(folder)) {
      const said = (await readFile(output, 'utf8')).trim();
      throw cliErrors.error('GVU_CLI_CONTROL', `The run did not start: ${said.slice(-tellBytes)}`, {
        hint: `What it printed is in ${output}.`,
      });
    }
    if (!ended) this.#children.set(run, entry);
    note(`[server] started ${run} in process ${child.pid}; what it prints is in ${output}`);
    return run;
  }

  async pause(run: string): Promise<void> {
    const { child } = await this.#order(run, 'pause');
    child.state = 'paused';
  }

  async resume(run: string): Promise<void> {
    const { child } = await this.#order(run, 'resume');
    child.state = 'running';
  }

  async checkpoint(run: string): Promise<number> {
    const { answer } = await this.#order(run, 'checkpoint');
    return answer.step ?? 0;
  }

  async stop(run: string): Promise<void> {
    await this.#order(run, 'stop');
  }

  async #order(run: string, order: Order['order']): Promise<{ child: Child; answer: OrderAnswer }> {
    const child = this.#children.get(run);
    if (!child) {
      throw cliErrors.error('GVU_CLI_CONTROL', `The run ${run.slice(0, 128)} is not trained from here, or has ended.`, {
        hint: 'This server steers the runs that it started; others are steered where they are trained.',
      });
    }
    const id = ++this.#lastId;
    const answer = await new Promise<OrderAnswer>((resolve) => {
      child.asked.set(id, resolve);
      child.process.send({ id, order } satisfies Order);
    });
    child.asked.delete(id);
    if (answer.error !== undefined) throw cliErrors.error('GVU_CLI_CONTROL', answer.error);
    return { child, answer };
  }

  /** Lets the runs go on by themselves. */
  [Symbol.dispose](): void {
    for (const [run, { process: child }] of this.#children) {
      note(`The run ${run} goes on in process ${child.pid}. To end it with a checkpoint: kill -INT ${child.pid}`);
      child.disconnect();
      child.unref();
    }
  }
}
