/**
 * The order in which plugins are set up: each after those it depends on, otherwise as listed.
 *
 * A depth-first topological sort (Tarjan, "Edge-disjoint spanning trees and depth-first search", 1976, for the order by
 * finishing time). Names that are not in the list are passed over: whether that is a problem is not decided here.
 */

export interface Dependent {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/** `cycles` holds the name path of each circle found, closed: `['a', 'b', 'a']`. */
export function loadOrder<T extends Dependent>(listed: readonly T[]): { ordered: T[]; cycles: string[][] } {
  const byName = new Map(listed.map((item) => [item.name, item]));
  const ordered = new Set<T>();
  const cycles: string[][] = [];

  const visit = (item: T, path: readonly string[]): void => {
    const seenAt = path.indexOf(item.name);
    if (seenAt >= 0) {
      cycles.push([...path.slice(seenAt), item.name]);
      return;
    }
    if (ordered.has(item)) return;
    for (const name of item.dependsOn) {
      const dependency = byName.get(name);
      if (dependency !== undefined) visit(dependency, [...path, item.name]);
    }
    ordered.add(item);
  };
  for (const item of listed) visit(item, []);
  return { ordered: [...ordered], cycles };
}
