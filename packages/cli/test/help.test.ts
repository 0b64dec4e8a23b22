/** The help must teach: every command says what it is, with examples that are commands which exist, with options which exist. */
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../src/program.ts';

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

const program = createProgram();
const leaves = program.commands.flatMap((command): [string, Command][] =>
  // `config` does something itself too.
  [...(command.name() === 'config' || command.commands.length === 0 ? [command] : []), ...command.commands].map(
    (leaf) => [leaf === command ? leaf.name() : `${command.name()} ${leaf.name()}`, leaf],
  ),
);

describe('every command', () => {
  test('is found', () => {
    expect(leaves.map(([name]) => name)).toEqual([
      'train',
      'compare',
      'reproduce',
      'generate',
      'describe',
      'score',
      'evaluate',
      'serve',
      'runs list',
      'runs show',
      'runs export',
      'config',
      'config validate',
      'plugins list',
      'plugins show',
      'plugins check',
      'pretrain',
      'doctor',
    ]);
  });

  test.each(leaves)('%s: a summary, a description, and examples of itself with options that exist', (name, command) => {
    expect(command.summary().length).toBeGreaterThan(5);
    expect(command.description().length).toBeGreaterThan(30);
    const examples = [...helpOf(command).matchAll(/^ {2}\$ (gvu .*)$/gm)].map(([, example = '']) => example);
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.some((example) => example.startsWith(`gvu ${name}`))).toBe(true);
    for (const [, owner, option = ''] of examples.flatMap((example) => [
      ...example.matchAll(/gvu (\w+).*?(--[a-z-]+)/g),
    ])) {
      const options = [command, ...program.commands.filter((other) => other.name() === owner)].flatMap(
        (c) => c.options,
      );
      expect(options.map(({ long }) => long)).toContain(option);
    }
  });

  test.each(leaves)('%s: no option without a description', (_, command) => {
    expect(command.options.filter(({ description }) => description.length < 4)).toEqual([]);
  });
});
