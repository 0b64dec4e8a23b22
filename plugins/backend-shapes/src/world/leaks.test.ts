import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { sharedPrompts } from './leaks.ts';
import type { Split } from './split.ts';
import { defineWorld } from './world.ts';

const catalogue = createCatalogue(defineWorld(), { unseenPairs: 4 });

function texts(split: Split): string[] {
  return catalogue.entries.filter((entry) => entry.split === split).map(({ metadata }) => metadata.prompt);
}

describe('sharedPrompts', () => {
  test('is empty for the splits of a catalogue', () => {
    expect(sharedPrompts(texts('train'), texts('held-out'), catalogue)).toEqual([]);
    expect(sharedPrompts(texts('train'), texts('unseen-pair'), catalogue)).toEqual([]);
    expect(sharedPrompts([], [], catalogue)).toEqual([]);
  });

  test('finds the same words in other clothes', () => {
    const shared = sharedPrompts(
      ['a photo of a  Red circle.'],
      ['A photo of a red circle', 'a photo of a moon'],
      catalogue,
    );
    expect(shared).toEqual([{ prompts: ['a photo of a  Red circle.', 'A photo of a red circle'], by: 'text' }]);
  });

  test('finds the same meaning in other words', () => {
    const train = ['a photo of a circle left of a square', 'a photo of a red moon and a blue heart', 'no prompt'];
    const test = [
      'a photo of a square right of a circle',
      'a photo of a square left of a circle',
      'a photo of a blue heart and a red moon',
      'a photo of a blue moon and a red heart',
      'No prompt!',
    ];
    expect(sharedPrompts(train, test, catalogue)).toEqual([
      { prompts: [train[0], test[0]], by: 'meaning' },
      { prompts: [train[1], test[2]], by: 'meaning' },
      { prompts: [train[2], test[4]], by: 'text' },
    ]);
  });

  test('names each prompt once', () => {
    expect(sharedPrompts(['a', 'A', 'a.'], ['a', 'a'], catalogue)).toEqual([{ prompts: ['a.', 'a'], by: 'text' }]);
  });
});
