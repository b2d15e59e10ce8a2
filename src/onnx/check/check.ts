import { invalidInput } from '../../core/errors.ts';
import { DOMAINS, type Domain, type OnnxModel } from '../graph.ts';
import { checkInitializers } from './check-initializers.ts';
import { checkNames } from './check-names.ts';
import { inferModel } from './infer-model.ts';

/** IR 10 came with opset 21. */
const IR_VERSION = 10;
/** What the meanings in `operators` are of. */
const OPSETS: Readonly<Record<Domain, number>> = { '': 21, 'com.microsoft': 1 };

/**
 * Holds a model to the rules of ONNX and to those of its operators, as far as they can be told without
 * reading weights: versions, unique names, topological order, known operators with their attributes, types
 * and shapes of all values for all sizes of the named dimensions, and constants of the right length in files
 * of the folder. What nothing reads is a fault too: only a mistake leaves it there. Throws `invalid-input`
 * that names the node or value.
 */
export function checkModel(model: OnnxModel): void {
  checkVersions(model);
  checkNames(model.graph);
  checkInitializers(model.graph.initializers);
  inferModel(model);
}

function checkVersions({ irVersion, opsets, graph }: OnnxModel): void {
  if (irVersion !== IR_VERSION) {
    throw invalidInput({
      field: 'ir_version',
      what: 'version',
      got: irVersion,
      expected: String(IR_VERSION),
    });
  }
  for (const domain of Object.keys(opsets) as Domain[]) {
    const [got, expected] = [opsets[domain], OPSETS[domain]];
    if (got !== expected) {
      throw invalidInput({ field: `opset of "${domain}"`, what: 'version', got, expected: String(expected) });
    }
  }
  for (const { name, domain } of graph.nodes) {
    if (!DOMAINS.includes(domain) || opsets[domain] === undefined) {
      throw invalidInput({ field: name, what: 'domain without an opset', got: domain });
    }
  }
}
