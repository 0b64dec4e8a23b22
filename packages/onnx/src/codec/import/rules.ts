/** The one table of import rules, by domain and operator. */
import { controlImports } from './control.ts';
import { elementwiseContribImports, elementwiseImports } from './elementwise.ts';
import { linearContribImports, linearImports } from './linear.ts';
import { movementImports } from './movement.ts';
import { neuralContribImports, neuralImports } from './neural.ts';
import type { ImportRule } from './node.ts';

const rules = new Map<string, ImportRule>([
  ...entries('', { ...elementwiseImports, ...linearImports, ...movementImports, ...neuralImports, ...controlImports }),
  ...entries('com.microsoft', { ...elementwiseContribImports, ...linearContribImports, ...neuralContribImports }),
]);

/** The rule for an operator; undefined when it cannot be imported. */
export function importRule(domain: string, op: string): ImportRule | undefined {
  return rules.get(`${domain}::${op}`);
}

function entries(domain: string, table: Readonly<Record<string, ImportRule>>): [string, ImportRule][] {
  return Object.entries(table).map(([op, rule]) => [`${domain}::${op}`, rule]);
}
