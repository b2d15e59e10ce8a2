import type { CacheForm } from '../../src/core/config.ts';
import type { ExportPlan, PlannedFile } from '../../src/core/export-plan.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { oversizeNotes } from '../../src/core/shard-size.ts';
import type { OnnxModel } from '../../src/onnx/graph.ts';
import {
  type CalibratedRounding,
  calibratedRounding,
  type Quality,
} from '../../src/passes/rounding/calibrated-rounding.ts';
import { toHalf } from '../../src/schemes/half.ts';
import { assertHolds } from './architecture.ts';
import { DataFiles } from './data-files.ts';
import { encodeModel } from './encode.ts';
import { type CacheShape, GRAPH_FOLDER, type GraphFile, graphFileName } from './folder/graph-file.ts';
import { type FloatType, GraphBuilder } from './graph/builder.ts';
import { latentCacheWidths } from './graph/latent-attention.ts';
import { addPlm } from './graph/plm.ts';
import { type RopeTables, ropeTables } from './graph/rope.ts';
import { graphMetadata } from './metadata.ts';
import { type OnnxScheme, onnxSchemeNamed } from './schemes.ts';
import type { Calibration } from './weights/placer.ts';
import { Placer } from './weights/placer.ts';

/** The newest that ONNX Runtime of early 2025 knows; nothing newer is needed. */
const IR_VERSION = 10;
const OPSETS = { '': 21, 'com.microsoft': 1 };

export interface OnnxOptions {
  /** Name in `ONNX_SCHEMES`, in any case. */
  readonly scheme: string;
  /** Version of plmpress. */
  readonly version: string;
  /** Left out: latent. */
  readonly cache?: CacheForm;
  /** Greatest size of a file of weights in bytes; a single matrix may exceed it. Undefined: one file. */
  readonly shardSize?: number;
  /** Round weights that have been rounded already, into another scheme. */
  readonly allowRequantize?: boolean;
  /** Left out: fast. */
  readonly quality?: Quality;
}

/** A planned graph, and the facts about it for the files of its folder. */
export interface PlannedGraph {
  readonly plan: ExportPlan;
  readonly graph: GraphFile;
}

/**
 * Plans a graph of a PLM with its weights beside it. Model.importances weigh the rounding of 4-bit matrices.
 * @throws PressError unsupported where the graph cannot hold the model, where a pass of `onnxPasses` has not
 * run, or without `allowRequantize` where a quantized tensor would change its scheme; usage for an unknown
 * scheme and where statistics lack what `best` takes; invalid-input for importances of another model.
 */
export function planOnnx(model: Model, options: OnnxOptions): PlannedGraph {
  const scheme = onnxSchemeNamed(options.scheme);
  const { cache = 'latent', allowRequantize = false, quality = 'fast' } = options;
  assertHolds(cache, model.config);
  const data = new DataFiles(graphFileName(scheme.dtype), options.shardSize);
  const builder = new GraphBuilder();
  const rounding = calibratedRounding(model, quality);
  const placer = new Placer({
    graph: builder,
    data,
    calibration: calibrationOf(model, rounding),
    allowRequantize,
  });
  const rope = placeRope(placer, model, scheme.type);
  addPlm(builder, model, { cache, type: scheme.type, weights: scheme.weights(placer), rope });
  const onnxModel: OnnxModel = {
    irVersion: IR_VERSION,
    opsets: OPSETS,
    producerName: 'plmpress',
    producerVersion: options.version,
    metadata: graphMetadata(model, { scheme: scheme.name, cache, quality }),
    graph: builder.build('plm'),
  };
  const dataFiles = data.planned(GRAPH_FOLDER);
  return {
    plan: {
      target: `onnx:${scheme.name}`,
      files: [...graphFiles(scheme, encodeModel(onnxModel)), ...dataFiles],
      fallbacks: [],
      notes: [...rounding.notes, ...oversizeNotes(dataFiles, options.shardSize)],
    },
    graph: {
      dtype: scheme.dtype,
      name: graphFileName(scheme.dtype),
      dataFiles: dataFiles.length,
      cache: cacheOf(model, cache),
    },
  };
}

/**
 * The graph, under the name that transformers.js asks for and, where that is another, under that of the
 * scheme.
 */
function graphFiles({ dtype, name }: OnnxScheme, bytes: Uint8Array): PlannedFile[] {
  const names = new Set([graphFileName(dtype), graphAlias(name)]);
  return [...names].map((graph) => ({
    name: `${GRAPH_FOLDER}/${graph}`,
    bytes: bytes.length,
    head: [{ offset: 0, bytes }],
    tensors: [],
  }));
}

/** Name of a graph by its scheme, for those who do not think in the terms of transformers.js. */
export function graphAlias(scheme: string): string {
  return `model_${scheme}.onnx`;
}

function placeRope(placer: Placer, { config }: Model, type: FloatType): RopeTables {
  const tables = ropeTables(config);
  const shape = [config.maxPositionEmbeddings, config.qkRopeHeadDim / 2];
  const place = (name: string, values: Float32Array) => {
    const stored = type === 'float' ? values : Uint16Array.from(values, toHalf);
    return placer.computed(name, type, shape, new Uint8Array(stored.buffer));
  };
  return {
    cos: place('rope.cos', tables.cos),
    sin: place('rope.sin', tables.sin),
  };
}

function cacheOf({ config }: Model, form: CacheForm): CacheShape {
  if (form === 'latent') {
    const { key, value } = latentCacheWidths(config);
    return { heads: 1, keyWidth: key, valueWidth: value };
  }
  const { numAttentionHeads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = config;
  return { heads: numAttentionHeads, keyWidth: qkNopeHeadDim + qkRopeHeadDim, valueWidth: vHeadDim };
}

/** By the names that checkpoints have for tensors. The graph's embedding has 8 bits: it needs nothing. */
function calibrationOf(model: Model, rounding: CalibratedRounding): Calibration {
  const slots = new Map(plmTensors(model.config).map((slot) => [slot.name, slot]));
  return {
    importances: ({ name }, columns) => rounding.importances(slots.get(name)!, columns),
    feedback: ({ name }, columns) => rounding.feedback(slots.get(name)!, columns),
  };
}
