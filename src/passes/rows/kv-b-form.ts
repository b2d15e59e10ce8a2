import { KV_B_FORMS, type KvBForm } from '../../core/config.ts';
import type { Model } from '../../core/model.ts';
import { runPasses } from '../run.ts';

/**
 * The model with kv_b_proj in another form, that of checkpoints where `form` is undefined. What has been
 * multiplied into other matrices stays there.
 */
export function inKvBForm(model: Model, form: KvBForm | undefined, signal?: AbortSignal): Promise<Model> {
  const from = model.config.kvBForm;
  if (from === form || from === 'premultiplied') return Promise.resolve(model);
  const joins = from === undefined ? [] : [{ name: 'join-kv-b', options: {} }];
  const absorbs = form === undefined ? [] : [{ name: 'absorb-mla', options: { form } }];
  return runPasses(model, [...joins, ...absorbs], signal && { signal });
}

/** Both with kv_b_proj in one form, if that can be: the one that is further from checkpoints. */
export async function inOneKvBForm(a: Model, b: Model): Promise<[a: Model, b: Model]> {
  const [formOfA, formOfB] = [a.config.kvBForm, b.config.kvBForm];
  return distance(formOfA) < distance(formOfB)
    ? [await inKvBForm(a, formOfB), b]
    : [a, await inKvBForm(b, formOfA)];
}

function distance(form: KvBForm | undefined): number {
  return form === undefined ? -1 : KV_B_FORMS.indexOf(form);
}
