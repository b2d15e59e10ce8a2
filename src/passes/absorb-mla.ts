import { KV_B_FORMS, type KvBForm, type PlmConfig } from '../core/config.ts';
import type { Change, Model } from '../core/model.ts';
import { type LayerRole, layerTensorName, parameterCount, plmTensors } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Pass } from './pass.ts';
import { transposedKeyRows, valueRows } from './rows/kv-b-heads.ts';
import { premultiplyOutput, premultiplyQuery } from './rows/premultiply.ts';

const NAME = 'absorb-mla';

/**
 * Absorbs kv_b_proj for attention over a latent cache (DeepSeek-V2, arXiv 2405.04434, section 2.1.2).
 * `split`: its parts are k_b_proj, the transposed nope rows of every head, and v_b_proj, its v rows; no
 * weight changes or is added. `premultiplied`: the query projection and o_proj are multiplied with these
 * parts, which spares attention two products per head, and takes more weights than it spares where
 * kv_lora_rank is well above nope and v.
 */
export const absorbMla = {
  name: NAME,
  summary:
    'split kv_b by the head into k_b (transposed) and v_b, or multiply q and o by them (premultiplied)',
  defaults: { form: 'split' },
  requires({ config: { kvBForm } }, { form }) {
    if (!(KV_B_FORMS as readonly string[]).includes(form)) {
      return [`form ${JSON.stringify(form)} is none of ${KV_B_FORMS.join(', ')}`];
    }
    return kvBForm === undefined || kvBForm === form ? [] : [`kv_b_proj is ${kvBForm} already`];
  },
  run(model, { form }) {
    const kvBForm = form as KvBForm;
    if (model.config.kvBForm === kvBForm) return model;
    const config: PlmConfig = { ...model.config, kvBForm };
    const layers = config.intermediateSizes.map((_, layer) => ABSORB[kvBForm](model, layer));
    const made = new Map(layers.flatMap((layer) => layer.tensors.map((tensor) => [tensor.name, tensor])));
    const tensors = plmTensors(config).map(
      ({ name }) => [name, made.get(name) ?? model.tensors.get(name)!] as const,
    );
    return {
      ...model,
      config,
      tensors: new Map(tensors),
      changes: [
        ...model.changes,
        ...layers.flatMap(({ changes }) => changes),
        changeOf('config', 'kv_b_proj', PLACES[kvBForm]),
      ],
      notes: [...model.notes, ...costNotes(model.config, config)],
    };
  },
  ensures: ({ config }, { form }) =>
    config.kvBForm === form ? [] : [`leaves kv_b_proj as ${config.kvBForm}`],
} satisfies Pass<{ form: string }>;

/** Where kv_b_proj goes. */
const PLACES: Readonly<Record<KvBForm, string>> = {
  split: 'k_b_proj and v_b_proj',
  premultiplied: 'factors of q and o_proj',
};

/** The tensors of a layer that replace its old ones. */
interface AbsorbedLayer {
  readonly tensors: readonly Tensor[];
  readonly changes: readonly Change[];
}

const ABSORB: Readonly<Record<KvBForm, (model: Model, layer: number) => AbsorbedLayer>> = {
  split(model, layer) {
    const parts = partsOf(model, layer);
    return { tensors: [parts.kB, parts.vB], changes: [changeOf(parts.source, 'one matrix', PLACES.split)] };
  },
  premultiplied(model, layer) {
    const { source, kB, vB } = partsOf(model, layer);
    const tensor = (role: LayerRole) => model.tensors.get(layerTensorName(role, layer))!;
    const query = tensor(model.config.qLoraRank === undefined ? 'q_proj' : 'q_b_proj');
    const output = tensor('o_proj');
    return {
      tensors: [premultiplyQuery(query, kB, model.config), premultiplyOutput(output, vB, model.config)],
      changes: [
        changeOf(source, 'one matrix', PLACES.premultiplied),
        changeOf(query.name, 'W', 'W_UKᵀ W of every head'),
        changeOf(output.name, 'W', 'W W_UV of every head'),
      ],
    };
  },
};

function partsOf({ config, tensors }: Model, layer: number) {
  const kvB = tensors.get(layerTensorName('kv_b_proj', layer))!;
  return {
    source: kvB.name,
    kB: transposedKeyRows(kvB, layerTensorName('k_b_proj', layer), config),
    vB: valueRows(kvB, layerTensorName('v_b_proj', layer), config),
  };
}

function changeOf(subject: string, from: string, to: string): Change {
  return { pass: NAME, subject, from, to, reason: 'the target attends over the latent' };
}

/** Says how many weights are added, if any. */
function costNotes(before: PlmConfig, after: PlmConfig): string[] {
  const [from, to] = [parameterCount(before), parameterCount(after)];
  if (to <= from) return [];
  const [added, ...range] = [to - from, from, to].map((count) => count.toLocaleString('en-US'));
  return [`${NAME}:form=${after.kvBForm} adds ${added} parameters (${range.join(' to ')})`];
}
