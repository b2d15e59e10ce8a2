import { Turns } from '../core/jobs/turns.ts';
import type { Change } from '../core/model.ts';
import { layerTensorName } from '../core/names.ts';
import { type NeuronStatistics, SAMPLE_WORDS } from '../core/statistics.ts';
import { columnCount } from '../core/tensor.ts';
import { type Pass, withChanges } from './pass.ts';
import { type Activations, selectNeurons, statisticsFaults, statisticsOf } from './rounding/activations.ts';
import { projectRows } from './rows/float-rows.ts';
import { gatherRows } from './rows/gather-rows.ts';

const NAME = 'reorder-neurons';

/**
 * Sorts the neurons of the FFN: groups of neurons that fire together, those of the most active first. A
 * runtime that skips what is silent then skips whole groups, and keeps the first ones at hand (PowerInfer,
 * arXiv 2312.12456).
 */
export const reorderNeurons = {
  name: NAME,
  summary: 'reorder neurons of the FFN so that those that fire often, and together, are neighbours',
  defaults: { group: 32 },
  readsStatistics: true,
  requires(model, { group }) {
    return [
      ...(Number.isInteger(group) && group >= 1 ? [] : [`group ${group} is not an integer of at least 1`]),
      ...statisticsFaults(model),
    ];
  },
  async run(model, { group }, { signal }) {
    const { neurons } = statisticsOf(model);
    const turns = new Turns(signal);
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    let activations: Activations = model;
    for (const [layer, statistics] of neurons.entries()) {
      const order = await orderOf(statistics, group, turns);
      const [up, down] = (['up_proj', 'down_proj'] as const).map(
        (role) => tensors.get(layerTensorName(role, layer))!,
      );
      tensors.set(up!.name, gatherRows(up!, order));
      const pick = async () => (values: Float32Array, into: Float32Array) => {
        for (let i = 0; i < order.length; i++) into[i] = values[order[i]!]!;
      };
      tensors.set(down!.name, projectRows(down!, columnCount(down!), pick));
      for (const { name } of [up!, down!]) changes.push(changeOf(name));
      activations = selectNeurons(activations, layer, order);
    }
    return withChanges(model, changes, { ...activations, tensors });
  },
} satisfies Pass<{ group: number }>;

function changeOf(subject: string): Change {
  const reason = 'neurons that fire together lie together, the most active first';
  return { pass: NAME, subject, from: 'the order of training', to: 'the order of firing', reason };
}

/**
 * The most active neuron that is left leads a group; of those left the ones follow that share most of its
 * firings, by the Jaccard index over the sampled tokens.
 */
async function orderOf(
  { firings, fired }: NeuronStatistics,
  group: number,
  turns: Turns,
): Promise<Int32Array> {
  const left = [...firings.keys()].sort((a, b) => firings[b]! - firings[a]! || a - b);
  const order: number[] = [];
  while (left.length > 0) {
    const leader = left.shift()!;
    const likeness = new Map(left.map((index) => [index, jaccard(fired, leader, index)]));
    // The sort keeps the order of activity where neurons are equally alike.
    const followers = left.toSorted((a, b) => likeness.get(b)! - likeness.get(a)!).slice(0, group - 1);
    order.push(leader, ...followers);
    const taken = new Set(followers);
    left.splice(0, left.length, ...left.filter((index) => !taken.has(index)));
    await turns.offer();
  }
  return Int32Array.from(order);
}

function jaccard(fired: Uint16Array, a: number, b: number): number {
  let [both, either] = [0, 0];
  for (let word = 0; word < SAMPLE_WORDS; word++) {
    const [x, y] = [fired[a * SAMPLE_WORDS + word]!, fired[b * SAMPLE_WORDS + word]!] as const;
    both += bitCount(x & y);
    either += bitCount(x | y);
  }
  return either === 0 ? 0 : both / either;
}

/** Of 16 bits. */
function bitCount(word: number): number {
  let bits = word - ((word >> 1) & 0x5555);
  bits = (bits & 0x3333) + ((bits >> 2) & 0x3333);
  bits = (bits + (bits >> 4)) & 0x0f0f;
  return (bits + (bits >> 8)) & 0x1f;
}
