import type { Mutation } from '../mutation.ts';

export const RUNTIME_MUTATIONS: readonly Mutation[] = [
  {
    file: 'src/runtime/sampling/sampler.ts',
    from: 'before >= topP * total',
    to: 'before >= (topP + 1e-3) * total',
    breaks: 'top-p is 0.001 more',
    tests: ['runtime/sampler'],
  },
  {
    file: 'src/runtime/sampling/sampler.ts',
    from: 'before >= topP * total',
    to: 'before >= (topP - 1e-3) * total',
    breaks: 'top-p is 0.001 less',
    tests: ['runtime/sampler'],
  },
  {
    file: 'src/webgpu/statistics/summed-stage.ts',
    from: 'this.#multiplied === MULTIPLIED_TIMES',
    to: 'this.#multiplied === 64 * MULTIPLIED_TIMES',
    breaks: 'second moments of a GPU outgrow f32',
    tests: ['webgpu/second-moments'],
  },
  {
    file: 'src/pipeline/engines/webgpu-statistics.ts',
    from: 'this.#layer = parts.from.layers;',
    to: 'this.#layer = 0;',
    breaks: 'a GPU begins again at the first layer',
    tests: ['webgpu/calibrate'],
  },
  {
    file: 'src/runtime/second-moments.ts',
    from: 'most <= room &&',
    to: '',
    breaks: 'values without room in the lists are left out',
    tests: ['runtime/second-moments'],
  },
  {
    file: 'src/runtime/weights.ts',
    from: 'placeLayer(config, placer, first + index, ffn)',
    to: 'placeLayer(config, placer, index, ffn)',
    breaks: 'a layer that is read again is another one',
    tests: ['runtime/plm-runtime'],
  },
  {
    file: 'src/runtime/layered-runtime.ts',
    from: 'holdsEmbeddings ? part : [...part.keys()]',
    to: 'part',
    breaks: 'embeddings are looked up beyond those that were read',
    tests: ['runtime/layered-runtime'],
  },
  {
    file: 'src/runtime/layered-runtime.ts',
    from: 'row.set(this.#compute.floats(logits + 4 * token * matrix.rows, matrix.rows), first);',
    to: 'row.set(this.#compute.floats(logits + 4 * token * matrix.rows, matrix.rows));',
    breaks: 'all parts of the head give the first logits',
    tests: ['runtime/streamed-logits'],
  },
  {
    file: 'src/runtime/gradients/layer-gradient.ts',
    from: 'addTo(batch, this.#gPart, this.#gNormed, hiddenSize);',
    to: '',
    breaks: 'queries add nothing to the gradient by the input of a layer',
    tests: ['runtime/gradients'],
  },
  {
    file: 'src/runtime/gradients/layered-gradients.ts',
    from: 'sum[c]! += gradients[t * channels + c]!',
    to: 'sum[c] = gradients[t * channels + c]!',
    breaks: 'of a token that comes twice the last gradient counts alone',
    tests: ['runtime/gradients'],
  },
];
